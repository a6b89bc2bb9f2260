//! Other processes of a test: the test binary is started again for one ignored test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PATH: &str = "SIMD_R_DRIVE_TEST_PATH";
const ARGUMENT: &str = "SIMD_R_DRIVE_TEST_ARGUMENT";
/// A file that the child makes when it takes its orders.
const MARK: &str = "SIMD_R_DRIVE_TEST_MARK";

/// The name by which the harness knows a test function.
fn name_of<T>(_: T) -> &'static str {
    std::any::type_name::<T>().split_once("::").expect("the path of a test function").1
}

/// The binary of this test.
pub(crate) fn this_binary() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Gives a command that starts this binary the test to run there, alone, and what [`orders`]
/// returns.
pub(crate) fn order<T>(command: &mut Command, test: T, path: &Path, argument: &str) {
    let options = ["--exact", "--include-ignored", "--nocapture", "--test-threads=1"];
    command.arg(name_of(test)).args(options).env(PATH, path).env(ARGUMENT, argument);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
}

/// Runs a command with [`order`]s to its end, and returns what it has written to its standard
/// error. Fails if that fails, or takes no orders.
#[track_caller]
pub(crate) fn finish(mut command: Command) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let output = command.env(MARK, &mark).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    assert!(mark.exists(), "{command:?} has run no test that takes orders: {said}");
    said
}

/// Starts this test binary again, for the ignored test `test`, and waits as [`finish`] does.
#[track_caller]
pub(crate) fn run<T>(test: T, path: &Path, argument: &str) -> String {
    let mut command = Command::new(this_binary());
    order(&mut command, test, path, argument);
    finish(command)
}

/// In the child: the path and the argument it was started with. `None` when somebody runs ignored
/// tests by hand.
pub(crate) fn orders() -> Option<(PathBuf, String)> {
    let path = std::env::var_os(PATH)?;
    if let Some(mark) = std::env::var_os(MARK) {
        std::fs::write(mark, b"").unwrap();
    }
    Some((path.into(), std::env::var(ARGUMENT).ok()?))
}
