//! File operations that differ between operating systems.

#[cfg(not(unix))]
pub(crate) use other::*;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod unix {
    use std::fs::{File, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, fchown};

    use crate::file::{FileKey, FilePermissions, FileStatus};

    pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    pub(crate) fn key(metadata: &Metadata) -> io::Result<FileKey> {
        Ok(FileKey { device: metadata.dev(), inode: metadata.ino() })
    }

    pub(crate) fn status(metadata: &Metadata) -> io::Result<FileStatus> {
        // stat(2): blocks of 512 bytes, whatever the file system's are.
        const BLOCK_LEN: u64 = 512;
        Ok(FileStatus {
            key: key(metadata)?,
            links: metadata.nlink(),
            disk_bytes: metadata.blocks().saturating_mul(BLOCK_LEN),
            permissions: permissions(metadata),
        })
    }

    fn permissions(metadata: &Metadata) -> FilePermissions {
        let mode = metadata.mode() & 0o7777;
        FilePermissions { mode, owner: metadata.uid(), group: metadata.gid() }
    }

    pub(crate) fn set_permissions(file: &File, wanted: FilePermissions) -> io::Result<()> {
        let FilePermissions { mut mode, owner, group } = wanted;
        let own = permissions(&file.metadata()?);
        if (own.owner, own.group) != (owner, group)
            && fchown(file, Some(owner), Some(group)).is_err()
        {
            // Only root may change the owner. The group may be set to one of the process's own
            // groups.
            let is_group_set = own.group == group || fchown(file, None, Some(group)).is_ok();
            if !is_group_set {
                // Members of another group must not get the access of the original group.
                mode = mode & !0o070 | (mode & 0o007) << 3;
            }
        }
        if permissions(&file.metadata()?).mode == mode {
            return Ok(());
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    pub(crate) fn max_file_len() -> u64 {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
        limit.current.unwrap_or(u64::MAX)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, len) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            result => Ok(result?),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
        use rustix::fs::FallocateFlags;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(file, flags, offset, len) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            result => Ok(result?),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn punch_hole(_: &File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What statfs(2) calls the kind of a file system.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn file_system_kind(file: &File) -> io::Result<u32> {
        Ok(rustix::fs::fstatfs(file)?.f_type as u32)
    }

    /// Whether SEEK_HOLE is reliable. Other file systems have reported data not yet written back as
    /// a hole; the whole log beyond the durable point would have been taken for zeros.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn knows_holes(file: &File) -> bool {
        const EXT: u32 = 0xef53;
        const XFS: u32 = 0x5846_5342;
        const TMPFS: u32 = 0x0102_1994;
        file_system_kind(file).is_ok_and(|kind| [EXT, XFS, TMPFS].contains(&kind))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
        if !knows_holes(file) {
            return Ok(Some(offset));
        }
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) => Ok(Some(data)),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(_) => Ok(Some(offset)),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn next_hole(file: &File, offset: u64) -> io::Result<u64> {
        if !knows_holes(file) {
            return Ok(u64::MAX);
        }
        Ok(rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(offset)).unwrap_or(u64::MAX))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn next_hole(_: &File, _: u64) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn next_data(_: &File, offset: u64) -> io::Result<Option<u64>> {
        Ok(Some(offset))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn is_on_network(file: &File) -> io::Result<bool> {
        // statfs(2): NFS, SMB, SMB2, CIFS, NCP, Coda, AFS, OCFS2, 9p, Ceph.
        const NETWORK: [u32; 10] = [
            0x6969,
            0x517b,
            0xfe53_4d42,
            0xff53_4d42,
            0x564c,
            0x7375_7245,
            0x5346_414f,
            0x7461_636f,
            0x0102_1997,
            0x00c3_6400,
        ];
        Ok(NETWORK.contains(&file_system_kind(file)?))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn is_on_network(_: &File) -> io::Result<bool> {
        Ok(false)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn may_maps_lag(file: &File) -> io::Result<bool> {
        // statfs(2): an overlay. A file of a lower layer is copied up when it is first opened for
        // writing; maps opened before then still show the lower file.
        const OVERLAY: u32 = 0x794c_7630;
        Ok(file_system_kind(file)? == OVERLAY)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn may_maps_lag(_: &File) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::{File, Metadata};
    use std::io;

    use crate::file::{FileKey, FilePermissions, FileStatus};

    #[cfg(windows)]
    pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
    }

    #[cfg(windows)]
    pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
    }

    #[cfg(not(windows))]
    pub(crate) fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(windows))]
    pub(crate) fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Stable std offers no file index on Windows. Creation time and length stand in for it, which
    /// is enough to notice that a path now names another file.
    pub(crate) fn key(metadata: &Metadata) -> io::Result<FileKey> {
        let created = metadata.created()?.duration_since(std::time::UNIX_EPOCH);
        Ok(FileKey { device: 0, inode: created.map_or(0, |time| time.as_nanos() as u64) })
    }

    pub(crate) fn status(metadata: &Metadata) -> io::Result<FileStatus> {
        Ok(FileStatus {
            key: key(metadata)?,
            links: 1,
            disk_bytes: metadata.len(),
            permissions: FilePermissions::default(),
        })
    }

    pub(crate) fn set_permissions(_: &File, _: FilePermissions) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn max_file_len() -> u64 {
        u64::MAX
    }

    pub(crate) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn punch_hole(_: &File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn next_data(_: &File, offset: u64) -> io::Result<Option<u64>> {
        Ok(Some(offset))
    }

    pub(crate) fn next_hole(_: &File, _: u64) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    pub(crate) fn is_on_network(_: &File) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn may_maps_lag(_: &File) -> io::Result<bool> {
        Ok(false)
    }
}
