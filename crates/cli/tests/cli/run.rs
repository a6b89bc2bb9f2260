//! Running the command in a directory of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory to run the command in. The store in it is `store.srd`.
pub(crate) struct Bench {
    directory: TempDir,
    #[cfg(unix)]
    tools: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            #[cfg(unix)]
            tools: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// Writes a file, and creates its directories.
    pub(crate) fn file(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.directory.path().join(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_simd-r-drive"));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Runs `simd-r-drive store.srd ARGUMENTS`.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Finished {
        self.run_on("store.srd", arguments)
    }

    /// Like `run`, on another store.
    pub(crate) fn run_on<S: AsRef<OsStr>>(
        &self,
        store: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Finished {
        Finished(self.command().arg(store).args(arguments).output().unwrap())
    }

    /// Like `run`, as a user to whom permissions apply.
    #[cfg(unix)]
    pub(crate) fn run_unprivileged<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Finished {
        use std::os::unix::process::CommandExt as _;
        let mut command = self.command();
        if rustix::process::getuid().is_root() {
            // That user needs a copy that it can reach, and a directory that it may write to.
            let binary = self.tools.path().join("simd-r-drive");
            // Another process makes the copy. If this one wrote it, a child forked meanwhile could
            // hold it open, and then it could not be run.
            let original = env!("CARGO_BIN_EXE_simd-r-drive");
            assert!(Command::new("cp").arg(original).arg(&binary).status().unwrap().success());
            for path in [self.tools.path(), self.directory.path(), &binary] {
                fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
            }
            command = Command::new(binary);
            command.current_dir(self.directory.path()).stdin(Stdio::null());
            command.uid(65534).gid(65534);
        }
        Finished(command.arg("store.srd").args(arguments).output().unwrap())
    }

    #[cfg(unix)]
    pub(crate) fn set_mode(&self, relative: &str, mode: u32) {
        fs::set_permissions(self.path(relative), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Runs a shell script in which `$S` is the command.
    #[cfg(unix)]
    pub(crate) fn shell(&self, script: &str) -> Finished {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).env("S", env!("CARGO_BIN_EXE_simd-r-drive"));
        Finished(command.current_dir(self.directory.path()).output().unwrap())
    }

    /// Like `run`, with bytes on standard input.
    pub(crate) fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Finished {
        let mut child = self
            .command()
            .arg("store.srd")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Finished(child.wait_with_output().unwrap())
    }
}

/// A run that has ended.
pub(crate) struct Finished(pub(crate) Output);

impl Finished {
    /// Checks the exit status.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(status), "stderr: {}", self.stderr());
        self
    }

    /// Checks that everything was done, and that nothing was printed on standard error.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        let finished = self.exits(0);
        assert_eq!(finished.stderr(), "");
        finished
    }

    /// Checks that standard error contains `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr().contains(text), "{text:?} is not in {:?}", self.stderr());
        self
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.stdout().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0.stdout).unwrap()
    }
}

/// All regular files below a directory: their paths relative to it, and their contents.
pub(crate) fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let content = fs::read(&path).unwrap();
                files.push((path.strip_prefix(root).unwrap().to_owned(), content));
            }
        }
    }
    files.sort();
    files
}
