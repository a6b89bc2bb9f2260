//! Entries as the buffers of other crates, in place.

#![cfg(all(feature = "arrow", feature = "bytes", feature = "expose-internal-api"))]

use std::io;

use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};

fn store_of(values: &[i32]) -> io::Result<(tempfile::TempDir, DataStore)> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
    store.write(b"numbers", bytemuck::cast_slice(values))?;
    Ok((directory, store))
}

#[test]
fn an_arrow_buffer_is_the_stored_bytes() -> io::Result<()> {
    let (_directory, store) = store_of(&[1, -2, 3])?;
    let entry = store.read(b"numbers")?.unwrap();
    let at = entry.as_ptr();
    let buffer: arrow_buffer::Buffer = entry.as_arrow_buffer();
    assert_eq!(buffer.as_ptr(), at, "no copy");
    assert_eq!(buffer.typed_data::<i32>(), [1, -2, 3]);
    let scalars = arrow_buffer::ScalarBuffer::<i32>::from(entry.into_arrow_buffer());
    drop(store);
    assert_eq!(&scalars[..], [1, -2, 3]);
    assert_eq!(scalars.inner().as_ptr(), at);
    Ok(())
}

#[test]
fn bytes_are_the_stored_bytes() -> io::Result<()> {
    let (_directory, store) = store_of(&[4, 5])?;
    let entry = store.read(b"numbers")?.unwrap();
    let at = entry.as_ptr();
    let bytes = bytes::Bytes::from(entry);
    assert_eq!(bytes.as_ptr(), at, "no copy");
    drop(store);
    assert_eq!(bytes.slice(4..), 5_i32.to_le_bytes().as_slice());
    Ok(())
}

#[test]
fn what_stands_in_for_the_map_has_the_same_offsets() -> io::Result<()> {
    let (_directory, store) = store_of(&[6])?;
    let entry = store.read(b"numbers")?.unwrap();
    let whole = store.get_mmap_arc_for_testing();
    assert_eq!(whole.len() as u64, store.file_size()?);
    assert_eq!(entry, &whole[entry.offset_range()]);
    assert_eq!(entry, &entry.mmap_arc()?[entry.offset_range()]);
    assert_eq!(entry.arc_ptr(), store.arc_ptr());
    Ok(())
}
