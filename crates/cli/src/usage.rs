//! Errors of the command line, help, and the version.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::args::Args;
use crate::console::{Console, cannot_print};
use crate::outcome::{FAILED, Outcome};
use crate::standard_streams;

/// Command names of other programs, with the advice to give.
const ELSEWHERE: [(&[&str], &str); 11] = [
    (&["get", "cat", "fetch", "show"], "use `read`"),
    (&["set", "put", "add", "insert", "create", "init"], "use `write`"),
    (&["ls", "keys", "scan"], "use `list`"),
    (&["rm", "del", "remove", "unset"], "use `delete`"),
    (&["cp"], "use `copy`, which copies a value to another store"),
    (&["mv"], "use `rename`, or `move` to bring a value to another store"),
    (&["check", "fsck"], "use `verify`"),
    (&["stat", "stats", "status"], "use `info` for the store, `metadata` for a value"),
    (&["vacuum", "gc"], "use `compact`"),
    (&["dump", "extract"], "use `export`"),
    (&["restore"], "a backup is itself a store: put its file in the store's place"),
];

/// Reports what is wrong with the command line, or prints the help or the version.
pub(crate) fn answer(error: &clap::Error) -> ExitCode {
    let console = Console::new(false, false);
    if error.use_stderr() {
        match advice(std::env::args_os().skip(1)) {
            Some(advice) => console.tell(&advice),
            // If it cannot be printed, the exit status still says that something is wrong.
            None => drop(error.print()),
        }
        return ExitCode::from(FAILED);
    }
    let printed = match standard_streams::is_output_closed() {
        true => Err(io::Error::other("standard output is closed")),
        false => error.print().and_then(|()| io::stdout().flush()),
    };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            console.tell(&cannot_print(&error).to_string());
            ExitCode::from(FAILED)
        }
        _ => Outcome::Complete.into(),
    }
}

/// What the user of an invalid command line probably meant.
fn advice(arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let mut names = arguments
        .filter(|argument| !argument.as_encoded_bytes().starts_with(b"-"))
        .map(|argument| argument.to_str().map(str::to_owned));
    let commands = Args::command();
    let first = names.next()?.unwrap_or_default();
    if commands.find_subcommand(&first).is_some() {
        return Some(format!(
            "the store's file comes before the command: simd-r-drive STORE {first}"
        ));
    }
    let second = names.next()?.unwrap_or_default();
    if commands.find_subcommand(&second).is_some() {
        return None;
    }
    let (name, advice) = match (known_elsewhere(&second), known_elsewhere(&first)) {
        (Some(advice), _) => (second, advice),
        // The store is missing, too.
        (None, Some(advice)) if !Path::new(&first).exists() => (first, advice),
        (None, _) => return None,
    };
    Some(format!("there is no command `{name}`; {advice}"))
}

fn known_elsewhere(name: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(names, _)| names.contains(&name)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_is_taken_for_one_of_another_program() {
        for (names, _) in ELSEWHERE {
            for name in names {
                assert!(Args::command().find_subcommand(name).is_none(), "{name}");
            }
        }
    }

    #[test]
    fn advice_names_commands_that_exist() {
        let quoted = |text: &'static str| text.split('`').skip(1).step_by(2);
        for name in ELSEWHERE.iter().flat_map(|(_, advice)| quoted(advice)) {
            assert!(Args::command().find_subcommand(name).is_some(), "{name}");
        }
    }
}
