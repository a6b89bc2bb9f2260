//! Faults that recovery once had.

mod cuts;
mod flushes;
mod zero_bytes;
