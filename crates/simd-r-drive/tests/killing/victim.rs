//! A process that is killed, and what it has printed by then.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::child::{order, this_binary};

/// In the child: tells the parent one line. What has been said is in the pipe, and outlives the
/// process.
pub(crate) fn say(line: &str) {
    // One call, so that the lines of several threads do not mix.
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Starts this test binary again, for the ignored test `test`. What it writes to its standard error
/// can be read from the child.
pub(crate) fn spawn<T>(test: T, path: &Path, argument: &str) -> Child {
    let mut command = Command::new(this_binary());
    order(&mut command, test, path, argument);
    command.spawn().unwrap()
}

/// A child that is going to be killed.
pub(crate) struct Victim {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Victim {
    /// Starts this test binary again, for the ignored test `test`; see [`spawn`].
    pub(crate) fn start<T>(test: T, path: &Path, argument: &str) -> Self {
        let mut child = spawn(test, path, argument);
        let lines = lines(child.stderr.take().unwrap());
        Self { child, lines, heard: Vec::new() }
    }

    /// Waits until the child has said a line that starts with `what`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            let is_it = line.starts_with(what);
            self.heard.push(line);
            if is_it {
                return;
            }
        }
        panic!("the child does not come to {what}; it says: {}", self.heard.join("\n"));
    }

    /// Kills the child, which must not have ended by itself, and returns all that it has said.
    #[track_caller]
    pub(crate) fn kill_after(mut self, delay: Duration) -> Vec<String> {
        let until = Instant::now() + delay;
        while Instant::now() < until {
            thread::sleep(Duration::from_micros(50));
        }
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        // What it said before it died counts.
        self.heard.extend(self.lines);
        assert_eq!(status.signal(), Some(9), "{status}: {}", self.heard.join("\n"));
        self.heard
    }
}

/// Lines of a child, as they come; a line that the kill cut off does not count.
fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut line = String::new();
        while source.read_line(&mut line).is_ok_and(|len| len > 0) && line.ends_with('\n') {
            if sender.send(std::mem::take(&mut line).trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}
