//! What writers may write, and what that costs.

mod equal_hashes;
mod new_hashes;
mod shared_flushes;
mod streams;
mod values;
