//! The real file system: creation, replacement, locks, and files that cannot be a store's.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Foreign, FormatError};
use simd_r_drive_writer::{
    Access, FileSystem, Location, OsFileSystem, StoreFile, Visibility, WriteError, write_all_at,
};

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn locate(path: &Path) -> Arc<dyn Location> {
    OsFileSystem.locate(path).unwrap()
}

fn fill(file: &dyn StoreFile) {
    write_all_at(file, b"content", 0).unwrap();
}

/// A new file at `path`.
fn create(path: &Path) -> Arc<dyn StoreFile> {
    let pending = locate(path).create_pending(Visibility::Ordinary).unwrap();
    let file = pending.file();
    fill(&*file);
    pending.place().unwrap();
    file
}

#[test]
fn a_file_that_is_given_up_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let pending = locate(&path).create_pending(Visibility::Ordinary).unwrap();
    fill(&*pending.file());
    assert!(!path.exists(), "the file shows before it is whole");
    drop(pending);
    assert_eq!(names(directory.path()), [""; 0]);
    create(&path);
    assert_eq!(names(directory.path()), ["store"]);
    assert_eq!(fs::read(&path).unwrap(), b"content");
}

/// A process that was killed once left a hidden file of up to the store's size.
#[cfg(target_os = "linux")]
#[test]
fn a_file_on_its_way_has_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let old = create(&path);
    let location = locate(&path);
    let _replacement = location.create_replacement(&old).unwrap();
    let _aside = location.create_aside().unwrap();
    let _spool = location.create_spool().unwrap();
    let _pending =
        locate(&directory.path().join("new")).create_pending(Visibility::Private).unwrap();
    assert_eq!(names(directory.path()), ["store"]);
}

#[test]
fn a_new_file_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let location = locate(&path);
    let (first, late) = (
        location.create_pending(Visibility::Private).unwrap(),
        location.create_pending(Visibility::Private).unwrap(),
    );
    fill(&*first.file());
    first.place().unwrap();
    assert_eq!(late.place().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let refused = location.create_pending(Visibility::Private).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(names(directory.path()), ["store"]);
}

#[test]
fn a_placed_file_can_be_removed_but_not_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let pending = locate(&path).create_pending(Visibility::Private).unwrap();
    pending.place().unwrap().remove().unwrap();
    assert_eq!(names(directory.path()), [""; 0]);

    let pending = locate(&path).create_pending(Visibility::Private).unwrap();
    let placed = pending.place().unwrap();
    fs::write(directory.path().join("other"), b"another one").unwrap();
    fs::rename(directory.path().join("other"), &path).unwrap();
    placed.remove().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"another one");
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_private_file_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    locate(&path).create_pending(Visibility::Private).unwrap().place().unwrap();
    assert_eq!(mode(&path), 0o600);
}

/// The permissions were once copied when the new file was created. If others lost access meanwhile,
/// they got it back.
#[cfg(unix)]
#[test]
fn a_replacement_gets_the_permissions_of_the_moment() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let old = create(&path);
    set_mode(&path, 0o644);
    let replacement = locate(&path).create_replacement(&old).unwrap();
    set_mode(&path, 0o640);
    let placed = replacement.place().unwrap();
    assert_eq!(mode(&path), 0o640);
    assert_eq!(names(directory.path()).len(), 2, "the old file has its name until the end");
    placed.remove_displaced();
    assert_eq!(names(directory.path()), ["store"]);
    assert_eq!(old.status().unwrap().links, 0);
}

fn name_lost(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(WriteError::NameLost { is_taken, .. }) => *is_taken,
        _ => panic!("{error}"),
    }
}

/// Renaming over whatever the name was by then once replaced another store.
#[test]
fn a_replacement_replaces_its_own_file_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (path, moved) = (directory.path().join("store"), directory.path().join("moved"));
    let old = create(&path);
    let location = locate(&path);
    let (gone, taken) =
        (location.create_replacement(&old).unwrap(), location.create_replacement(&old).unwrap());
    fs::rename(&path, &moved).unwrap();
    assert!(!name_lost(&gone.place().unwrap_err()));
    assert!(!name_lost(&location.create_replacement(&old).unwrap_err()));
    fs::write(&path, b"another store").unwrap();
    assert!(name_lost(&taken.place().unwrap_err()));
    assert!(name_lost(&location.create_replacement(&old).unwrap_err()));
    assert_eq!(fs::read(&path).unwrap(), b"another store");
    assert_eq!(fs::read(&moved).unwrap(), b"content");
    assert_eq!(names(directory.path()), ["moved", "store"]);
}

