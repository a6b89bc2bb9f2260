//! What an open store keeps for its compactions and checkpoints. They use the store; it does not use
//! them.

mod backpressure;
mod checkpoints;
mod lock;

pub(crate) use self::backpressure::Backpressure;
pub(crate) use self::checkpoints::Checkpoints;
pub(crate) use self::lock::Maintenance;
