//! The parts that tests of simd-r-drive share: file systems that fail on demand and that record
//! changes, the states that a crash can leave behind, a generator of operations, and a model of
//! what a store must hold. Not published.
//!
//! | question | module |
//! |---|---|
//! | What if the Nth system call fails? | [`FaultyFileSystem`], controlled by [`Faults`] |
//! | What did the store change, and in which order? | [`RecordingFileSystem`], [`Journal`] |
//! | What may a crash leave of a file? | [`Disk`], built from the journal |
//! | Which file may have the store's name then? | [`Directory`] |
//! | What may a crash leave at each moment of a history? | [`Moment`] |
//! | What can be done to a store? | [`Operation`] and its strategies |
//! | What must the store hold then? | [`Model`] |
//! | Does it? | [`assert_same`], [`Session`], [`check_image`] |
//!
//! The tests take about a minute. `SIMD_R_DRIVE_TEST_EFFORT=20` makes them try about 20 times as
//! many histories and crash states; see [`effort`].

mod case;
mod colliding;
mod compare;
mod directory;
mod disk;
mod effort;
mod faults;
mod faulty;
mod image_check;
mod journal;
mod model;
mod moment;
mod operation;
mod perform;
mod recorded;
mod recording;
mod rng;
mod session;

pub use case::{HashId, KeyId, Value, hash, hash_count, key, key_count};
pub use colliding::colliding_keys;
pub use compare::{assert_reads_same, assert_same, assert_same_about, contents};
pub use directory::Directory;
pub use disk::{Disk, Loss, SECTOR_LEN};
pub use effort::{cases, effort};
pub use faults::{CallKind, Errno, Fault, Faults, Rule};
pub use faulty::{FaultyFile, FaultyFileSystem};
pub use image_check::{Checked, check_image};
pub use journal::{Change, FileId, Journal};
pub use model::{Content, Line, Model, Refused};
pub use moment::Moment;
pub use operation::{
    Operation, crash_operation, histories, operation, small_value, value, with_kills,
};
pub use perform::perform;
pub use recorded::{Recorded, Step};
pub use recording::{RecordingFile, RecordingFileSystem};
pub use rng::Rng;
pub use session::Session;
