//! The engine on file systems that fail, and on files that crashes leave.

mod crash;
mod faults;
mod histories;
mod recovery;
