//! System calls fail, one at a time and all from one on.

mod backups;
mod calls;
