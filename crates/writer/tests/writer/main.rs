//! The append path and the real file system, seen from outside.

mod appending;
mod encoding;
mod files;
mod golden;
mod support;
