//! Verification of everything that a store's file holds.
//!
//! All reads are positional, as when a store is opened: a medium error comes back as an error
//! rather than as a signal, and is never taken for damage.

mod header;
mod index;
mod log;
mod report;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use simd_r_drive_entry_handle::Damage;

use self::log::LogCheck;
pub use self::report::{DamagedPlace, VerifyProgress, VerifyReport};
use crate::log::{ReadState, Totals};
use crate::store::DataStore;

/// The callback runs after about this many bytes.
const TOLD_LEN: u64 = 1 << 20;

impl DataStore {
    /// Checks everything that the store's file holds as of now: the pages of the header, every line
    /// of the index in use, and every slot of the log, including those of older versions and
    /// deletions. Of a slot, it checks the key, the trailer, the link, the padding, and the payload
    /// against its CRC-32. Damage does not stop the check: the report names each damaged place.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::DataStoreWriter;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let store = DataStore::open(&directory.path().join("example.srd"))?;
    /// store.write(b"key", b"value")?;
    /// let report = store.verify()?;
    /// assert!(report.is_sound());
    /// assert_eq!((report.live_keys, report.payload_bytes), (1, 5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// A store too damaged to be opened for writing can be opened with
    /// [`read_only`](crate::OpenOptions::read_only) and then checked.
    ///
    /// Reads the file once and looks up each value in the index. Takes memory for each damaged
    /// place, and otherwise a few MiB.
    ///
    /// # Errors
    /// Any I/O error of the file. Damage is not an error.
    ///
    /// # Locking
    /// On a writable store, takes the writer's lock while it reads the header, at most 64 KiB.
    /// Reads and writes go on meanwhile; what they write is not checked.
    pub fn verify(&self) -> io::Result<VerifyReport> {
        self.verify_with(|_| ControlFlow::Continue(()))
    }

    /// [`DataStore::verify`] with a callback that receives the progress about once per MiB, and can
    /// cancel.
    ///
    /// # Errors
    /// As [`DataStore::verify`]; `Interrupted` if the callback breaks.
    pub fn verify_with(
        &self,
        mut progress: impl FnMut(VerifyProgress) -> ControlFlow<()>,
    ) -> io::Result<VerifyReport> {
        let (state, totals) = self.shared.current.now_with_totals();
        state.forget_checks();
        let mut check = Check::new(&state, totals, &mut progress);
        self.check_header(&mut check)?;
        let is_index_sound = self.check_index(&mut check)?;
        self.note_end_of_log(&mut check)?;
        LogCheck::new(&mut check, is_index_sound).run()?;
        check.tell(true)?;
        Ok(check.report)
    }

    /// Reports what opening found wrong at the end of the log. The slots themselves may all be
    /// sound: the end of a file can be missing, or be that of another copy of the store.
    fn note_end_of_log(&self, check: &mut Check<'_>) -> io::Result<()> {
        if check.state.damage.is_none() {
            return Ok(());
        }
        let tail = check.totals.tail;
        for extent in &self.recovery_report().damaged {
            let range = extent.clone();
            if range.start >= tail {
                check.report.damaged.push(DamagedPlace::missing(range));
            } else if range.end == tail && index::payload_of(&check.state.log, tail)?.is_some() {
                check.report.damaged.push(DamagedPlace::new(range, Damage::DurablePoint));
            }
        }
        Ok(())
    }
}

/// A check in progress.
struct Check<'a> {
    state: &'a Arc<ReadState>,
    /// The tail up to which the log is checked, and the totals it should have.
    totals: Totals,
    report: VerifyReport,
    /// Bytes of the log plus those of the index in it, which is read a second time.
    total_bytes: u64,
    done_bytes: u64,
    /// The part of `done_bytes` that was reported to the callback.
    told_bytes: u64,
    progress: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
}

impl<'a> Check<'a> {
    fn new(
        state: &'a Arc<ReadState>,
        totals: Totals,
        progress: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
    ) -> Self {
        let total_bytes = totals.tail.saturating_sub(state.layout.header_len());
        let (report, done_bytes, told_bytes) = (VerifyReport::default(), 0, 0);
        Self { state, totals, report, total_bytes, done_bytes, told_bytes, progress }
    }

    /// Adds `bytes` to the progress, and calls the callback if enough have accumulated.
    fn advance(&mut self, bytes: u64) -> io::Result<()> {
        self.done_bytes = self.done_bytes.saturating_add(bytes);
        if self.done_bytes.saturating_sub(self.told_bytes) >= TOLD_LEN {
            self.tell(false)?;
        }
        Ok(())
    }

    fn tell(&mut self, is_over: bool) -> io::Result<()> {
        self.told_bytes = self.done_bytes;
        let Self { done_bytes, total_bytes, .. } = *self;
        match (self.progress)(VerifyProgress { done_bytes, total_bytes }) {
            ControlFlow::Break(()) if !is_over => Err(io::ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }
}
