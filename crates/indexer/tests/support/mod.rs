//! A log in memory, a store that writes to it by the rules, and naive answers to compare with.

// Every test file uses another part of this.
#![allow(dead_code, unreachable_pub)]

pub mod history;
pub mod log;
pub mod naive;
pub mod store;
