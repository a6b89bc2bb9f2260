//! Keeps files away from the descriptors of the standard streams.
//!
//! If a process has closed one of these, the next file it opens gets that number, and anything
//! printed to the stream ends up in the file.

use std::io::{self, stderr, stdin, stdout};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::{fcntl_dupfd_cloexec, fcntl_getfd};

/// The first descriptor that is not a standard stream.
const FIRST: i32 = 3;

/// Calls `open` so that the descriptor it returns is not that of a standard stream.
pub(super) fn avoiding_standard_streams(
    open: impl FnOnce() -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    let mut fillers = Vec::new();
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    if [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()].iter().any(|fd| fcntl_getfd(fd).is_err()) {
        // Meanwhile the free numbers are occupied by something that cannot be written to.
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
