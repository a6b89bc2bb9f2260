//! Further processes of a test: its own binary, started again for one ignored test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PATH: &str = "SIMD_R_DRIVE_TEST_PATH";
const ARGUMENT: &str = "SIMD_R_DRIVE_TEST_ARGUMENT";

/// Starts this test binary again, for the ignored test `name`. What it writes to its standard error can be
/// read from the child.
pub(crate) fn spawn(name: &str, path: &Path, argument: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    order(&mut command, path, argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Gives a command that will start this binary what [`orders`] returns there.
pub(crate) fn order<'c>(command: &'c mut Command, path: &Path, argument: &str) -> &'c mut Command {
    command.env(PATH, path).env(ARGUMENT, argument)
}

/// Runs [`spawn`]'s child to its end; fails if it fails.
#[track_caller]
pub(crate) fn run(name: &str, path: &Path, argument: &str) {
    let output = spawn(name, path, argument).wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}: {complaint}", output.status);
}

/// In the child: the path and the argument it was started with. `None` when somebody runs ignored tests by
/// hand.
pub(crate) fn orders() -> Option<(PathBuf, String)> {
    let path = std::env::var_os(PATH).as_deref().map(OsStr::to_os_string)?;
    Some((path.into(), std::env::var(ARGUMENT).ok()?))
}
