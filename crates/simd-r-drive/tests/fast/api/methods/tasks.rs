//! The asynchronous store between tasks: cheap clones, futures that may move between threads.

use simd_r_drive::DataStore;
use simd_r_drive::traits::{AsyncDataStoreReader, AsyncDataStoreWriter};

use crate::support::new_path;

#[test]
fn tasks_on_several_threads_share_one_store() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap().into_async();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..16_u8)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    for number in 0..50_u8 {
                        store.write(&[task, number], &[number; 100]).await.unwrap();
                        tokio::task::yield_now().await;
                        let entry = store.read(&[task, number]).await.unwrap().unwrap();
                        assert_eq!(entry, vec![number; 100]);
                    }
                    store.write_stream(&[task], &mut &[task; 3000][..]).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(store.len().await.unwrap(), 16 * 51);
    });
    drop(store);
    assert_eq!(DataStore::open_existing(&path).unwrap().iter_entries().count(), 16 * 51);
}

#[test]
fn a_store_is_usable_beside_its_asynchronous_face() {
    use simd_r_drive::AsyncDataStore;
    use std::sync::Arc;

    let (_directory, path) = new_path();
    let store = Arc::new(DataStore::open(&path).unwrap());
    let face = AsyncDataStore::from(Arc::clone(&store));
    pollster::block_on(face.write(b"key", b"value")).unwrap();
    let entry = simd_r_drive::traits::DataStoreReader::read(&*store, b"key").unwrap().unwrap();
    assert_eq!(entry, b"value".as_slice());
}
