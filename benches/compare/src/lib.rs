//! Compares this store with others, and with what the machine can do at best. `README.md` says how.

pub mod args;
pub mod data;
pub mod findings;
pub mod machine;
pub mod measure;
pub mod process;
pub mod report;
pub mod results;
pub mod rows;
pub mod run;
pub mod scale;
pub mod scenarios;
pub mod stats;
pub mod steps;
pub mod store;
pub mod stores;
