//! A loom model of a checkpoint: one writer, one reader, every interleaving and allowed reordering.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p simd-r-drive --lib --release model`.

use std::collections::HashSet;

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{Current, State, TailLimit};
use crate::log::Publication;
use crate::log::publication::model::ModelMap;

/// A list of layers. The first list has one layer; the second consults it after its own.
#[derive(Debug)]
struct List {
    log: Arc<Log>,
    number: usize,
    limit: TailLimit,
}

#[derive(Debug)]
struct Log {
    publication: Publication<ModelMap>,
    layers: [Mutex<HashSet<u64>>; 2],
}

impl State for List {
    fn published_tail(&self) -> u64 {
        self.log.publication.tail()
    }

    fn limit(&self) -> &TailLimit {
        &self.limit
    }
}

impl List {
    fn new(log: &Arc<Log>, number: usize) -> Self {
        Self { log: Arc::clone(log), number, limit: TailLimit::default() }
    }

    fn holds(&self, end: u64) -> bool {
        (0..=self.number).any(|layer| self.log.layers[layer].lock().unwrap().contains(&end))
    }
}

/// The order in which the writer replaces the list and publishes the next commit.
#[derive(Clone, Copy)]
enum Order {
    Right,
    LimitTooLate,
    ListTooLate,
}

fn commit(log: &Log, layer: usize, end: u64) {
    let result: Result<(), ()> = log.publication.publish(end, || {
        log.layers[layer].lock().unwrap().insert(end);
        Ok(())
    });
    result.unwrap();
}

fn checkpoint_and_commit(current: &Current<List>, log: &Arc<Log>, order: Order) {
    let next = List::new(log, 1);
    let commit = || commit(log, 1, 2);
    match order {
        Order::Right => {
            current.replace_index(1, next);
            commit();
        }
        Order::LimitTooLate => {
            let before = current.replace_file(std::sync::Arc::new(next));
            commit();
            before.limit.set(1);
        }
        Order::ListTooLate => {
            current.load().limit.set(1);
            commit();
            current.replace_file(std::sync::Arc::new(next));
        }
    }
}

/// A reader that sees the commit sees the list that knows it. There is nothing to wait for.
fn now(current: &Current<List>) -> (std::sync::Arc<List>, u64) {
    let now = current.try_now().or_else(|| current.try_now());
    let (list, tail) = now.expect("the newer list is not there yet");
    (std::sync::Arc::clone(&list), tail)
}

fn read_beside_a_checkpoint(order: Order) {
    loom::model(move || {
        let log = Arc::new(Log {
            publication: Publication::new(ModelMap { reserved: 4 }, 0),
            layers: [Mutex::new(HashSet::new()), Mutex::new(HashSet::new())],
        });
        let current = Arc::new(Current::new(std::sync::Arc::new(List::new(&log, 0))));
        commit(&log, 0, 1);
        let writer = {
            let (current, log) = (Arc::clone(&current), Arc::clone(&log));
            thread::spawn(move || checkpoint_and_commit(&current, &log, order))
        };
        let (list, tail) = now(&current);
        for end in 1..=tail {
            assert!(list.holds(end), "list {} misses commit {end} of {tail}", list.number);
        }
        writer.join().unwrap();
        let (list, tail) = now(&current);
        assert_eq!((list.number, tail), (1, 2));
    });
}

#[test]
fn a_reader_beside_a_checkpoint_misses_no_commit() {
    read_beside_a_checkpoint(Order::Right);
}

#[test]
#[should_panic(expected = "misses commit 2")]
fn a_limit_that_is_set_too_late_is_found_out() {
    read_beside_a_checkpoint(Order::LimitTooLate);
}

#[test]
#[should_panic(expected = "the newer list is not there yet")]
fn a_list_that_is_stored_too_late_is_found_out() {
    read_beside_a_checkpoint(Order::ListTooLate);
}
