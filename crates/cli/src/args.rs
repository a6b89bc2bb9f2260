//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use simd_r_drive::utils::parse_buffer_size;

const EXIT_STATUSES: &str = "\
Exit status:
  0  everything that was asked for is done
  1  done, except for what standard error reports: a key does not exist, import or
     export skipped something, or verify, repair, --salvage or --skip-damaged met damage
  2  not done: bad usage, or the store or a file cannot be opened, read or written";

/// Stores files and values in one file, and gets them back.
#[derive(Debug, Parser)]
#[command(name = "simd-r-drive", version, after_help = EXIT_STATUSES, disable_help_subcommand = true)]
#[command(max_term_width = 100)]
pub(crate) struct Args {
    /// The store's file. Only `write`, `import` and `migrate` create it if it does not exist.
    pub(crate) store: PathBuf,
    /// Print results as JSON: one object on one line, or for `list` one for each key.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress bars and no summary. Errors, and what was skipped, are still reported.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a value, replacing the previous value of the key
    #[command(after_help = EXIT_STATUSES)]
    Write {
        key: OsString,
        /// The value; if absent, standard input is read to its end
        value: Option<OsString>,
    },
    /// Print a value, byte for byte, after checking it against its checksum
    #[command(after_help = EXIT_STATUSES)]
    Read {
        key: OsString,
        /// Write the value to this file instead, which appears complete or not at all. A pipe or a
        /// device is written to directly
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Read from a damaged store, even if a newer value may have been lost; exit status 1
        #[arg(long)]
        salvage: bool,
        /// Size of each write: 65536, 64K, 1M
        #[arg(long, short, value_name = "SIZE", default_value = "64K", value_parser = parse_nonzero_size)]
        buffer_size: usize,
    },
    /// Delete keys, all in one commit
    #[command(after_help = EXIT_STATUSES)]
    Delete {
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<OsString>,
    },
    /// List keys, sorted by their bytes
    ///
    /// Keys are printed one per line, with control characters, backslashes and bytes that are not
    /// UTF-8 escaped as \n, \\ and \xff. An entry that was written by hash alone appears as <hash
    /// 0x…>.
    #[command(after_help = EXIT_STATUSES)]
    List {
        /// List only keys that start with this
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: OsString,
        /// Print size in bytes and write time (UTC) before each key
        #[arg(long, short)]
        long: bool,
        /// List what is left of a damaged store; exit status 1
        #[arg(long)]
        salvage: bool,
        /// Print keys unescaped, each followed by a NUL byte, for `xargs -0`. Entries without a key
        /// are left out
        #[arg(long, short = '0', conflicts_with_all = ["long", "json"])]
        null: bool,
    },
    /// Store the files in a directory and below it
    ///
    /// A file's key is its path below DIR, with `/` between names. Contents and names are stored;
    /// permissions, times and empty directories are not. Hidden files are stored like others.
    /// Symbolic links, special files, and files that cannot be read or that change while they are
    /// read are skipped and reported. The store's own file and its temporary files are left out.
    #[command(after_help = EXIT_STATUSES)]
    Import {
        dir: PathBuf,
        /// Put this before every key. It should end with `/` if it names a directory
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: OsString,
        /// Leave out files and directories that match. A pattern without a `/` is a name at any
        /// depth (`target`, `*.o`); one with a `/` is a path below DIR (`docs/*.pdf`,
        /// `**/cache/*`). A directory is left out with all that is in it. May be repeated
        #[arg(long, value_name = "GLOB")]
        exclude: Vec<String>,
    },
    /// Write values to files below a directory
    ///
    /// The reverse of `import`: a key is the path of a file below DIR. Directories are created as
    /// needed. Nothing is written outside DIR: a key that is not a plain relative path, or that
    /// leads through a symbolic link, is skipped and reported, and so is a damaged value. Every
    /// file appears complete or not at all.
    #[command(after_help = EXIT_STATUSES)]
    Export {
        dir: PathBuf,
        /// Export only keys that start with this, and leave it out of the files' paths
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: OsString,
        /// Export what is left of a damaged store, even if newer values may have been lost; exit
        /// status 1
        #[arg(long)]
        salvage: bool,
        /// Replace files that exist; without it, they are skipped and reported
        #[arg(long, short)]
        force: bool,
    },
    /// Show the store's size, its use of the disk, and its state when it was opened
    #[command(after_help = EXIT_STATUSES)]
    Info,
    /// Check the whole store against its checksums, including older versions
    #[command(after_help = EXIT_STATUSES)]
    Verify,
    /// Rewrite the store without older versions and deletions
    ///
    /// Until it is done, it needs space for the live values beside the store. A damaged store is
    /// left as it is.
    #[command(after_help = EXIT_STATUSES)]
    Compact,
    /// Save what is left of a damaged store in a new one
    ///
    /// The old file is only read. Exit status 1 if anything was lost.
    #[command(after_help = EXIT_STATUSES)]
    Repair {
        /// The new store's file, which must not exist
        new_store: PathBuf,
    },
    /// Copy the store as it is now to another file, or add what is new to an earlier copy
    ///
    /// Everything is checked while it is copied. Another process may write to the store meanwhile.
    /// After a compaction, the next backup needs a new path.
    #[command(after_help = EXIT_STATUSES)]
    Backup {
        /// The backup's file: a new one, or an earlier backup of this store
        dest: PathBuf,
    },
    /// Convert a store of simd-r-drive 0.15 to 0.17 into this one, which must not exist
    ///
    /// The old file is only read. It stores hashes instead of keys: `read` finds a value by its
    /// key, but `list` shows <hash 0x…>.
    #[command(after_help = EXIT_STATUSES)]
    Migrate {
        /// The old store's file
        old_store: PathBuf,
        /// Leave out what is damaged instead of failing; exit status 1 if anything was lost
        #[arg(long)]
        skip_damaged: bool,
    },
    /// Give a value another key, replacing the previous value of that key
    #[command(after_help = EXIT_STATUSES)]
    Rename { old_key: OsString, new_key: OsString },
    /// Copy a value to another store, under the same key
    #[command(after_help = EXIT_STATUSES)]
    Copy {
        key: OsString,
        /// The other store's file; created if it does not exist
        target_store: PathBuf,
    },
    /// Move a value to another store, under the same key
    ///
    /// The value is deleted here once it is on the medium there. If this store cannot be written,
    /// nothing is copied.
    #[command(after_help = EXIT_STATUSES)]
    Move {
        key: OsString,
        /// The other store's file; created if it does not exist
        target_store: PathBuf,
    },
    /// Show size, place, checksum and write time of a value
    #[command(after_help = EXIT_STATUSES)]
    Metadata { key: OsString },
}

