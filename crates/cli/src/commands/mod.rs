//! The commands, one in each file.

mod backup;
mod compact;
mod copy;
mod delete;
mod export;
mod import;
mod info;
mod list;
mod metadata;
mod migrate;
mod read;
mod rename;
mod repair;
mod verify;
mod write;

use anyhow::{Result, bail};

use crate::args::{Args, Command, output_file};
use crate::console::Console;
use crate::key::bytes_of;
use crate::outcome::Outcome;
use crate::standard_streams;

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<Outcome> {
    let store = &args.store;
    // This comes first: a command either reports what it did, or exits with the status for doing
    // nothing.
    if standard_streams::is_output_closed() && args.command.prints(args.json, args.quiet) {
        bail!("standard output is closed; nothing was done, because the output would be lost");
    }
    match &args.command {
        Command::Write { key, value } => {
            let value = value.as_deref().map(bytes_of).transpose()?;
            write::run(console, store, bytes_of(key)?, value)
        }
        Command::Read { key, output, salvage, buffer_size } => {
            let target =
                read::Target { path: output_file(output.as_deref()), buffer_size: *buffer_size };
            read::run(console, store, bytes_of(key)?, *salvage, target)
        }
        Command::Delete { keys } => {
            let keys: Vec<&[u8]> = keys.iter().map(|key| bytes_of(key)).collect::<Result<_>>()?;
            delete::run(console, store, &keys)
        }
        Command::List { prefix, long, salvage, null } => {
            let format = list::Format::new(*long, *null);
            list::run(console, store, bytes_of(prefix)?, *salvage, format)
        }
        Command::Import { dir, prefix, exclude } => {
            import::run(console, store, dir, bytes_of(prefix)?, exclude)
        }
        Command::Export { dir, prefix, salvage, force } => {
            let choices = export::Choices { salvage: *salvage, force: *force };
            export::run(console, store, dir, bytes_of(prefix)?, choices)
        }
        Command::Info => info::run(console, store),
        Command::Verify => verify::run(console, store),
        Command::Compact => compact::run(console, store),
        Command::Repair { new_store } => repair::run(console, store, new_store),
        Command::Backup { dest } => backup::run(console, store, dest),
        Command::Migrate { old_store, skip_damaged } => {
            migrate::run(console, store, old_store, *skip_damaged)
        }
        Command::Rename { old_key, new_key } => {
            rename::run(console, store, bytes_of(old_key)?, bytes_of(new_key)?)
        }
        Command::Copy { key, target_store } => {
            copy::copy(console, store, bytes_of(key)?, target_store)
        }
        Command::Move { key, target_store } => {
            copy::transfer(console, store, bytes_of(key)?, target_store)
        }
        Command::Metadata { key } => metadata::run(console, store, bytes_of(key)?),
    }
}
