//! Recognising files that are not stores.

use crate::alignment::Alignment;
use crate::bytes::{array, u64_at};
use crate::constants::{METADATA_SIZE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT};
use crate::foreign::Foreign;
use crate::trailer::SealedTrailer;

impl Foreign {
    /// Guesses from the first bytes of a file. Only the text of an error depends on the guess.
    pub fn guess(head: &[u8]) -> Self {
        const MAGICS: [(&[u8], Foreign); 12] = [
            (b"\x89PNG\r\n\x1a\n", Foreign::Png),
            (b"\xff\xd8\xff", Foreign::Jpeg),
            (b"%PDF-", Foreign::Pdf),
            (b"\x7fELF", Foreign::Elf),
            (b"SQLite format 3\0", Foreign::Sqlite),
            (b"PK\x03\x04", Foreign::Zip),
            (b"PK\x05\x06", Foreign::Zip),
            (b"\x1f\x8b", Foreign::Gzip),
            (b"\x28\xb5\x2f\xfd", Foreign::Zstd),
            (b"\x89HDF\r\n\x1a\n", Foreign::Hdf5),
            (b"\x93NUMPY", Foreign::Npy),
            (b"PAR1", Foreign::Parquet),
        ];
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some((_, kind)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return *kind;
        }
        if head.iter().all(|byte| *byte == 0) {
            return Self::Zeros;
        }
        if head.iter().all(|byte| *byte == 0xff) {
            return Self::Ones;
        }
        if is_text(head) { Self::Text } else { Self::Unknown }
    }
}

/// Whether `head` is valid UTF-8, apart from a character cut off at the end, without control
/// characters other than white space.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => head
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|char| !char.is_control() || char.is_ascii_whitespace())
}

/// How many slots must follow each other for a file to be taken for a store without its header.
const HEADLESS_SLOTS_CHECKED: usize = 4;

/// Whether a file of `len` bytes ends with slots that follow each other, whatever it starts with.
/// Only their form can be checked, since the secret that seals them is in the header.
///
/// `read` returns the bytes at an offset, or `None` if it fails, which counts as "no". Reads at
/// most 1,408 bytes.
pub fn looks_headless(len: u64, mut read: impl FnMut(u64, usize) -> Option<Vec<u8>>) -> bool {
    (PAYLOAD_ALIGN_LOG2..=Alignment::MAX_LOG2).filter_map(Alignment::from_log2).any(|alignment| {
        let mut end = len;
        for slots in 0..HEADLESS_SLOTS_CHECKED {
            if end == 0 {
                // The place where the header was cut off.
                return slots > 0;
            }
            let trailer = end
                .checked_sub(METADATA_SIZE as u64)
                .and_then(|at| read(at, METADATA_SIZE))
                .and_then(|bytes| bytes.first_chunk().and_then(SealedTrailer::decode));
            let slot_len = trailer.and_then(|trailer| {
                alignment.slot_len(trailer.fields.payload_len, trailer.fields.key_len)
            });
            match slot_len.and_then(|slot_len| end.checked_sub(slot_len)) {
                Some(start) => end = start,
                None => return false,
            }
        }
        true
    })
}

/// Length of the trailer of the published 0.15 to 0.17 crates: key hash (8), previous tail (8),
/// CRC-32 (4).
const OLD_TRAILER_LEN: u64 = 20;

/// How many entries are checked at most to recognise an older store.
const OLD_ENTRIES_CHECKED: usize = 8;

/// Largest payload whose CRC is computed, in bytes, so that recognition does not take long.
const OLD_PAYLOAD_CHECKED: u64 = 1 << 20;

/// The same if no other payload of the store has been checked.
const OLD_ONLY_PAYLOAD_CHECKED: u64 = 64 << 20;

