//! The few file operations the journal does, on one directory.
//!
//! A port: real files here, and in tests a disk that forgets and tears what
//! was not synced (`lying.rs`). Nothing else in the journal touches a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;

use crate::directory::DirectoryLock;

/// A directory of plain files.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// An open file of it.
    type File: DiskFile;

    /// Where `name` lies, for messages. The empty name is the directory.
    fn path(&self, name: &str) -> PathBuf;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// As the operating system says; so everywhere below.
    fn list(&self) -> io::Result<Vec<String>>;

    /// An empty file under `name`; replaces one that is there.
    ///
    /// # Errors
    /// See [`Disk::list`].
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// The file `name`, to read and write.
    ///
    /// # Errors
    /// See [`Disk::list`].
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Puts `from` in the place of `to`, at once.
    ///
    /// # Errors
    /// See [`Disk::list`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes `name`; whoever has it open keeps it.
    ///
    /// # Errors
    /// See [`Disk::list`].
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes created, renamed and removed names durable.
    ///
    /// # Errors
    /// See [`Disk::list`].
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    /// Its length.
    ///
    /// # Errors
    /// See [`Disk::list`]; so below.
    fn bytes(&self) -> io::Result<u64>;

    /// Takes disk space up to `bytes`; new bytes read as zero.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` when there is not enough.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Fills `buffer` from `offset` on; returns less only at the file's end.
    ///
    /// # Errors
    /// See [`DiskFile::bytes`].
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Durable only after a sync.
    ///
    /// # Errors
    /// See [`DiskFile::bytes`]. Some of it may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable. Never retried: after an error
    /// the operating system may have forgotten what failed.
    ///
    /// # Errors
    /// See [`DiskFile::bytes`].
    fn sync_data(&self) -> io::Result<()>;
}

/// True for the errors that more space would cure.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A directory of the operating system. One that can be written holds the data
/// directory's lock, so that nobody else writes here as long as this lives.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    is_read_only: bool,
    _lock: Option<Arc<DirectoryLock>>,
}

impl RealDisk {
    pub(crate) fn new(path: &Path, lock: Arc<DirectoryLock>) -> RealDisk {
        RealDisk { path: path.to_owned(), is_read_only: false, _lock: Some(lock) }
    }

    /// One that refuses every change, and can do without the right to write.
    pub(crate) fn read_only(path: &Path, lock: Arc<DirectoryLock>) -> RealDisk {
        RealDisk { path: path.to_owned(), is_read_only: true, _lock: Some(lock) }
    }

    /// A backup, anywhere: read only, and nobody is kept from changing it.
    #[must_use]
    pub fn backup(path: &Path) -> RealDisk {
        RealDisk { path: path.to_owned(), is_read_only: true, _lock: None }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }
}

impl Disk for RealDisk {
    type File = File;

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.check_writable()?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.path.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(!self.is_read_only).open(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_writable()?;
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check_writable()?;
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.check_writable()?;
        let directory = File::open(&self.path)?;
        Ok(rustix::fs::fsync(directory)?)
    }
}

impl DiskFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // Some file systems cannot; the zeros written next take the space as well.
            Err(rustix::io::Errno::OPNOTSUPP) => self.set_len(bytes),
            Err(error) => Err(error.into()),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(self)?)
    }
}
