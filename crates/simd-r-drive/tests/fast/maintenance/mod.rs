//! Compaction, backups, migration, verification.

mod backups;
mod compacted_length;
mod compaction;
mod incremental_backups;
mod migration;
mod verify;
