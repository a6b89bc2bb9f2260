//! File systems that several tests need.

use std::io;
use std::sync::Arc;

use simd_r_drive_writer::Access;

use crate::support::hooks::{Call, Hooked};

impl Hooked {
    /// Flushes cost nothing and do nothing: for tests that open a store 100,000 times.
    pub(crate) fn without_flushes() -> Arc<Self> {
        Self::new(|call| Ok(call != Call::Sync))
    }

    /// As for a user who may only read.
    pub(crate) fn read_only_medium() -> Arc<Self> {
        Self::new(|call| match call {
            Call::Open(Access::ReadWrite) => Err(io::ErrorKind::PermissionDenied.into()),
            Call::WriteAt(_) | Call::Sync => panic!("{call:?} on a read-only medium"),
            _ => Ok(true),
        })
    }
}
