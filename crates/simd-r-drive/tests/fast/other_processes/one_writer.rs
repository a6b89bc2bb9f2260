//! A second writer is refused, in this process and in another. The first one to open creates the
//! store.

use std::io::ErrorKind;
use std::sync::Barrier;
use std::thread;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions, WriteError};

use crate::errors::typed;
use crate::support::{child, names_in, new_path, state_of};

#[track_caller]
fn assert_locked(result: std::io::Result<DataStore>) {
    let error = result.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(matches!(typed(&error), WriteError::Locked { .. }), "{error}");
}

#[test]
#[ignore = "a process that another test starts"]
fn second_process() {
    let Some((path, _)) = child::orders() else { return };
    let before = state_of(&path);
    assert_locked(DataStore::open(&path));
    assert_locked(DataStore::open_existing(&path));
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
    assert_eq!(reader.read(b"key").unwrap().unwrap(), b"value".as_slice());
    drop(reader);
    assert!(state_of(&path) == before, "a refused writer, or a reader, changed the file");
}

#[test]
fn a_second_writer_is_refused_until_the_first_closes() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    assert_locked(DataStore::open(&path));
    assert_locked(DataStore::open_existing(&path));
    assert_locked(OpenOptions::new().create(true).alignment(4096).open(&path));
    child::run(second_process, &path, "");
    // The same file under another name is the same store.
    let (_other_directory, link) = new_path();
    std::fs::hard_link(&path, &link).or_else(|_| std::fs::copy(&path, &link).map(drop)).unwrap();
    if std::fs::metadata(&link).unwrap().len() == std::fs::metadata(&path).unwrap().len() {
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&std::fs::metadata(&link).unwrap()) == 2 {
            assert_locked(DataStore::open(&link));
        }
    }
    store.write(b"key", b"still the first one's").unwrap();
    store.close().unwrap();
    // Closed counts, although the handle still exists.
    let second = DataStore::open(&path).unwrap();
    let error = store.write(b"key", b"late").unwrap_err();
    assert!(matches!(typed(&error), WriteError::Poisoned { .. }), "{error}");
    second.write(b"key", b"second").unwrap();
    assert_eq!(second.read(b"key").unwrap().unwrap(), b"second".as_slice());
    drop(store);
    assert_locked(DataStore::open(&path));
    drop(second);
    DataStore::open(&path).unwrap().write(b"key", b"third").unwrap();
}

/// All at once open a path that does not exist; returns how many got it.
fn race(prepare: impl Fn(&std::path::Path)) {
    for _ in 0..30 {
        let (directory, path) = new_path();
        prepare(&path);
        let start = Barrier::new(8);
        let opened: Vec<Option<DataStore>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8_u8)
                .map(|number| {
                    let (path, start) = (&path, &start);
                    scope.spawn(move || {
                        start.wait();
                        match DataStore::open(path) {
                            Ok(store) => {
                                store.write(&[number], b"mine").unwrap();
                                Some(store)
                            }
                            Err(error) => {
                                assert!(
                                    matches!(typed(&error), WriteError::Locked { .. }),
                                    "{error}"
                                );
                                None
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners = opened.iter().flatten().count();
        assert_eq!(winners, 1);
        let number = opened.iter().position(Option::is_some).unwrap() as u8;
        drop(opened);
        let store = DataStore::open_existing(&path).unwrap();
        assert_eq!(store.read(&[number]).unwrap().unwrap(), b"mine".as_slice());
        assert_eq!(store.len().unwrap(), 1);
        assert_eq!(names_in(directory.path()), ["store.srd"], "something was left behind");
    }
}

#[test]
fn of_eight_threads_that_open_a_new_path_one_wins() {
    race(|_| {});
}

#[test]
fn of_eight_threads_that_open_an_empty_file_one_wins() {
    race(|path| std::fs::write(path, b"").unwrap());
}

#[test]
#[ignore = "a process that another test starts"]
fn racing_process() {
    let Some((path, key)) = child::orders() else { return };
    loop {
        match DataStore::open(&path) {
            Ok(store) => {
                store.write(key.as_bytes(), b"mine").unwrap();
                return;
            }
            Err(error) => assert!(matches!(typed(&error), WriteError::Locked { .. }), "{error}"),
        }
        thread::yield_now();
    }
}

#[test]
fn processes_that_race_for_a_new_path_lose_nothing() {
    let (directory, path) = new_path();
    thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || child::run(racing_process, path, &format!("key {number}")));
        }
    });
    let store = DataStore::open_existing(&path).unwrap();
    assert_eq!(store.len().unwrap(), 8);
    assert_eq!(names_in(directory.path()), ["store.srd"]);
}
