//! What recovery once got wrong.

mod cuts;
mod flushes;
mod zero_bytes;
