//! Step 1 of opening: identity.

use std::io;

use simd_r_drive_entry_handle::constants::{MIN_HEADER_LEN, PAGE_SIZE};
use simd_r_drive_entry_handle::{
    Alignment, Checkpoint, Damage, FORMAT_MAJOR, Foreign, FormatError, Identity, MAGIC,
    is_older_format, looks_headless,
};
use simd_r_drive_writer::{StoreFile, read_exact_at, read_full_at};

/// The contents of the header.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) identity: Identity,
    /// Whether page 0 itself was readable, not only a copy.
    pub(crate) is_identity_sound: bool,
    /// The readable checkpoints, newest first.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// What a file is.
#[derive(Debug)]
pub(crate) enum Found {
    Store(Box<Header>),
    /// Empty, or only the zeros of an unfinished creation.
    Nothing,
}

/// Reads the header of a file of `len` bytes.
///
/// # Errors
/// An error that says what the file is instead of a store.
pub(crate) fn identify(file: &dyn StoreFile, len: u64) -> io::Result<Found> {
    let mut header = vec![0; MIN_HEADER_LEN as usize];
    let read = read_full_at(file, &mut header, 0)?;
    header.truncate(read);
    let page = |number: usize| header.get(number * PAGE_SIZE..).unwrap_or_default();

    let mut identity = Identity::decode(page(0))?;
    let is_identity_sound = identity.is_some();
    for copy in [1, 2] {
        if identity.is_none() {
            identity = Identity::decode(page(copy))?;
        }
    }
    let Some(identity) = identity else {
        return no_identity(file, len, &header);
    };
    let header_len = identity.alignment.header_len();
    // Checked again: the file may have been created since its length was read.
    if len < header_len && file.len()? < header_len {
        return Err(FormatError::truncated(len, header_len).into());
    }
    let checkpoints = checkpoints_in(&header, &identity);
    Ok(Found::Store(Box::new(Header { identity, is_identity_sound, checkpoints })))
}

/// Reads the checkpoints of a file with a known identity, newest first.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn read_checkpoints(
    file: &dyn StoreFile,
    identity: &Identity,
) -> io::Result<Vec<Checkpoint>> {
    let mut header = vec![0; MIN_HEADER_LEN as usize];
    read_exact_at(file, &mut header, 0)?;
    Ok(checkpoints_in(&header, identity))
}

/// The readable checkpoints, newest first.
fn checkpoints_in(header: &[u8], identity: &Identity) -> Vec<Checkpoint> {
    let page = |number: usize| header.get(number * PAGE_SIZE..).unwrap_or_default();
    let decode = |number| Checkpoint::decode(page(number), identity);
    let mut checkpoints: Vec<_> = [1, 2].into_iter().filter_map(decode).collect();
    checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.sequence));
    checkpoints
}

fn no_identity(file: &dyn StoreFile, len: u64, header: &[u8]) -> io::Result<Found> {
    if let Some((major, minor)) = Identity::claimed_version(header) {
        return Err(match major {
            FORMAT_MAJOR => FormatError::damaged(0, Damage::Identity),
            _ => FormatError::newer_version(major, minor),
        }
        .into());
    }
    if is_unfinished_creation(file, len, header)? {
        return Ok(Found::Nothing);
    }
    let copy_survives = [1, 2].into_iter().any(|number| {
        header
            .get(number * PAGE_SIZE..)
            .is_some_and(|page| Identity::claimed_version(page).is_some())
    });
    if copy_survives {
        return Err(FormatError::damaged(0, Damage::Identity).into());
    }
    let mut medium_error = None;
    let mut read = |offset, len| {
        let mut bytes = vec![0; len];
        match read_exact_at(file, &mut bytes, offset) {
            Ok(()) => Some(bytes),
            Err(error) => {
                medium_error = Some(error);
                None
            }
        }
    };
    let is_older = is_older_format(len, &mut read);
    let is_headless = !is_older && looks_headless(len, &mut read);
    if is_older {
        return Err(FormatError::older_format().into());
    }
    if let Some(error) = medium_error
        && error.kind() != io::ErrorKind::UnexpectedEof
    {
        return Err(error);
    }
    let guess = match Foreign::guess(header) {
        Foreign::Unknown if is_headless => Foreign::Headless,
        guess => guess,
    };
    Err(FormatError::not_a_store(guess).into())
}

/// Creating a store in place extends the file to the header's length before the first page is
/// written, and writes page 0 last. Until then, the file is zero except for the copies in pages 1
/// and 2, as far as they exist. A whole copy has been recognised before this. Part of one with
/// nothing behind it is what a crash left of the first write.
fn is_unfinished_creation(file: &dyn StoreFile, len: u64, header: &[u8]) -> io::Result<bool> {
    const MAX_HEADER_LEN: u64 = 1 << Alignment::MAX_LOG2;
    if len > MAX_HEADER_LEN || !is_part_of_creation(header) {
        return Ok(false);
    }
    let mut rest = vec![0; (len as usize).saturating_sub(header.len())];
    let read = read_full_at(file, &mut rest, header.len() as u64)?;
    Ok(rest[..read].iter().all(|byte| *byte == 0))
}

fn is_part_of_creation(header: &[u8]) -> bool {
    let is_zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    header.chunks(PAGE_SIZE).enumerate().all(|(number, page)| {
        let (start, rest) = page.split_at(page.len().min(MAGIC.len()));
        is_zeros(page)
            || number == 1
                && match start.iter().zip(MAGIC).position(|(byte, magic)| *byte != magic) {
                    // Cut within the magic.
                    Some(cut) => cut > 0 && is_zeros(&start[cut..]) && is_zeros(rest),
                    None => true,
                }
    })
}

/// The error for a file of `len` bytes that has no contents where a store is expected.
pub(crate) fn nothing_in_it(len: u64) -> io::Error {
    FormatError::not_a_store(if len == 0 { Foreign::Empty } else { Foreign::Zeros }).into()
}
