//! The process dies or power is lost, at any moment.

mod backups;
mod checkpoints;
mod compaction;
mod creation;
mod kills;
mod large_commits;
mod power_loss;
