//! What can be written, and what it costs.

mod equal_hashes;
mod new_hashes;
mod shared_flushes;
mod streams;
mod values;
