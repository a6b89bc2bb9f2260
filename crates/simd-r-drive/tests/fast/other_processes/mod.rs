//! Other processes, forks, and limits of a process.

mod address_space;
mod file_size_limit;
mod forks;
mod mounts;
mod one_writer;
mod standard_streams;
