//! Keeping files away from the numbers of the standard streams.
//!
//! If a process has closed one of them, the next file that it opens gets its number, and whatever prints to the
//! stream writes into that file.

use std::io::{self, stderr, stdin, stdout};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::{fcntl_dupfd_cloexec, fcntl_getfd};

/// First number that is not a standard stream's.
const FIRST: i32 = 3;

/// Calls `open` in such a way that what it opens is not numbered like a standard stream.
pub(super) fn avoiding_standard_streams(
    open: impl FnOnce() -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    let mut fillers = Vec::new();
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    if [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()].iter().any(|fd| fcntl_getfd(fd).is_err()) {
        // What cannot be written to takes the free numbers meanwhile.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        while fillers.len() < FIRST as usize {
            let filler = rustix::fs::open("/", flags, Mode::empty())?;
            if filler.as_raw_fd() >= FIRST {
                break;
            }
            fillers.push(filler);
        }
    }
    let opened = open()?;
    if opened.as_raw_fd() >= FIRST {
        return Ok(opened);
    }
    // Closed by another thread in between.
    Ok(fcntl_dupfd_cloexec(&opened, FIRST)?)
}
