//! A subscriber to events may use the store. Events were once emitted under the writer's lock, so
//! that a subscriber that wrote waited for its own thread.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions, StoreError};
use tracing::Event;
use tracing::field::{Field, Visit};

use super::took_over;
use crate::errors::typed;
use crate::support::hooks::{Call, Hooked};
use crate::support::{new_path, within};

/// The store that the subscriber uses.
static STORE: Mutex<Weak<DataStore>> = Mutex::new(Weak::new());

/// What it has been told while there was one.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

thread_local! {
    static IS_WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Writes to the store on each event, reads it, and asks how it is.
fn write_to_the_store(event: &Event<'_>) {
    let store = STORE.lock().unwrap().upgrade();
    // What it writes itself brings about events, too.
    let Some(store) = store.filter(|_| !IS_WITHIN.replace(true)) else { return };
    let mut message = Message::default();
    event.record(&mut message);
    // Some events say that the store takes no writes any more.
    let _ = store.write(b"told", message.0.as_bytes());
    let _ = store.read(b"told");
    let _ = store.sync();
    let _ = store.refresh();
    store.stats();
    TOLD.lock().unwrap().insert(message.0);
    IS_WITHIN.set(false);
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

fn use_from_now_on(store: DataStore) -> Arc<DataStore> {
    let store = Arc::new(store);
    TOLD.lock().unwrap().clear();
    *STORE.lock().unwrap() = Arc::downgrade(&store);
    store
}

#[track_caller]
fn assert_told(messages: &[&str]) {
    let told = TOLD.lock().unwrap();
    for message in messages {
        assert!(told.contains(*message), "{message:?} is not in {told:?}");
    }
}

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_subscriber_may_write_whatever_the_store_is_at() {
    if took_over(a_subscriber_may_write_whatever_the_store_is_at, write_to_the_store) {
        return;
    }
    let (directory, path) = new_path();
    within(LIMIT, "a history with a subscriber that writes", move || {
        let store = use_from_now_on(DataStore::open(&path).unwrap());
        for number in 0..100_u32 {
            store.write(&number.to_le_bytes(), b"value").unwrap();
            store.write(&number.to_le_bytes(), b"newer").unwrap();
        }
        store.sync().unwrap();
        store.checkpoint().unwrap();
        store.backup(&directory.path().join("backup.srd")).unwrap();
        store.compact_with(|_| ControlFlow::Continue(())).unwrap();
        assert_eq!(store.len().unwrap(), 101);
        assert_told(&[
            "flushed",
            "wrote a barrier",
            "wrote the index to the file",
            "compaction starts",
            "compaction goes on",
            "compaction ends",
        ]);
    });
}

#[test]
fn a_subscriber_may_write_when_writes_are_refused() {
    if took_over(a_subscriber_may_write_when_writes_are_refused, write_to_the_store) {
        return;
    }
    let (_directory, path) = new_path();
    within(LIMIT, "a failed flush with a subscriber that writes", move || {
        let is_broken = Arc::new(AtomicBool::new(false));
        let hook = Arc::clone(&is_broken);
        let file_system = Hooked::new(move |call| match call {
            Call::Sync if hook.load(Ordering::SeqCst) => Err(io::Error::other("it is gone")),
            _ => Ok(true),
        });
        let options = OpenOptions::new().create(true).file_system(file_system);
        let store = use_from_now_on(options.open(&path).unwrap());
        store.write(b"key", b"value").unwrap();
        is_broken.store(true, Ordering::SeqCst);
        store.sync().unwrap_err();
        assert_told(&["writes are refused from now on"]);
    });
}

/// A write looks up what it replaces, under the lock, and may find that damaged.
#[test]
fn a_subscriber_may_write_when_a_write_meets_damage() {
    if took_over(a_subscriber_may_write_when_a_write_meets_damage, write_to_the_store) {
        return;
    }
    let (_directory, path) = new_path();
    within(LIMIT, "damage with a subscriber that writes", move || {
        let store = DataStore::open(&path).unwrap();
        store.write(b"key", &[7; 100]).unwrap();
        let end = store.stats().tail as usize;
        store.checkpoint().unwrap();
        store.close().unwrap();
        drop(store);
        let mut bytes = fs::read(&path).unwrap();
        bytes[end - 33] ^= 1;
        fs::write(&path, &bytes).unwrap();

        let store = use_from_now_on(DataStore::open(&path).unwrap());
        store.write(b"key", b"newer").unwrap_err();
        assert_told(&["damage found"]);
        assert!(store.exists(b"told").unwrap());
    });
}

/// It would wait for what it is told of.
#[test]
fn a_compaction_within_one_is_refused() {
    let (_directory, path) = new_path();
    within(LIMIT, "a compaction within a compaction", move || {
        let store = DataStore::open(&path).unwrap();
        store.write(b"key", b"value").unwrap();
        store.write(b"key", b"newer").unwrap();
        let mut refused = Vec::new();
        store
            .compact_with(|_| {
                refused.extend([store.compact().unwrap_err(), store.checkpoint().unwrap_err()]);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(!refused.is_empty());
        for error in refused {
            assert!(matches!(typed(&error), StoreError::WithinMaintenance), "{error}");
        }
        store.compact().unwrap();
    });
}
