//! The real file system: creation, locks, and what is no store's file.

use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive_entry_handle::{Foreign, FormatError};
use simd_r_drive_writer::{Access, FileSystem, OsFileSystem, StoreFile, write_all_at};

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn fill(file: &dyn StoreFile) -> io::Result<()> {
    write_all_at(file, b"content", 0)
}

#[test]
fn a_creation_that_fails_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let failed = OsFileSystem.create(&path, &mut |file| {
        fill(file)?;
        assert!(!path.exists(), "the file shows before it is whole");
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(names(directory.path()), [""; 0]);
    OsFileSystem.create(&path, &mut fill).unwrap();
    assert_eq!(names(directory.path()), ["store"]);
    assert_eq!(fs::read(&path).unwrap(), b"content");
}

#[test]
fn creation_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fs::write(&path, b"older").unwrap();
    let refused = OsFileSystem.create(&path, &mut fill).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"older");
    assert_eq!(names(directory.path()), ["store"]);
}

#[test]
fn a_pending_file_is_private_takes_its_place_at_once_and_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let pending = OsFileSystem.create_pending(&path).unwrap();
    fill(&*pending.file()).unwrap();
    assert!(!path.exists(), "the file shows before it is whole");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let hidden = directory.path().join(&names(directory.path())[0]);
        assert_eq!(fs::metadata(hidden).unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(pending);
    assert_eq!(names(directory.path()), [""; 0], "given up");

    let (first, late) =
        (OsFileSystem.create_pending(&path).unwrap(), OsFileSystem.create_pending(&path).unwrap());
    fill(&*first.file()).unwrap();
    first.replace().unwrap();
    assert_eq!(late.replace().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let refused = OsFileSystem.create_pending(&path).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(names(directory.path()), ["store"]);
}

#[test]
fn one_open_file_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let first = OsFileSystem
        .create(&path, &mut |file| {
            fill(file)?;
            assert!(file.try_lock()?, "a new file is free");
            Ok(())
        })
        .unwrap();
    let second = OsFileSystem.open(&path, Access::ReadWrite).unwrap();
    assert!(!second.try_lock().unwrap(), "the lock did not survive the rename");
    first.unlock().unwrap();
    assert!(second.try_lock().unwrap());
    assert!(!first.try_lock().unwrap());
    drop(second);
    assert!(first.try_lock().unwrap());
}

#[test]
fn a_saved_file_lies_beside_the_store_and_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let (aside, file) = OsFileSystem.create_aside(&path).unwrap();
    write_all_at(&*file, b"saved", 0).unwrap();
    assert_eq!(aside.parent(), Some(directory.path()));
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("store.cut-"));
    assert_eq!(fs::read(&aside).unwrap(), b"saved");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_path_names_the_file_that_it_named_when_it_was_opened_or_another() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("store"), directory.path().join("other"));
    let file = OsFileSystem.create(&path, &mut fill).unwrap();
    assert_eq!(OsFileSystem.key_of(&path).unwrap(), file.key().unwrap());
    OsFileSystem.create(&other, &mut fill).unwrap();
    fs::rename(&other, &path).unwrap();
    assert_ne!(OsFileSystem.key_of(&path).unwrap(), file.key().unwrap());
}

fn refusal(path: &Path, access: Access) -> Foreign {
    let error = OsFileSystem.open(path, access).unwrap_err();
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(FormatError::NotAStore(kind)) => *kind,
        _ => panic!("{error}"),
    }
}

#[test]
fn directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for access in [Access::Read, Access::ReadWrite] {
        assert_eq!(refusal(directory.path(), access), Foreign::Directory);
    }
}

#[cfg(unix)]
#[test]
fn pipes_sockets_and_devices_are_refused_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for access in [Access::Read, Access::ReadWrite] {
        assert_eq!(refusal(&socket, access), Foreign::Socket);
        assert_eq!(refusal(Path::new("/dev/null"), access), Foreign::Device);
    }
    #[cfg(target_os = "linux")]
    {
        let pipe = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        for access in [Access::Read, Access::ReadWrite] {
            assert_eq!(refusal(&pipe, access), Foreign::Fifo);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("store"), directory.path().join("link"));
    OsFileSystem.create(&path, &mut fill).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(OsFileSystem.open(&link, Access::Read).unwrap().len().unwrap(), 7);
}
