//! The only code that grows the log: commits, roll-back, poisoning.

use std::io::{self, Read};
use std::sync::Arc;

use simd_r_drive_entry_handle::constants::{BLOCK_SIZE, MAX_FILE_LEN};
use simd_r_drive_entry_handle::{Barrier, Flags, FormatError, Kind, Layout, Seal, Trailer};

use crate::clock::now_10ms;
use crate::encoder::Encoder;
use crate::entry::NewEntry;
use crate::error::{PoisonCause, WriteError};
use crate::file::{StoreFile, write_all_at};

/// Minimum space allocated ahead of the tail, in bytes.
const MIN_ALLOCATION: u64 = 256 << 10;

/// Maximum space allocated ahead of the tail, in bytes.
const MAX_ALLOCATION: u64 = 64 << 20;

/// Appends commits to the log of one file.
///
/// A commit is atomic. If a step fails, the file and the tail are restored. If that fails too, the
/// appender is *poisoned* and refuses all writes. It keeps no buffer between calls.
///
/// The caller holds the writer's lock and makes commits visible; see the `simd-r-drive` crate.
///
/// ```
/// use std::sync::Arc;
/// use simd_r_drive_entry_handle::{Alignment, Identity, IdentitySeeds, Kind, Seal};
/// use simd_r_drive_writer::{Appender, NewEntry, OsFile, StoreFile};
///
/// let file: Arc<dyn StoreFile> = Arc::new(OsFile::new(tempfile::tempfile()?));
/// let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
/// let identity = Identity::new(seeds, Alignment::DEFAULT, 0, 0);
/// let layout = identity.layout();
/// let mut log = Appender::new(file, layout, layout.header_len(), Seal(identity.checksum()))?;
/// let entry = NewEntry {
///     kind: Kind::Value,
///     key: b"key",
///     is_bare: false,
///     payload: b"value",
///     previous_end: 0,
///     replaces_live: false,
///     is_new_hash: true,
///     written_at: None,
/// };
/// assert_eq!(log.append(&[entry])?, layout.header_len() + 64);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Appender {
    file: Arc<dyn StoreFile>,
    layout: Layout,
    tail: u64,
    tail_seal: Seal,
    /// Length of the file in bytes. Everything between the tail and here is zeros.
    allocated: u64,
    can_allocate: bool,
    /// Bytes beyond the tail may hold an abandoned commit.
    is_dirty: bool,
    poison: Option<PoisonCause>,
    clock: fn() -> u64,
}

