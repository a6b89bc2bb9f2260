//! Which standard streams were closed when the program was started.
//!
//! Rust's runtime opens `/dev/null` in place of each that is, before `main`: no file gets its number, but
//! what is printed is lost without an error, and what is read is empty. So they are looked at before that.
//! On other systems than Linux none counts as closed.

#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "only a function that runs before `main` can see what was closed"
    )
)]

use std::sync::atomic::{AtomicBool, Ordering};

static IS_INPUT_CLOSED: AtomicBool = AtomicBool::new(false);
static IS_OUTPUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether there is no standard input.
pub(crate) fn is_input_closed() -> bool {
    IS_INPUT_CLOSED.load(Ordering::Relaxed)
}

/// Whether there is no standard output.
pub(crate) fn is_output_closed() -> bool {
    IS_OUTPUT_CLOSED.load(Ordering::Relaxed)
}

// SAFETY: `.init_array` holds addresses of functions that the C runtime calls once each, before `main`, with
// the C calling convention; this one ignores the arguments that some runtimes pass. It uses nothing that
// would have to be initialised first: it makes two system calls and stores to two atomics.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

#[cfg(target_os = "linux")]
extern "C" fn note() {
    IS_INPUT_CLOSED.store(is_closed(0), Ordering::Relaxed);
    IS_OUTPUT_CLOSED.store(is_closed(1), Ordering::Relaxed);
}

#[cfg(target_os = "linux")]
fn is_closed(descriptor: std::os::fd::RawFd) -> bool {
    // SAFETY: it is not -1, and is borrowed for one system call only, which asks for the descriptor's flags
    // and changes nothing. No other thread runs yet that could close it meanwhile. If it is closed already,
    // nothing else can be meant by the number, and the kernel answers EBADF, which is the question.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    rustix::io::fcntl_getfd(borrowed) == Err(rustix::io::Errno::BADF)
}
