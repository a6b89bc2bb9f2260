//! Sizes and limits that the format fixes.

/// log2 of the default payload alignment.
pub const PAYLOAD_ALIGN_LOG2: u8 = 6;

/// Default payload alignment in bytes: one cache line, which suffices for every SIMD load in use
/// today.
///
/// A store may be created with a larger one; see [`Alignment`](crate::Alignment).
pub const PAYLOAD_ALIGNMENT: u64 = 1 << PAYLOAD_ALIGN_LOG2;

/// Size of the trailer that ends every slot, in bytes.
pub const METADATA_SIZE: usize = 32;

/// One zero byte. It is an ordinary value: the trailer marks a deletion, not the payload.
pub const NULL_BYTE: [u8; 1] = [0];

/// Unit of all offsets stored in the file, in bytes.
pub const BLOCK_SIZE: u64 = 64;

/// Longest key in bytes.
pub const MAX_KEY_LEN: usize = u16::MAX as usize;

/// Largest file in bytes (64 TiB): 2^40 blocks.
pub const MAX_FILE_LEN: u64 = BLOCK_SIZE << 40;

/// Longest payload in bytes: a little less than the largest file. It fits the trailer's 48 bits.
pub const MAX_PAYLOAD_LEN: u64 = MAX_FILE_LEN - (1 << 20);

/// Size of a page of the header in bytes. The header has four pages.
pub const PAGE_SIZE: usize = 4096;

/// Smallest header in bytes. A store's header is as long as this or its alignment, whichever is
/// larger.
pub const MIN_HEADER_LEN: u64 = 4 * PAGE_SIZE as u64;

/// Major version of the format that this crate reads and writes.
pub const FORMAT_MAJOR: u16 = 1;
