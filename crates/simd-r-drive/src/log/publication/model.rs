//! A loom model of publication: one writer, one reader, every interleaving and allowed reordering.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p simd-r-drive --lib --release publication`.

use std::collections::HashMap;

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{Publication, Window};

/// A map of the model. Its bytes are in `Model`.
#[derive(Debug)]
pub(crate) struct ModelMap {
    pub(crate) reserved: u64,
}

impl Window for ModelMap {
    fn reserved(&self) -> u64 {
        self.reserved
    }

    fn reveal(&self, _: u64) {}
}

/// Slots have length 1: `bytes[end - 1]` holds key and previous end of the slot that ends at `end`.
struct Model {
    bytes: Vec<UnsafeCell<(u64, u64)>>,
    index: Mutex<HashMap<u64, u64>>,
    publication: Publication<ModelMap>,
}

// SAFETY of sharing `UnsafeCell`s: the model checks that no accesses race; loom's cells panic if
// one does.
#[expect(unsafe_code, reason = "loom checks accesses to its cells at run time")]
// SAFETY: see above.
unsafe impl Sync for Model {}

impl Model {
    fn new(slots: usize, reserved: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes: (0..slots).map(|_| UnsafeCell::new((0, 0))).collect(),
            index: Mutex::new(HashMap::new()),
            publication: Publication::new(ModelMap { reserved }, 0),
        })
    }

    fn put_bytes(&self, end: u64, slot: (u64, u64)) {
        #[expect(unsafe_code, reason = "loom checks accesses to its cells at run time")]
        // SAFETY: loom panics if another access races with this one.
        self.bytes[end as usize - 1].with_mut(|cell| unsafe { *cell = slot });
    }

    fn slot(&self, end: u64) -> (u64, u64) {
        let map = self.publication.covering(end);
        assert!(map.is_some(), "no map covers the slot that ends at {end}");
        #[expect(unsafe_code, reason = "loom checks accesses to its cells at run time")]
        // SAFETY: loom panics if another access races with this one.
        self.bytes[end as usize - 1].with(|cell| unsafe { *cell })
    }

    /// Commits `keys` from `start` on, in the order of the engine's writer.
    fn commit(&self, start: u64, keys: &[u64]) {
        let end = start + keys.len() as u64;
        if self.publication.needs_map(end) {
            assert!(self.publication.add_map(ModelMap { reserved: end * 2 }));
        }
        let mut changes = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            let slot_end = start + number as u64 + 1;
            let previous = self.index.lock().unwrap().get(key).copied().unwrap_or(0);
            self.put_bytes(slot_end, (*key, previous));
            changes.push((*key, slot_end));
        }
        let result: Result<(), ()> = self.publication.publish(end, || {
            for (key, slot_end) in changes {
                self.index.lock().unwrap().insert(key, slot_end);
            }
            Ok(())
        });
        result.unwrap();
    }

    /// A look-up as of `tail`.
    fn find(&self, key: u64, tail: u64) -> Option<u64> {
        let mut end = self.index.lock().unwrap().get(&key).copied()?;
        while end > tail {
            end = self.slot(end).1;
        }
        if end == 0 {
            return None;
        }
        assert_eq!(self.slot(end).0, key, "the slot holds another key");
        Some(end)
    }
}

#[test]
fn a_batch_appears_at_once_and_never_goes_back() {
    loom::model(|| {
        let model = Model::new(4, 4);
        model.commit(0, &[1, 2]);
        let writer = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.commit(2, &[1, 2]))
        };
        let tail = model.publication.tail();
        let found = (model.find(1, tail), model.find(2, tail));
        match tail {
            2 => assert_eq!(found, (Some(1), Some(2))),
            4 => assert_eq!(found, (Some(3), Some(4))),
            other => panic!("half of a batch was published: {other}"),
        }
        writer.join().unwrap();
    });
}

#[test]
fn whoever_sees_a_tail_reads_every_slot_below_it_without_the_index() {
    loom::model(|| {
        let model = Model::new(3, 1);
        model.commit(0, &[7]);
        let writer = {
            let model = Arc::clone(&model);
            // This commit needs another map.
            thread::spawn(move || model.commit(1, &[8, 9]))
        };
        let tail = model.publication.tail();
        let keys: Vec<u64> = (1..=tail).map(|end| model.slot(end).0).collect();
        assert!(keys == [7] || keys == [7, 8, 9], "{keys:?}");
        writer.join().unwrap();
    });
}

/// Makes sure that the model can fail: it must detect a tail stored before the slot's bytes.
#[test]
#[should_panic]
fn a_tail_published_too_early_is_found_out() {
    loom::model(|| {
        let model = Model::new(1, 2);
        let writer = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let early: Result<(), ()> = model.publication.publish(1, || Ok(()));
                early.unwrap();
                model.put_bytes(1, (5, 0));
            })
        };
        let tail = model.publication.tail();
        for end in 1..=tail {
            assert_eq!(model.slot(end).0, 5);
        }
        writer.join().unwrap();
    });
}