/// Other names of standard output. They may lead to a file that others also write to, which must
/// not be replaced, or to `/dev/null` in place of a closed output.
const OUTPUT_PATHS: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

impl Command {
    /// Whether the command prints something if it succeeds.
    pub(crate) fn prints(&self, is_json: bool, is_quiet: bool) -> bool {
        match self {
            Self::List { .. } | Self::Info | Self::Metadata { .. } => true,
            Self::Read { output, .. } => is_json || output_file(output.as_deref()).is_none(),
            Self::Import { .. }
            | Self::Export { .. }
            | Self::Verify
            | Self::Compact
            | Self::Repair { .. }
            | Self::Backup { .. }
            | Self::Migrate { .. } => is_json || !is_quiet,
            Self::Write { .. }
            | Self::Delete { .. }
            | Self::Rename { .. }
            | Self::Copy { .. }
            | Self::Move { .. } => is_json,
        }
    }
}

/// The file to write a value to; `None` for standard output.
pub(crate) fn output_file(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !OUTPUT_PATHS.iter().any(|name| *path == Path::new(name)))
}

fn parse_nonzero_size(text: &str) -> Result<usize, String> {
    match parse_buffer_size(text)? {
        0 => Err("must not be 0".to_owned()),
        size => Ok(size),
    }
}