/// Whether a file of `len` bytes is a store of the published 0.15 to 0.17 crates.
///
/// Follows the chain of previous tails for up to eight entries from the end of the file, and
/// compares the CRC-32 of each payload of moderate size. All of these must match, and there must be
/// at least one, or two if the chain does not reach the start of the file. `read` returns the bytes
/// at an offset, or `None` if it fails, which counts as "no". Reads at most about 70 MiB, in pieces
/// of at most one MiB.
pub fn is_older_format(len: u64, mut read: impl FnMut(u64, usize) -> Option<Vec<u8>>) -> bool {
    let mut end = len;
    let mut matching_payloads = 0;
    for _ in 0..OLD_ENTRIES_CHECKED {
        let Some(trailer_at) = end.checked_sub(OLD_TRAILER_LEN) else { return false };
        let Some(trailer) = read(trailer_at, OLD_TRAILER_LEN as usize) else { return false };
        let (Some(previous), Some(crc)) = (u64_at(&trailer, 8), array::<4>(&trailer, 16)) else {
            return false;
        };
        let mask = PAYLOAD_ALIGNMENT.wrapping_sub(1);
        let aligned = previous.checked_add(mask).map(|sum| sum & !mask);
        // A deletion is one zero byte that follows without padding.
        let is_tombstone = previous.checked_add(1) == Some(trailer_at);
        let start = match aligned {
            _ if is_tombstone => previous,
            Some(aligned) if aligned < trailer_at => aligned,
            _ => return false,
        };
        let is_last = previous == 0;
        // A file that merely ends with zeros looks like one large entry, so its payload must be
        // checked.
        let limit = if is_last && matching_payloads == 0 {
            OLD_ONLY_PAYLOAD_CHECKED
        } else {
            OLD_PAYLOAD_CHECKED
        };
        if trailer_at.saturating_sub(start) <= limit {
            if old_crc(start, trailer_at, &mut read) != Some(crc) {
                return false;
            }
            matching_payloads = usize::saturating_add(matching_payloads, 1);
        }
        if is_last {
            // The chain ends exactly at the start of the file: no other format does that by
            // accident.
            return matching_payloads > 0;
        }
        end = previous;
    }
    matching_payloads > 1
}

/// CRC-32 of `[start, end)`, as the older format stores it.
fn old_crc(
    start: u64,
    end: u64,
    read: &mut impl FnMut(u64, usize) -> Option<Vec<u8>>,
) -> Option<[u8; 4]> {
    let mut hasher = crc32fast::Hasher::new();
    let mut at = start;
    while at < end {
        let len = end.saturating_sub(at).min(OLD_PAYLOAD_CHECKED);
        hasher.update(&read(at, usize::try_from(len).ok()?)?);
        at = at.saturating_add(len);
    }
    Some(hasher.finalize().to_le_bytes())
}

const _: () = assert!(PAYLOAD_ALIGN_LOG2 == 6, "the older format padded payloads to 64 bytes");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_files_are_named() {
        assert_eq!(Foreign::guess(b""), Foreign::Empty);
        assert_eq!(Foreign::guess(b"\x89PNG\r\n\x1a\nrest"), Foreign::Png);
        assert_eq!(Foreign::guess(b"SQLite format 3\0"), Foreign::Sqlite);
        assert_eq!(Foreign::guess("grüße\n".as_bytes()), Foreign::Text);
        assert_eq!(Foreign::guess(&"grüße".as_bytes()[..3]), Foreign::Text);
        assert_eq!(Foreign::guess(&[0; 64]), Foreign::Zeros);
        assert_eq!(Foreign::guess(&[0xff; 64]), Foreign::Ones);
        assert_eq!(Foreign::guess(&[1, 2, 0xff, 0]), Foreign::Unknown);
    }

    #[test]
    fn a_chain_of_old_entries_is_recognised() {
        let mut file = Vec::new();
        for payload in [&b"one"[..], b"two two", &[7; 200]] {
            let previous = file.len() as u64;
            file.resize(file.len().next_multiple_of(64), 0);
            file.extend(payload);
            file.extend(1_u64.to_le_bytes());
            file.extend(previous.to_le_bytes());
            file.extend(crc32fast::hash(payload).to_le_bytes());
        }
        let reader = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            move |at: u64, len: usize| bytes.get(at as usize..at as usize + len).map(<[u8]>::to_vec)
        };
        assert!(is_older_format(file.len() as u64, reader(&file)));
        file[66] ^= 1;
        assert!(!is_older_format(file.len() as u64, reader(&file)));
        assert!(!is_older_format(4096, reader(&[0; 4096])));
        assert!(!is_older_format(10, reader(&[0; 10])));
    }

    #[test]
    fn a_large_entry_alone_is_recognised_and_a_file_that_ends_with_zeros_is_not() {
        let reader = |bytes: Vec<u8>| {
            move |at: u64, len: usize| bytes.get(at as usize..at as usize + len).map(<[u8]>::to_vec)
        };
        let mut file = vec![7; 3 << 20];
        let crc = crc32fast::hash(&file);
        file.extend([1; 8]);
        file.extend([0; 8]);
        file.extend(crc.to_le_bytes());
        let len = file.len() as u64;
        assert!(is_older_format(len, reader(file.clone())));
        file[0] ^= 1;
        assert!(!is_older_format(len, reader(file)));
        assert!(!is_older_format(2 << 20, reader(vec![0; 2 << 20])));
    }
}
