//! 100,000 handles held across 100,000 writes.

#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, EntryHandle};

use crate::support::new_path;

const COUNT: u32 = 100_000;

/// The number of maps of a file in this process. The inode identifies it, since a file that was
/// created without a name is listed without one.
fn maps_of(inode: u64) -> usize {
    let inode = inode.to_string();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.split_whitespace().nth(4) == Some(&inode)).count()
}

fn inode_of(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

fn value(number: u32) -> [u8; 40] {
    let mut value = [number as u8; 40];
    value[..4].copy_from_slice(&number.to_le_bytes());
    value
}

#[test]
fn a_hundred_thousand_handles_take_a_handful_of_maps() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    // 1,000 keys, each written 100 times: most handles are to versions that are long outdated.
    let key = |number: u32| (number % 1000).to_le_bytes();
    let handles: Vec<EntryHandle> = (0..COUNT)
        .map(|number| {
            store.write(&key(number), &value(number)).unwrap();
            store.read(&key(number)).unwrap().unwrap()
        })
        .collect();
    // Growth by large values, too.
    for _ in 0..4 {
        store.write(b"large", &vec![1; 20 << 20]).unwrap();
    }
    let first = handles[0].clone();
    let check = |handles: &[EntryHandle]| {
        for (number, handle) in handles.iter().enumerate() {
            assert_eq!(*handle, value(number as u32).as_slice());
            assert_eq!(handle.as_ptr().addr() % 64, 0);
        }
    };
    check(&handles);
    let maps = maps_of(inode_of(&path));
    assert!((1..=8).contains(&maps), "{maps} maps of the store's file");
    // The handles outlive their keys, their store, and their file's name.
    for number in 0..1000 {
        store.delete(&key(number)).unwrap();
    }
    drop(store);
    check(&handles);
    let maps = maps_of(inode_of(&path));
    assert!((1..=8).contains(&maps), "{maps} maps after the store is closed");
    std::fs::remove_file(&path).unwrap();
    check(&handles);
    drop(handles);
    assert_eq!(first, value(0).as_slice());
}

#[test]
fn the_maps_go_with_the_last_handle() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    let handle = store.read(b"key").unwrap().unwrap();
    drop(store);
    assert_ne!(maps_of(inode_of(&path)), 0);
    drop(handle);
    assert_eq!(maps_of(inode_of(&path)), 0);
}
