//! How a file becomes an open store, and which file.

mod after_the_index;
mod cost;
mod file_systems;
mod foreign_files;
mod paths;
mod recovery_cost;
mod unsaved_tail;
