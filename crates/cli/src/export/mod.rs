//! Writing values to files: `safe_path` decides where a key may go, `destination` writes it there
//! and nowhere else.

mod destination;
mod safe_path;
mod write_file;

pub(crate) use self::destination::{Destination, Refusal};
pub(crate) use self::safe_path::relative_path;
pub(crate) use self::write_file::write_file;
