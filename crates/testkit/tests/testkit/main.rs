//! The engine on file systems that fail, and on what crashes leave.

mod crash;
mod faults;
mod histories;
mod recovery;
