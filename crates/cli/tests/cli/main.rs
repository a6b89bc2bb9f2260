//! The command as its users see it: what it prints, what it leaves on the disk, and how it exits.

#[cfg(target_os = "linux")]
mod an_import_that_stops_says_what_is_stored;
mod backs_up;
#[cfg(target_os = "linux")]
mod closed_streams_are_errors;
mod copies_and_moves;
mod export_stays_in_its_directory;
mod finds_damage;
mod import_skips_what_it_must;
#[cfg(target_os = "linux")]
mod killed_halfway_nothing_is_left;
mod lists;
mod migrates;
mod reads_and_writes;
mod refuses_clearly;
mod round_trip;
mod run;

/// Makes older stores, and is shared with the tests of the library.
#[path = "../../../simd-r-drive/tests/support/older.rs"]
mod older;
