//! The append path and the real file system, through the public interface.

mod appending;
mod encoding;
mod files;
mod golden;
mod support;
