//! The few file operations the journal does, on one directory.
//!
//! A port: real files here, and in tests a disk that forgets and tears what
//! was not synced (`lying.rs`). Nothing else in the journal touches a file.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::{FallocateFlags, OFlags};

use crate::directory::DirectoryLock;
use crate::journal::frame::{BLOCK, BLOCK_BYTES};

/// Room for larger writes is given back after each.
const ROOM_KEPT_MAX: usize = 4 * 1024 * 1024;

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

    /// Writes all of `bytes` at `offset`, durably; what else was written need not be.
    ///
    /// # Errors
    /// See [`DiskFile::sync_data`]. Some of it may have been written.
    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)?;
        self.sync_data()
    }

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

    /// A directory within the data directory, for those whom its lock lets in already.
    pub(crate) fn within(path: &Path) -> RealDisk {
        RealDisk { path: path.to_owned(), is_read_only: false, _lock: None }
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
    type File = RealFile;

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        std::fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, name: &str) -> io::Result<RealFile> {
        self.check_writable()?;
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(RealFile::new(file))
    }

    fn open(&self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(!self.is_read_only).open(&path)?;
        Ok(RealFile::new(file))
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

/// A file of the operating system.
#[derive(Debug)]
pub struct RealFile {
    file: File,
    /// The same file past the page cache, each write durable when it returns: one wait for
    /// the disk where a write and its fdatasync are two. Opened when it is first of use;
    /// `None`: the file system cannot.
    direct: OnceLock<Option<File>>,
    /// The file system takes no such writes after all.
    refused: AtomicBool,
}

impl RealFile {
    fn new(file: File) -> RealFile {
        RealFile { file, direct: OnceLock::new(), refused: AtomicBool::new(false) }
    }

    fn open_direct(&self) -> Option<File> {
        let past_the_cache = OFlags::DIRECT | OFlags::DSYNC;
        let flags = i32::try_from(past_the_cache.bits()).expect("flags of open(2) are an int");
        // Whatever its name is by now.
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let opened = OpenOptions::new().write(true).custom_flags(flags).open(path);
        if let Err(error) = &opened
            && !is_refusal(error)
        {
            tracing::warn!(%error, "the journal goes through the page cache");
        }
        opened.ok()
    }

    /// Whether the bytes could go past the cache and did. Not when they are no whole blocks,
    /// or when the file system wants larger ones.
    fn write_directly(&self, bytes: &[u8], offset: u64) -> io::Result<bool> {
        let are_blocks = bytes.len().is_multiple_of(BLOCK) && offset.is_multiple_of(BLOCK_BYTES);
        if !are_blocks || self.refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let Some(direct) = self.direct.get_or_init(|| self.open_direct()) else {
            return Ok(false);
        };
        match with_aligned(bytes, |bytes| direct.write_all_at(bytes, offset)) {
            Err(error) if is_refusal(&error) => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }
}

/// Whether the file system said that it does not do this.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// The same bytes, at an address that a disk can read from.
fn with_aligned<T>(bytes: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
    thread_local! {
        // Few threads of a journal write, each again and again.
        static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    ROOM.with_borrow_mut(|room| {
        if room.len() < bytes.len() + BLOCK {
            *room = vec![0; bytes.len() + BLOCK];
        }
        let start = room.as_ptr().align_offset(BLOCK);
        let aligned = &mut room[start..start + bytes.len()];
        aligned.copy_from_slice(bytes);
        let done = then(aligned);
        if room.len() > ROOM_KEPT_MAX {
            *room = Vec::new();
        }
        done
    })
}

impl DiskFile for RealFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // Some file systems cannot; the zeros written next take the space as well.
            Err(rustix::io::Errno::OPNOTSUPP) => self.file.set_len(bytes),
            Err(error) => Err(error.into()),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(&self.file, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.write_directly(bytes, offset)? {
            return Ok(());
        }
        self.write_at(bytes, offset)?;
        self.sync_data()
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::file::LyingDisk;

    #[test]
    fn what_is_written_durably_is_read_back_in_blocks_and_in_pieces_of_them() {
        let home = tempfile::tempdir().expect("a directory");
        let disk = RealDisk { path: home.path().to_owned(), is_read_only: false, _lock: None };
        let file = disk.create("a").expect("created");
        file.write_at(&[1; 3 * BLOCK], 0).expect("written");
        file.write_durably(&[2; BLOCK], BLOCK_BYTES).expect("a block");
        file.write_durably(&[3; 100], 2 * BLOCK_BYTES + 7).expect("a piece");
        file.write_durably(&[4; 2 * BLOCK], 3 * BLOCK_BYTES).expect("two blocks behind the end");
        let mut expected = vec![1; 5 * BLOCK];
        expected[BLOCK..2 * BLOCK].fill(2);
        expected[2 * BLOCK + 7..2 * BLOCK + 107].fill(3);
        expected[3 * BLOCK..].fill(4);
        for file in [file, disk.open("a").expect("there")] {
            let mut read = vec![0; 6 * BLOCK];
            assert_eq!(file.read_at(&mut read, 0).expect("read"), 5 * BLOCK);
            assert!(read[..5 * BLOCK] == expected);
        }
    }

    #[test]
    fn a_file_system_that_takes_no_direct_writes_gets_others() {
        let home = tempfile::tempdir().expect("a directory");
        let open = |name: &str| {
            let mut options = OpenOptions::new();
            let path = home.path().join(name);
            options.read(true).write(true).create(true).truncate(true).open(path).expect("open")
        };
        let mut cannot_open = RealFile::new(open("a"));
        cannot_open.direct = OnceLock::from(None);
        let mut refuses = RealFile::new(open("b"));
        refuses.refused = AtomicBool::new(true);
        for file in [cannot_open, refuses] {
            assert!(!file.write_directly(&[5; BLOCK], 0).expect("no error"));
            file.write_durably(&[5; BLOCK], BLOCK_BYTES).expect("written");
            let mut read = [0; 2 * BLOCK];
            assert_eq!(file.read_at(&mut read, 0).expect("read"), 2 * BLOCK);
            assert!(read[..BLOCK] == [0; BLOCK] && read[BLOCK..] == [5; BLOCK]);
        }
    }

    #[test]
    fn a_power_cut_takes_other_writes_and_never_brings_back_what_they_said() {
        let mut lost = 0;
        for seed in 0..64 {
            let disk = LyingDisk::new(seed);
            let file = disk.create("a").expect("created");
            disk.sync_directory().expect("synced");
            file.write_at(&[1; 2 * BLOCK], 0).expect("written");
            file.write_durably(&[2; BLOCK], 0).expect("durable");
            disk.power_cut();
            let mut read = vec![0; 2 * BLOCK];
            let bytes = disk.open("a").expect("there").read_at(&mut read, 0).expect("read");
            assert!(bytes >= BLOCK && read[..BLOCK].iter().all(|byte| *byte == 2), "seed {seed}");
            lost += usize::from(read[BLOCK..].contains(&0));
        }
        assert!(lost > 0, "the other half was never at risk");
    }
}
