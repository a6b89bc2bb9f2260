//! A log in memory, a store that writes to it as the format requires, and a naive model to compare
//! with.

// The unit tests and the fuzz target, which compile it as well, use a part of this.
#![allow(dead_code, unreachable_pub)]

pub mod history;
pub mod log;
pub mod naive;
pub mod store;
pub mod strategies;
