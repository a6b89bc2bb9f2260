//! What the tests of simd-r-drive are made of: file systems that fail and that record, the states a crash
//! can leave behind, a generator of operations, and a model that says what a store must hold. Not published.
//!
//! | question | module |
//! |---|---|
//! | What if the Nth call to the system fails? | [`FaultyFileSystem`], told by [`Faults`] |
//! | What did the store do to its file, in which order? | [`RecordingFileSystem`], kept in a [`Journal`] |
//! | What may a file look like after a crash? | [`Disk`], built from the journal |
//! | Which file may then have the store's name? | [`Directory`] |
//! | What may a crash at each moment of a history leave? | [`Moment`] |
//! | What shall be done to a store? | [`Operation`] and its strategies |
//! | What must the store hold then? | [`Model`] |
//! | Does it? | [`assert_same`], [`Session`], [`check_image`] |
//!
//! The tests take about a minute. `SIMD_R_DRIVE_TEST_EFFORT=20` makes them look at about 20 times as many
//! histories and crash states; see [`effort`].

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
