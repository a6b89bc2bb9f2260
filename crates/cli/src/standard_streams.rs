//! Which standard streams were closed when the program started.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in place of each closed stream. So no other file
//! can get its number, but output is lost without an error, and input is empty. The streams are
//! therefore checked before that. On systems other than Linux, none counts as closed.

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

/// Whether standard input was closed from the start.
pub(crate) fn is_input_closed() -> bool {
    IS_INPUT_CLOSED.load(Ordering::Relaxed)
}

/// Whether standard output was closed from the start.
pub(crate) fn is_output_closed() -> bool {
    IS_OUTPUT_CLOSED.load(Ordering::Relaxed)
}

// SAFETY: `.init_array` holds addresses of functions that the C runtime calls once each, before
// `main`, with the C calling convention. This function ignores the arguments that some runtimes
// pass. It needs nothing that must be initialised first: it makes two system calls and stores to
// two atomics.
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
    // SAFETY: the descriptor is not -1. It is borrowed for one system call only, which reads its
    // flags and changes nothing. No other thread that could close it runs yet. If it is closed, the
    // number refers to nothing, and the kernel answers EBADF, which is what this function asks.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    rustix::io::fcntl_getfd(borrowed) == Err(rustix::io::Errno::BADF)
}
