//! What differs between operating systems, in one place.

#[cfg(not(unix))]
pub(crate) use other::*;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod unix {
    use std::fs::{File, FileType, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{
        FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    };
    use std::path::Path;

    use simd_r_drive_entry_handle::Foreign;

    use crate::file::FileKey;
    use crate::os_file::directory_or_other;

    pub(crate) fn open(path: &Path, write: bool) -> io::Result<File> {
        // Should a FIFO have taken the path in the meantime, opening it does not wait.
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        OpenOptions::new().read(true).write(write).custom_flags(flags.cast_signed()).open(path)
    }

    pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    pub(crate) fn key(metadata: &Metadata) -> io::Result<FileKey> {
        Ok(FileKey { device: metadata.dev(), inode: metadata.ino() })
    }

    pub(crate) fn links(metadata: &Metadata) -> u64 {
        metadata.nlink()
    }

    /// Gives `file` the mode, and if the process may, the owner of another.
    pub(crate) fn copy_owner_and_mode(file: &File, other: &Metadata) -> io::Result<()> {
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
            // Only root may; a file of another owner with the same mode is the best that is left.
            let _ = std::os::unix::fs::fchown(file, Some(other.uid()), Some(other.gid()));
        }
        file.set_permissions(other.permissions())
    }

    /// As [`copy_owner_and_mode`], but the owner may write to the copy even if the other is read-only.
    pub(crate) fn adopt_permissions(file: &File, other: &Metadata) -> io::Result<()> {
        copy_owner_and_mode(file, other)?;
        file.set_permissions(Permissions::from_mode(other.mode() & 0o777 | 0o200))
    }

    pub(crate) fn special_kind(file_type: FileType) -> Option<Foreign> {
        if file_type.is_fifo() {
            Some(Foreign::Fifo)
        } else if file_type.is_socket() {
            Some(Foreign::Socket)
        } else {
            directory_or_other(file_type)
        }
    }

    pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Temporary files are private by default; a store is as readable as the umask lets new files be.
    pub(crate) fn ordinary_permissions(builder: &mut tempfile::Builder<'_, '_>) {
        builder.permissions(Permissions::from_mode(0o666));
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

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) => Ok(Some(data)),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            // Not every file system knows its holes; then everything may be data.
            Err(_) => Ok(Some(offset)),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn next_hole(file: &File, offset: u64) -> io::Result<u64> {
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
        let kind = rustix::fs::fstatfs(file)?.f_type as u32;
        Ok(NETWORK.contains(&kind))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn is_on_network(_: &File) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::{File, FileType, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use simd_r_drive_entry_handle::Foreign;

    use crate::file::FileKey;
    use crate::os_file::directory_or_other;

    pub(crate) fn open(path: &Path, write: bool) -> io::Result<File> {
        OpenOptions::new().read(true).write(write).open(path)
    }

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

    /// Stable std offers no file index on Windows; creation time and length stand in for it, which is
    /// enough to notice that a path names another file by now.
    pub(crate) fn key(metadata: &Metadata) -> io::Result<FileKey> {
        let created = metadata.created()?.duration_since(std::time::UNIX_EPOCH);
        Ok(FileKey { device: 0, inode: created.map_or(0, |time| time.as_nanos() as u64) })
    }

    pub(crate) fn links(_: &Metadata) -> u64 {
        1
    }

    pub(crate) fn copy_owner_and_mode(_: &File, _: &Metadata) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn adopt_permissions(_: &File, _: &Metadata) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn special_kind(file_type: FileType) -> Option<Foreign> {
        directory_or_other(file_type)
    }

    pub(crate) fn sync_directory(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn ordinary_permissions(_: &mut tempfile::Builder<'_, '_>) {}

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
}
