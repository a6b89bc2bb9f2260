//! What a process that died leaves.

mod durability;
mod garbage;
mod truncation;
mod zero_byte;
mod zero_seal;