#[cfg(unix)]
#[test]
fn a_name_stays_where_it_was_found() {
    let directory = tempfile::tempdir().unwrap();
    let (before, after) = (directory.path().join("before"), directory.path().join("after"));
    let link = directory.path().join("link");
    fs::create_dir(&before).unwrap();
    let old = create(&before.join("store"));
    std::os::unix::fs::symlink(before.join("store"), &link).unwrap();
    let location = locate(&link);

    fs::rename(&before, &after).unwrap();
    fs::create_dir(&before).unwrap();
    fs::write(before.join("store"), b"another store").unwrap();
    assert_eq!(location.key().unwrap(), old.key().unwrap());
    location.create_replacement(&old).unwrap().place().unwrap().remove_displaced();
    assert_eq!(fs::read(before.join("store")).unwrap(), b"another store");
    assert_eq!(fs::read(after.join("store")).unwrap(), b"");
    assert_eq!(location.open(Access::Read).unwrap().len().unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn a_link_that_takes_the_name_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("store"), directory.path().join("other"));
    let old = create(&path);
    create(&other);
    let location = locate(&path);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    assert_eq!(location.key().unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(location.open(Access::Read).unwrap_err().kind(), io::ErrorKind::NotFound);
    name_lost(&location.create_replacement(&old).unwrap_err());
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let error = OsFileSystem.locate(&missing.join("store")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
}

#[test]
fn one_open_file_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let location = locate(&path);
    let pending = location.create_pending(Visibility::Ordinary).unwrap();
    let first = pending.file();
    assert!(first.try_lock().unwrap(), "a new file is free");
    pending.place().unwrap();
    let second = location.open(Access::ReadWrite).unwrap();
    assert!(!second.try_lock().unwrap(), "the lock did not survive the renaming");
    first.unlock().unwrap();
    assert!(second.try_lock().unwrap());
    assert!(!first.try_lock().unwrap());
    drop(second);
    assert!(first.try_lock().unwrap());
}

#[test]
fn a_saved_file_lies_beside_the_store_and_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let aside = locate(&directory.path().join("store")).create_aside().unwrap();
    fill(&*aside.file());
    let placed = aside.place().unwrap();
    let path = placed.path();
    assert_eq!(path.parent(), Some(&*fs::canonicalize(directory.path()).unwrap()));
    assert!(path.file_name().unwrap().to_str().unwrap().starts_with("store.cut-"));
    assert_eq!(fs::read(path).unwrap(), b"content");
    #[cfg(unix)]
    assert_eq!(mode(path), 0o600);
}

/// A store with a name of the largest length could once not be recovered, because the name of the
/// saved file was too long.
#[test]
fn a_saved_file_of_a_long_name_has_a_name_that_fits() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["n".repeat(255), "é".repeat(125), "n".repeat(244)] {
        let path = directory.path().join(&name);
        create(&path);
        let placed = locate(&path).create_aside().unwrap().place().unwrap();
        let saved = placed.path().file_name().unwrap().to_str().unwrap();
        assert!(saved.starts_with(&name[..100]) && saved.contains(".cut-"), "{saved}");
    }
}

/// Tests often run as root, which can write to any directory. So a removed directory takes the
/// place of one without write permission.
#[cfg(unix)]
#[test]
fn a_file_goes_to_the_temporary_directory_if_need_be() {
    let directory = tempfile::tempdir().unwrap();
    let gone = directory.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let location = locate(&gone.join("store"));
    fs::remove_dir(&gone).unwrap();
    let spool = location.create_spool().unwrap();
    fill(&*spool);
    assert_eq!(spool.status().unwrap().links, 0);
    let aside = location.create_aside().unwrap();
    fill(&*aside.file());
    let placed = aside.place().unwrap();
    assert_eq!(placed.path().parent(), Some(&*std::env::temp_dir()));
    placed.remove().unwrap();
}

#[cfg(unix)]
#[test]
fn orphans_are_removed_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let ours = directory.path().join(".simd-r-drive-0123456789Ab.tmp");
    let kept = [
        ".simd-r-drive-notes",
        ".simd-r-drive-0123456789Ab",
        ".simd-r-drive-0123456789A_.tmp",
        ".simd-r-drive-of-another-.tmp",
        ".simd-r-drive-ofAnother012.tmp",
        ".simd-r-drive-locked012345.tmp",
    ];
    for name in kept {
        fs::write(directory.path().join(name), b"ours").unwrap();
    }
    fs::write(directory.path().join(kept[4]), b"another's").unwrap();
    fs::write(&ours, b"ours").unwrap();
    let locked = locate(&directory.path().join(kept[5])).open(Access::Read).unwrap();
    assert!(locked.try_lock().unwrap());
    let is_ours = |file: &dyn StoreFile| {
        let mut bytes = [0; 4];
        file.read_at(&mut bytes, 0).is_ok() && bytes == *b"ours"
    };
    assert_eq!(locate(&path).remove_orphans(&is_ours).unwrap(), 1);
    let mut expected = kept.map(str::to_owned);
    expected.sort();
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn a_path_tells_whether_it_names_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("store"), directory.path().join("other"));
    let file = create(&path);
    assert_eq!(locate(&path).key().unwrap(), file.key().unwrap());
    create(&other);
    fs::rename(&other, &path).unwrap();
    assert_ne!(locate(&path).key().unwrap(), file.key().unwrap());
}

fn refusal(path: &Path, access: Access) -> Foreign {
    let error = locate(path).open(access).unwrap_err();
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(FormatError::NotAStore { found: kind, .. }) => *kind,
        _ => panic!("{error}"),
    }
}

#[test]
fn directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for access in [Access::Read, Access::ReadWrite] {
        assert_eq!(refusal(directory.path(), access), Foreign::Directory);
    }
    let error = OsFileSystem.locate(Path::new("/")).unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(
        matches!(inner, Some(FormatError::NotAStore { found: Foreign::Directory, .. })),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn pipes_sockets_and_devices_are_refused_at_once() {
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
    create(&path);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(locate(&link).open(Access::Read).unwrap().len().unwrap(), 7);
}
