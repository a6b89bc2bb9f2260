//! Small helpers for programs that use a store.

mod align_or_copy;
mod namespace;
mod path;
mod sizes;

pub use align_or_copy::align_or_copy;
pub use namespace::NamespaceHasher;
pub use path::{append_extension, verify_file_existence};
pub use sizes::{format_bytes, parse_buffer_size};
