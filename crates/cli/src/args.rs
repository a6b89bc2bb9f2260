//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use simd_r_drive::utils::parse_buffer_size;

const EXIT_STATUSES: &str = "\
Exit status:
  0  all that was asked is done
  1  done, but for what stderr tells: a key does not exist, a file or a key was
     skipped, damage was found by verify, repair or with --salvage
  2  not done: bad usage, or the store or a file cannot be opened, read or written";

/// Stores files and values in one file, and gets them back.
#[derive(Debug, Parser)]
#[command(name = "simd-r-drive", version, after_help = EXIT_STATUSES, disable_help_subcommand = true)]
#[command(max_term_width = 100)]
pub(crate) struct Args {
    /// The store's file. Only `write`, `import` and `migrate` create it if it does not exist.
    pub(crate) store: PathBuf,
    /// Print results as JSON: one object on one line, for `list` one for each key.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress bars, no summary. What was skipped, and errors, are still told.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a value, replacing the one that the key had
    #[command(after_help = EXIT_STATUSES)]
    Write {
        key: OsString,
        /// The value; read from standard input to its end if absent
        value: Option<OsString>,
    },
    /// Print a value, byte for byte, after its checksum was found right
    #[command(after_help = EXIT_STATUSES)]
    Read {
        key: OsString,
        /// Write the value to this file instead; it appears complete, or not at all. A pipe or a device is
        /// written to as it is
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Of a damaged store, print what is left, even if something newer may have been lost; exit status 1
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
    /// A key stands on a line of its own, with control characters, backslashes and bytes that are not UTF-8
    /// written as \n, \\ and \xff. An entry that was written by hash alone shows as <hash 0x…>.
    #[command(after_help = EXIT_STATUSES)]
    List {
        /// Only keys that start with this
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: OsString,
        /// Size in bytes and time of writing (UTC) before each key
        #[arg(long, short)]
        long: bool,
        /// Of a damaged store, list what is left; exit status 1
        #[arg(long)]
        salvage: bool,
        /// Keys as they are, each followed by a NUL byte, for `xargs -0`; entries without a key are left out
        #[arg(long, short = '0', conflicts_with_all = ["long", "json"])]
        null: bool,
    },
    /// Store the files of a directory and of those in it
    ///
    /// A file's key is its path below DIR, with `/` between names. Contents and names are stored; permissions,
    /// times and empty directories are not. Hidden files are stored like others. Symbolic links, special
    /// files, and files that cannot be read or change meanwhile are skipped and told. The store's own file
    /// and its temporary files are left out.
    #[command(after_help = EXIT_STATUSES)]
    Import {
        dir: PathBuf,
        /// Put this before every key, as it is: end it with `/` to import below a directory
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: OsString,
        /// Leave out what matches: a name at any depth (`target`, `*.o`), or, with a `/`, a path below DIR
        /// (`docs/*.pdf`, `**/cache/*`). A directory that matches is left out whole. May be repeated
        #[arg(long, value_name = "GLOB")]
        exclude: Vec<String>,
    },
    /// Write the values to files below a directory
    ///
    /// The opposite of `import`: a key is taken as the path of a file below DIR, which is created as needed.
    /// Nothing is written outside DIR: a key that is no plain relative path, or leads through a symbolic link,
    /// is skipped and told, as is a damaged value. Every file appears complete, or not at all.
    #[command(after_help = EXIT_STATUSES)]
    Export {
        dir: PathBuf,
        /// Only keys that start with this, which is not part of the files' paths
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: OsString,
        /// Of a damaged store, export what is left, even if something newer may have been lost; exit status 1
        #[arg(long)]
        salvage: bool,
        /// Replace files that exist; without it they are skipped and told
        #[arg(long, short)]
        force: bool,
    },
    /// Show how large the store is, what it takes on the disk, and how it was found
    #[command(after_help = EXIT_STATUSES)]
    Info,
    /// Check the whole store against its checksums, older versions included
    #[command(after_help = EXIT_STATUSES)]
    Verify,
    /// Rewrite the store without older versions and deletions
    ///
    /// Needs space for the live values beside the store until it is done. A store that is damaged is left as
    /// it is.
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
    /// Copy the store, as it is now, to another file, or add what is new to an earlier copy
    ///
    /// Everything is checked on the way. Others may write to the store meanwhile. After a compaction, the next
    /// backup needs a new path.
    #[command(after_help = EXIT_STATUSES)]
    Backup {
        /// The backup's file: a new one, or an earlier backup of this store
        dest: PathBuf,
    },
    /// Convert a store of simd-r-drive 0.15 to 0.17 into this one, which must not exist
    ///
    /// The old file is only read. It knows keys by their hash alone: `read` finds them, `list` shows
    /// <hash 0x…>.
    #[command(after_help = EXIT_STATUSES)]
    Migrate {
        /// The old store's file
        old_store: PathBuf,
        /// Leave out what is damaged instead of giving up; exit status 1 if anything was lost
        #[arg(long)]
        skip_damaged: bool,
    },
    /// Give a value another key, replacing what that key had
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
    /// It is deleted here once it is on the medium there. If this store cannot be written, nothing is copied.
    #[command(after_help = EXIT_STATUSES)]
    Move {
        key: OsString,
        /// The other store's file; created if it does not exist
        target_store: PathBuf,
    },
    /// Show what is known of a value: size, place, checksum, time
    #[command(after_help = EXIT_STATUSES)]
    Metadata { key: OsString },
}

/// Other names of standard output. What they lead to may be a file that others write to as well, which must not be
/// replaced, or `/dev/null` in place of an output that was closed.
const OUTPUT_PATHS: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

impl Command {
    /// Whether something is printed when all goes well.
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

/// The file that a value is written to, unless that is standard output.
pub(crate) fn output_file(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !OUTPUT_PATHS.iter().any(|name| *path == Path::new(name)))
}

fn parse_nonzero_size(text: &str) -> Result<usize, String> {
    match parse_buffer_size(text)? {
        0 => Err("must not be 0".to_owned()),
        size => Ok(size),
    }
}
