//! The index gives the same answers as a scan of the log, at every tail that the log has had, also
//! after it has been rebuilt and after commits that failed halfway. The check is that of the
//! indexer's own tests, with histories that the fuzzer makes.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use simd_r_drive_indexer::KeyIndexer;

#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/indexer/tests/support"]
mod support {
    pub mod history;
    pub mod log;
    pub mod naive;
    pub mod store;
}

use support::history::{self, Op, Step};

/// Most steps and operations in one run, since every answer costs a scan.
const MAX_OPS: usize = 64;

impl Arbitrary<'_> for Op {
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (kind, hash, key): (u8, u8, u8) = input.arbitrary()?;
        Ok(match kind % 4 {
            0 => Self::Put(hash, key),
            1 => Self::PutBare(hash),
            2 => Self::Delete(hash, key),
            _ => Self::DeleteHash(hash),
        })
    }
}

impl Arbitrary<'_> for Step {
    fn arbitrary(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(match input.arbitrary::<u8>()? % 3 {
            0 => Self::Commit(input.arbitrary()?),
            1 => {
                let calls: u8 = input.arbitrary()?;
                Self::Fault(input.arbitrary()?, calls.into())
            }
            _ => Self::Reopen,
        })
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut left = MAX_OPS;
    let affordable = steps.into_iter().map_while(|mut step| {
        left = left.checked_sub(1)?;
        if let Step::Commit(ops) | Step::Fault(ops, _) = &mut step {
            ops.truncate(left);
            left -= ops.len();
        }
        Some(step)
    });
    history::check(&affordable.collect::<Vec<_>>(), KeyIndexer::new);
});
