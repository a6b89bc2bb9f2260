//! What a file that is not a store may be.

use std::fmt;

/// What a file that is not a store seems to be, so that an error can say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// An empty file.
    Empty,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Plain text.
    Text,
    /// A PNG image.
    Png,
    /// A JPEG image.
    Jpeg,
    /// A PDF document.
    Pdf,
    /// An ELF executable or library.
    Elf,
    /// An SQLite database.
    Sqlite,
    /// A zip archive (also jar, docx, …).
    Zip,
    /// Gzip-compressed data.
    Gzip,
    /// A Zstandard frame.
    Zstd,
    /// An HDF5 file.
    Hdf5,
    /// A NumPy array file.
    Npy,
    /// A Parquet file.
    Parquet,
    /// Nothing but zero bytes.
    Zeros,
    /// Nothing but 0xFF bytes, like erased flash memory.
    Ones,
    /// What looks like slots of a store without their header. Without it, their seals cannot be
    /// checked.
    Headless,
    /// Something else.
    Unknown,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the file is empty",
            Self::Directory => "it is a directory",
            Self::Fifo => "it is a named pipe",
            Self::Socket => "it is a socket",
            Self::Device => "it is a device",
            Self::Text => "it looks like text",
            Self::Png => "it looks like a PNG image",
            Self::Jpeg => "it looks like a JPEG image",
            Self::Pdf => "it looks like a PDF document",
            Self::Elf => "it looks like an ELF binary",
            Self::Sqlite => "it looks like an SQLite database",
            Self::Zip => "it looks like a zip archive",
            Self::Gzip => "it looks like gzip data",
            Self::Zstd => "it looks like Zstandard data",
            Self::Hdf5 => "it looks like an HDF5 file",
            Self::Npy => "it looks like a NumPy array",
            Self::Parquet => "it looks like a Parquet file",
            Self::Zeros => "it holds nothing but zeros",
            Self::Ones => "it holds nothing but 0xFF bytes",
            Self::Headless => {
                "it looks like entries of a store whose header is missing; restore the whole file"
            }
            Self::Unknown => "it does not start with a store's identity",
        })
    }
}
