//! The index in the file.

mod answers;
mod checkpoints;
mod merges;
mod space;
