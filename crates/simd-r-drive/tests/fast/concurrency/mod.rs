//! Readers beside a writer of the same process.

mod adoption;
mod closing_writer;
mod followers;
