//! System calls fail: a single one, or all from one on.

mod backups;
mod calls;
