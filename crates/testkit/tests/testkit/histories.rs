//! After any history of calls, closes and kills, a store holds exactly what the documentation of
//! the traits says.

use proptest::prelude::*;
use simd_r_drive_testkit::{Session, cases, histories, operation, with_kills};

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn every_answer_is_the_models_after_every_step(
        operations in histories(with_kills(operation()), 40),
        log2 in prop_oneof![4 => Just(6_u32), 1 => 6_u32..=16],
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut session = Session::new(&directory.path().join("store.srd"), 1 << log2);
        for operation in &operations {
            session.step(operation).unwrap();
            session.check().unwrap();
        }
    }
}
