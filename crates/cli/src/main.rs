//! The `simd-r-drive` command: `simd-r-drive STORE COMMAND`.
//!
//! `args` defines the command line, `commands` has one file for each command, `outcome` defines the
//! exit statuses.

mod args;
mod commands;
mod console;
mod export;
mod failure;
mod import;
mod key;
mod open;
mod outcome;
mod progress;
mod same_file;
mod standard_streams;
mod timestamp;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;
use crate::console::Console;
use crate::outcome::{FAILED, Outcome};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage::answer(&error),
    };
    let console = Console::new(args.json, args.quiet);
    match commands::run(&args, &console) {
        Ok(outcome) => outcome.into(),
        // The reader of the output has seen enough, as in `list | head`.
        Err(error) if console::is_output_closed(&error) => Outcome::Complete.into(),
        Err(error) => {
            console.tell(&format!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}
