//! Writing: commits, and the one writer that appends them.

mod after_commit;
mod api;
mod commit_builder;
mod conditional;
mod sized_stream;
mod spool;
mod writer;

pub(crate) use self::commit_builder::{CommitBuilder, superseded_in_batch};
pub(crate) use self::conditional::is_same_version;
pub(crate) use self::sized_stream::refuse_reader_of;
pub use self::spool::WRITE_STREAM_BUFFER_SIZE;
pub(crate) use self::spool::{MEMORY_LEN, Spool};
pub(crate) use self::writer::Writer;