impl Appender {
    /// Creates an appender that continues at `tail`, the end of a slot with the seal `tail_seal`.
    /// In an empty log, this is the end of the header and the identity's checksum. The file must
    /// hold only zeros beyond.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn new(
        file: Arc<dyn StoreFile>,
        layout: Layout,
        tail: u64,
        tail_seal: Seal,
    ) -> io::Result<Self> {
        let allocated = file.len()?.max(tail);
        Ok(Self {
            file,
            layout,
            tail,
            tail_seal,
            allocated,
            can_allocate: true,
            is_dirty: false,
            poison: None,
            clock: now_10ms,
        })
    }

    /// Takes the time stored in slots from `clock`, in units of 10 ms since 1970-01-01 UTC, instead
    /// of from the system. For logs that must be reproducible.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> u64) -> Self {
        self.clock = clock;
        self
    }

    /// End of the last commit in bytes.
    #[inline]
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// Seal of the slot that ends at the tail.
    pub fn tail_seal(&self) -> Seal {
        self.tail_seal
    }

    /// Length of the file in bytes; beyond the tail, space allocated ahead.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// Refuses all further writes.
    pub fn poison(&mut self, cause: PoisonCause) {
        self.poison.get_or_insert(cause);
    }

    /// Checks that writes are accepted.
    ///
    /// # Errors
    /// [`WriteError::Poisoned`].
    #[inline]
    pub fn check(&self) -> Result<(), WriteError> {
        match self.poison {
            Some(cause) => Err(WriteError::Poisoned { cause }),
            None => Ok(()),
        }
    }

    /// Length of the slot that `entry` will take, in bytes.
    ///
    /// # Errors
    /// [`FormatError::KeyTooLong`], [`FormatError::StoreFull`].
    #[inline]
    pub fn slot_len(&self, entry: &NewEntry<'_>) -> Result<u64, FormatError> {
        self.layout.slot_len(entry.payload.len(), entry.key.len())
    }

    /// The tail after `len` more bytes.
    ///
    /// # Errors
    /// [`FormatError::StoreFull`].
    pub fn tail_after(&self, len: u64) -> Result<u64, FormatError> {
        match self.tail.checked_add(len) {
            Some(end) if end <= MAX_FILE_LEN - BLOCK_SIZE => Ok(end),
            _ => Err(FormatError::StoreFull { max: MAX_FILE_LEN }),
        }
    }

    /// Appends `entries` as one commit and returns the new tail. The slots follow each other
    /// without gaps, in the order given, so their ends can be computed with [`Appender::slot_len`].
    /// Does nothing if `entries` is empty.
    ///
    /// Costs about one positional write per MiB, and one for each payload of 128 KiB or more, which
    /// is not copied.
    ///
    /// # Errors
    /// [`WriteError::Poisoned`], [`FormatError::KeyTooLong`] or [`FormatError::StoreFull`], before
    /// the first byte is written; any I/O error of the file. If writing fails, either the tail is
    /// unchanged and the next commit works, or the appender is poisoned.
    pub fn append(&mut self, entries: &[NewEntry<'_>]) -> io::Result<u64> {
        let mut len = 0_u64;
        for entry in entries {
            len = len.saturating_add(self.slot_len(entry)?);
        }
        let Some(last) = entries.len().checked_sub(1) else { return Ok(self.tail) };
        let written_at = (self.clock)();
        self.commit(len, |encoder, layout| {
            for (at, entry) in entries.iter().enumerate() {
                encode_entry(encoder, layout, entry, at == last, written_at)?;
            }
            Ok(())
        })
    }

    /// Appends the entries `before`, which have no payload, and then `entry`, as one commit. The
    /// payload of `entry`, of `payload_len` bytes, is read from `reader`; its own `payload` field
    /// is ignored. If its CRC-32 is known, the payload must match it.
    ///
    /// The caller holds the writer's lock during the call, so the reader should not block.
    ///
    /// # Errors
    /// As [`Appender::append`]; any error of the reader; `UnexpectedEof` if the reader ends early;
    /// `InvalidData` if the payload does not match its CRC-32.
    pub fn append_from(
        &mut self,
        before: &[NewEntry<'_>],
        entry: &NewEntry<'_>,
        reader: &mut dyn Read,
        payload_len: u64,
        payload_crc: Option<u32>,
    ) -> io::Result<u64> {
        let written_at = (self.clock)();
        let trailer = |crc| match payload_crc {
            Some(expected) if expected != crc => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the bytes of a stream have changed before they were stored",
            )),
            _ => Ok(Trailer { payload_len, ..entry.trailer(crc, true, written_at) }),
        };
        let slot_len = payload_len
            .try_into()
            .map_err(|_| FormatError::StoreFull { max: MAX_FILE_LEN })
            .and_then(|len| self.layout.slot_len(len, entry.key.len()))?;
        let mut len = slot_len;
        for entry in before {
            len = len.saturating_add(self.slot_len(entry)?);
        }
        self.commit(len, |encoder, layout| {
            for entry in before {
                encode_entry(encoder, layout, entry, false, written_at)?;
            }
            encoder.push_from(entry.key, reader, payload_len, slot_len, trailer)
        })
    }

    /// Appends a barrier, as a commit of its own, and returns the new tail.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn append_barrier(&mut self, barrier: &Barrier) -> io::Result<u64> {
        let payload = barrier.encode();
        let len = self.layout.slot_len(payload.len(), 0)?;
        let written_at = (self.clock)();
        self.commit(len, |encoder, _| {
            encoder.push(&[], &payload, len, |payload_crc| Trailer {
                payload_len: payload.len() as u64,
                key_len: 0,
                previous_end: 0,
                kind: Kind::Barrier,
                flags: Flags::COMMIT,
                written_at,
                payload_crc,
            })
        })
    }

    /// Appends a slot for an index of `payload_len` bytes, as a commit of its own, and returns the
    /// new tail. The payload is left as zeros, to be filled later. `previous_end` is where the
    /// previous index slot ends, or 0.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub fn append_index(&mut self, payload_len: u64, previous_end: u64) -> io::Result<u64> {
        let len = usize::try_from(payload_len)
            .map_err(|_| FormatError::StoreFull { max: MAX_FILE_LEN })
            .and_then(|len| self.layout.slot_len(len, 0))?;
        let written_at = (self.clock)();
        self.commit(len, |encoder, _| {
            encoder.push_unwritten(
                len,
                Trailer {
                    payload_len,
                    key_len: 0,
                    previous_end,
                    kind: Kind::Index,
                    flags: Flags::COMMIT.with(Flags::OPAQUE),
                    written_at,
                    payload_crc: 0,
                },
            )
        })
    }

    /// Gives back the space allocated ahead, so that the file ends at the tail. Called on closing.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn trim(&mut self) -> io::Result<()> {
        self.check()?;
        if self.allocated > self.tail {
            self.file.set_len(self.tail)?;
            self.allocated = self.tail;
        }
        Ok(())
    }

    /// Must be called after other code has truncated the file at the tail.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn trimmed(&mut self) -> io::Result<()> {
        self.allocated = self.file.len()?.max(self.tail);
        Ok(())
    }

    fn commit(
        &mut self,
        len: u64,
        encode: impl FnOnce(&mut Encoder<'_>, &Layout) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.check()?;
        if self.is_dirty {
            // A panic interrupted a commit.
            self.roll_back()?;
        }
        let end = self.tail_after(len)?;
        self.allocate(end)?;
        self.is_dirty = true;
        let mut encoder = Encoder::new(&*self.file, &self.layout, self.tail, self.tail_seal, len);
        let result = encode(&mut encoder, &self.layout).and_then(|()| encoder.finish());
        match result {
            Ok(seal) => {
                self.tail = end;
                self.tail_seal = seal;
                self.allocated = self.allocated.max(end);
                self.is_dirty = false;
                Ok(end)
            }
            Err(error) => {
                // Report the error of the write. If undoing failed as well, the next write reports
                // that.
                let _ = self.roll_back();
                Err(error)
            }
        }
    }

    /// Removes what an abandoned commit wrote beyond the tail. If its slots stayed, they could be
    /// taken for a commit after a crash.
    fn roll_back(&mut self) -> io::Result<()> {
        if self.file.set_len(self.tail).is_ok() {
            self.allocated = self.tail;
            self.is_dirty = false;
            return Ok(());
        }
        // Windows cannot shrink a mapped file, and any file system may refuse to: write zeros
        // instead.
        let result = self.zero_beyond_tail();
        match &result {
            Ok(()) => self.is_dirty = false,
            Err(_) => self.poison(PoisonCause::RollbackFailed),
        }
        result
    }

    fn zero_beyond_tail(&mut self) -> io::Result<()> {
        let zeros = [0; 64 << 10];
        let end = self.file.len()?;
        let mut at = self.tail;
        while at < end {
            let len = usize::try_from(end - at).map_or(zeros.len(), |left| left.min(zeros.len()));
            write_all_at(&*self.file, &zeros[..len], at)?;
            at += len as u64;
        }
        self.allocated = end.max(self.tail);
        Ok(())
    }

    /// Allocates space up to `end` and some ahead of it. Writing into allocated space is faster,
    /// and the file rarely has to grow.
    ///
    /// # Errors
    /// Any error of the file if the process may not make it that long. Nothing has been written
    /// then.
    fn allocate(&mut self, end: u64) -> io::Result<()> {
        if end <= self.allocated || !self.can_allocate {
            return Ok(());
        }
        let ahead = (end / 4).clamp(MIN_ALLOCATION, MAX_ALLOCATION);
        // Allocation ahead must not exceed the file size limit, whose signal would kill the
        // process.
        let most = self.file.max_len()?.min(MAX_FILE_LEN).max(end);
        let wish = end.saturating_add(ahead).min(most);
        let start = self.allocated;
        match self.file.allocate(start, wish - start) {
            Ok(()) => self.allocated = wish,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.can_allocate = false,
            // Out of space, or over a limit. The write itself will show whether there is room for
            // what it needs. A failed attempt may have extended the file with zeros.
            Err(_) => self.allocated = self.file.len()?.max(self.tail),
        }
        Ok(())
    }
}

fn encode_entry(
    encoder: &mut Encoder<'_>,
    layout: &Layout,
    entry: &NewEntry<'_>,
    is_commit: bool,
    written_at: u64,
) -> io::Result<()> {
    let slot_len = layout.slot_len(entry.payload.len(), entry.key.len())?;
    encoder
        .push(entry.key, entry.payload, slot_len, |crc| entry.trailer(crc, is_commit, written_at))
}
