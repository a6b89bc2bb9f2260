//! One file of a store: its bytes, maps and slots, and the read state.

mod cold_reads;
mod counts;
mod current;
mod damage;
mod found_slot;
mod hints;
mod log_file;
pub(crate) mod maps;
mod position;
mod publication;
mod read_state;
mod replay;
mod resync;
mod superseded;
mod sync;
mod window_reader;

pub(crate) use self::cold_reads::{BatchClock, ColdReads};
pub(crate) use self::counts::{Counts, Delta, Totals};
pub(crate) use self::current::Current;
pub(crate) use self::damage::DamageMap;
pub(crate) use self::found_slot::{FoundSlot, chain_key};
pub(crate) use self::hints::{checkpoint_at, write_hints};
pub(crate) use self::log_file::LogFile;
pub(crate) use self::position::LogPosition;
pub(crate) use self::publication::Publication;
pub(crate) use self::read_state::ReadState;
pub(crate) use self::replay::{chain_of, rebuild, replay, slot_hash};
pub(crate) use self::resync::resync;
pub(crate) use self::superseded::{DeadSlot, Superseded};
pub(crate) use self::sync::Loaded;
pub(crate) use self::window_reader::{Direction, SPARSE_GAP, Through, Window, WindowReader};
