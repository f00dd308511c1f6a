//! A data directory: whose it is, which format it has, and who has it open.
//!
//! ```text
//! FORMAT    format number and the journal's id; written last, so its presence means complete
//! LOCK      held exclusively by the one process that has the directory open; holds its pid
//! journal/  the truth
//! tables/   a checkpoint that can be rebuilt
//! snapshots/ all rows at some positions, from which the tables are rebuilt
//! ```
//!
//! Invariant: a directory of a newer format, or of anybody else, stays untouched.
//!
//! Not here: what lies inside `journal/`, `tables/` and `snapshots/`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

use crate::journal::{JournalId, RealDisk};

/// The format this program writes, and the newest it reads.
pub const FORMAT_NUMBER: u32 = 1;

const TITLE: &str = "piecework data directory";
const FORMAT: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
const LOCK: &str = "LOCK";
const JOURNAL: &str = "journal";
const TABLES: &str = "tables";
const SNAPSHOTS: &str = "snapshots";
/// The root of a fresh ext4 volume has it; it is nobody's data.
const LOST_AND_FOUND: &str = "lost+found";

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The operating system refused.
    #[error("could not {what} {}", path.display())]
    Io {
        /// What we tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Written by a later release.
    #[error(
        "data directory {} has format {found}, this program knows up to {known}",
        path.display()
    )]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// FORMAT is there but says nothing we understand.
    #[error("format file {} cannot be read", path.display())]
    UnreadableFormat {
        /// The file.
        path: PathBuf,
    },
    /// A part of the layout has disappeared.
    #[error("data directory {} has no {part} any more", path.display())]
    Incomplete {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        part: &'static str,
    },
    /// Nothing of ours is there.
    #[error("there is no data directory at {}", path.display())]
    Absent {
        /// Where we looked.
        path: PathBuf,
    },
    /// Something else lives there.
    #[error("directory {} is not ours: it holds {found:?}", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// One of the things in it.
        found: PathBuf,
    },
    /// Another process has it open, and has not told its pid.
    #[error("data directory {} is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("data directory {} is in use by process {holder}", path.display())]
    InUseBy {
        /// The directory.
        path: PathBuf,
        /// That process, as it wrote itself into LOCK.
        holder: u32,
    },
}

/// The exclusive hold on a data directory. Ends when the last user drops it,
/// or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    // Closing the file releases the lock.
    _file: File,
}

/// A data directory that nobody else has open.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    journal: JournalId,
    lock: Arc<DirectoryLock>,
    is_read_only: bool,
}

impl DataDirectory {
    /// Opens the data directory at `path`, or makes one where there is nothing.
    ///
    /// # Errors
    /// `NewerFormat`, `NotOurs`, `InUse`, `InUseBy`: nothing was touched.
    pub fn open(path: &Path) -> Result<DataDirectory, DirectoryError> {
        // First without the lock: taking it would touch a directory that is not ours.
        let known = read_format(path)?;
        if known.is_none() {
            check_vacant(path)?;
            make_directory(path)?;
        }
        let lock = Arc::new(take_lock(path)?);
        // Another process may have made it between the two looks.
        let journal = match read_format(path)? {
            Some(journal) => journal,
            None => make_layout(path)?,
        };
        if !path.join(JOURNAL).is_dir() {
            return Err(DirectoryError::Incomplete { path: path.to_owned(), part: JOURNAL });
        }
        // Tables can be rebuilt, so an operator may take them away.
        make_directory(&path.join(TABLES))?;
        make_directory(&path.join(SNAPSHOTS))?;
        Ok(DataDirectory { path: path.to_owned(), journal, lock, is_read_only: false })
    }

    /// Makes a data directory at `path`, where there is nothing, and lets `fill`
    /// put into its parts what it begins with. It counts as one only after that.
    ///
    /// # Errors
    /// `NotOurs` when there is something; or what `fill` says. What it put there
    /// stays, and whoever opens it is refused.
    pub(crate) fn make<E: From<DirectoryError>>(
        path: &Path,
        fill: impl FnOnce(&DataDirectory) -> Result<(), E>,
    ) -> Result<DataDirectory, E> {
        if read_format(path)?.is_some() {
            let (path, found) = (path.to_owned(), PathBuf::from(FORMAT));
            return Err(DirectoryError::NotOurs { path, found }.into());
        }
        check_vacant(path)?;
        make_directory(path)?;
        let lock = Arc::new(take_lock(path)?);
        let journal = make_parts(path)?;
        let made = DataDirectory { path: path.to_owned(), journal, lock, is_read_only: false };
        fill(&made)?;
        write_format(path, journal)?;
        Ok(made)
    }

    /// Opens the data directory at `path` for a look: nothing in it is written,
    /// not even who holds it, and its disks refuse every change. It is locked all
    /// the same, so that nobody changes it meanwhile.
    ///
    /// # Errors
    /// `Absent`, `NewerFormat`, `UnreadableFormat`, `Incomplete`, `InUse`, `InUseBy`.
    pub fn inspect(path: &Path) -> Result<DataDirectory, DirectoryError> {
        let journal = read_format(path)?;
        let journal = journal.ok_or_else(|| DirectoryError::Absent { path: path.to_owned() })?;
        let incomplete = |part| DirectoryError::Incomplete { path: path.to_owned(), part };
        let lock = match OpenOptions::new().read(true).open(path.join(LOCK)) {
            Ok(file) => hold(path, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(incomplete(LOCK)),
            Err(source) => {
                return Err(DirectoryError::Io { what: "open", path: path.join(LOCK), source });
            }
        };
        if !path.join(JOURNAL).is_dir() {
            return Err(incomplete(JOURNAL));
        }
        let lock = Arc::new(DirectoryLock { _file: lock });
        Ok(DataDirectory { path: path.to_owned(), journal, lock, is_read_only: true })
    }

    /// The snapshots of the data directory at `path`, to be read whether somebody
    /// has it open or not: their files never change, they only come and go. Takes
    /// no lock and writes nothing.
    ///
    /// # Errors
    /// `Absent`, `NewerFormat`, `UnreadableFormat`, `Incomplete`.
    pub fn snapshots_beside(path: &Path) -> Result<(JournalId, RealDisk), DirectoryError> {
        let journal = read_format(path)?;
        let journal = journal.ok_or_else(|| DirectoryError::Absent { path: path.to_owned() })?;
        let snapshots = path.join(SNAPSHOTS);
        if !snapshots.is_dir() {
            return Err(DirectoryError::Incomplete { path: path.to_owned(), part: SNAPSHOTS });
        }
        Ok((journal, RealDisk::backup(&snapshots)))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which journal lives here. Chosen once, at random.
    #[must_use]
    pub fn journal_id(&self) -> JournalId {
        self.journal
    }

    /// The journal's directory as a disk; keeps this data directory locked.
    #[must_use]
    pub fn journal_disk(&self) -> RealDisk {
        self.disk(JOURNAL)
    }

    /// Where the tables are.
    #[must_use]
    pub fn tables_path(&self) -> PathBuf {
        self.path.join(TABLES)
    }

    /// Where the snapshots are.
    #[must_use]
    pub fn snapshots_path(&self) -> PathBuf {
        self.path.join(SNAPSHOTS)
    }

    /// The directory of snapshots as a disk; keeps this data directory locked.
    #[must_use]
    pub fn snapshots_disk(&self) -> RealDisk {
        self.disk(SNAPSHOTS)
    }

    fn disk(&self, part: &str) -> RealDisk {
        let (path, lock) = (self.path.join(part), Arc::clone(&self.lock));
        if self.is_read_only {
            RealDisk::read_only(&path, lock)
        } else {
            RealDisk::new(&path, lock)
        }
    }
}

/// The id in `path/FORMAT`; `None` when there is no such file.
fn read_format(path: &Path) -> Result<Option<JournalId>, DirectoryError> {
    let file = path.join(FORMAT);
    let text = match std::fs::read(&file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DirectoryError::Io { what: "read", path: file, source }),
    };
    let mut lines = text.lines();
    let title = lines.next();
    let number = lines.next().and_then(|line| line.strip_prefix("format ")?.parse::<u32>().ok());
    let (Some(TITLE), Some(number)) = (title, number) else {
        return Err(DirectoryError::UnreadableFormat { path: file });
    };
    if number > FORMAT_NUMBER {
        return Err(DirectoryError::NewerFormat {
            path: path.to_owned(),
            found: number,
            known: FORMAT_NUMBER,
        });
    }
    let id = lines.next().and_then(|line| line.strip_prefix("journal "));
    let id = id.and_then(|hex| u128::from_str_radix(hex, 16).ok()).map(JournalId);
    // Written again and compared: a changed byte anywhere shows.
    match id {
        Some(id) if format_text(number, id) == text => Ok(Some(id)),
        _ => Err(DirectoryError::UnreadableFormat { path: file }),
    }
}

/// A line follows the id only in formats that need it; the first two stay for ever.
fn format_text(number: u32, journal: JournalId) -> String {
    let text = format!("{TITLE}\nformat {number}\njournal {journal}\n");
    let crc = crc32c::crc32c(text.as_bytes());
    format!("{text}crc32c {crc:08x}\n")
}

/// Refuses a directory with anything in it but what a crash of ours may have left.
fn check_vacant(path: &Path) -> Result<(), DirectoryError> {
    let io = |source| DirectoryError::Io { what: "list", path: path.to_owned(), source };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    for entry in entries {
        let name = entry.map_err(io)?.file_name();
        let half_made = match name.to_str() {
            Some(FORMAT_NEW | LOCK | LOST_AND_FOUND) => true,
            Some(part @ (JOURNAL | TABLES | SNAPSHOTS)) => {
                std::fs::read_dir(path.join(part)).is_ok_and(|mut inside| inside.next().is_none())
            }
            _ => false,
        };
        if !half_made {
            let found = PathBuf::from(name);
            return Err(DirectoryError::NotOurs { path: path.to_owned(), found });
        }
    }
    Ok(())
}

fn take_lock(path: &Path) -> Result<DirectoryLock, DirectoryError> {
    let at = path.join(LOCK);
    let io = |what| {
        let path = at.clone();
        move |source| DirectoryError::Io { what, path, source }
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&at)
        .map_err(io("open"))?;
    file = hold(path, file)?;
    file.set_len(0).map_err(io("write"))?;
    file.rewind().map_err(io("write"))?;
    writeln!(file, "{}", std::process::id()).map_err(io("write"))?;
    Ok(DirectoryLock { _file: file })
}

/// Takes the lock that lies on LOCK, and leaves its content alone.
fn hold(path: &Path, mut file: File) -> Result<File, DirectoryError> {
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let path = path.to_owned();
            // The holder may be just writing it; then we do not know it.
            let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            Err(match holder {
                Some(holder) => DirectoryError::InUseBy { path, holder },
                None => DirectoryError::InUse { path },
            })
        }
        Err(errno) => {
            let (path, source) = (path.join(LOCK), errno.into());
            Err(DirectoryError::Io { what: "lock", path, source })
        }
    }
}

/// Makes the parts and then, as the sign that all are there, FORMAT.
fn make_layout(path: &Path) -> Result<JournalId, DirectoryError> {
    let journal = make_parts(path)?;
    write_format(path, journal)?;
    Ok(journal)
}

/// Makes the parts and chooses the journal's id.
fn make_parts(path: &Path) -> Result<JournalId, DirectoryError> {
    for part in [JOURNAL, TABLES, SNAPSHOTS] {
        make_directory(&path.join(part))?;
    }
    random_id()
}

fn write_format(path: &Path, journal: JournalId) -> Result<(), DirectoryError> {
    let new = path.join(FORMAT_NEW);
    let io = |what| {
        let path = new.clone();
        move |source| DirectoryError::Io { what, path, source }
    };
    let mut file = File::create(&new).map_err(io("create"))?;
    file.write_all(format_text(FORMAT_NUMBER, journal).as_bytes()).map_err(io("write"))?;
    file.sync_all().map_err(io("sync"))?;
    sync_directory(path)?;
    std::fs::rename(&new, path.join(FORMAT)).map_err(io("rename"))?;
    sync_directory(path)
}

fn make_directory(path: &Path) -> Result<(), DirectoryError> {
    if path.is_dir() {
        return Ok(());
    }
    let io = |source| DirectoryError::Io { what: "create", path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(io)?;
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

fn sync_directory(path: &Path) -> Result<(), DirectoryError> {
    let io = |source| DirectoryError::Io { what: "sync", path: path.to_owned(), source };
    let directory = File::open(path).map_err(io)?;
    rustix::fs::fsync(directory).map_err(|errno| io(errno.into()))
}

fn random_id() -> Result<JournalId, DirectoryError> {
    let source = "/dev/urandom";
    let mut bytes = [0; 16];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(|error| {
        DirectoryError::Io { what: "read", path: PathBuf::from(source), source: error }
    })?;
    Ok(JournalId(u128::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Disk as _;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(path)
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_empty_or_absent_directory_becomes_ours_and_stays_the_same_journal() {
        let temp = tempfile::tempdir().expect("temp");
        for path in [temp.path().to_owned(), temp.path().join("deep/er")] {
            let _ = std::fs::remove_dir_all(temp.path().join("deep"));
            let first = DataDirectory::open(&path).expect("made");
            let id = first.journal_id();
            assert_ne!(id, JournalId(0));
            assert_eq!(names(&path), ["FORMAT", "LOCK", "journal", "snapshots", "tables"]);
            drop(first);
            assert_eq!(DataDirectory::open(&path).expect("opened").journal_id(), id);
            for name in ["FORMAT", "LOCK"] {
                std::fs::remove_file(path.join(name)).expect("remove");
            }
            std::fs::remove_dir(path.join("journal")).expect("remove");
            std::fs::remove_dir(path.join("tables")).expect("remove");
            std::fs::remove_dir(path.join("snapshots")).expect("remove");
        }
    }

    #[test]
    fn a_newer_format_is_refused_untouched_with_both_numbers() {
        let temp = tempfile::tempdir().expect("temp");
        let text = "piecework data directory\nformat 2\nsomething else\n";
        std::fs::write(temp.path().join("FORMAT"), text).expect("write");
        let error = DataDirectory::open(temp.path()).expect_err("newer");
        assert!(error.to_string().ends_with("has format 2, this program knows up to 1"));
        assert_eq!(names(temp.path()), ["FORMAT"]);
    }

    #[test]
    fn a_second_opener_is_told_who_holds_the_directory() {
        let temp = tempfile::tempdir().expect("temp");
        let first = DataDirectory::open(temp.path()).expect("made");
        let error = DataDirectory::open(temp.path()).expect_err("held");
        let DirectoryError::InUseBy { path, holder } = error else { panic!("{error}") };
        assert_eq!((path.as_path(), holder), (temp.path(), std::process::id()));
        // The journal alone keeps it, too.
        let disk = first.journal_disk();
        drop(first);
        assert!(DataDirectory::open(temp.path()).is_err());
        drop(disk);
        assert!(DataDirectory::open(temp.path()).is_ok());
    }

    #[test]
    fn a_look_at_a_directory_changes_nothing_and_excludes_everybody() {
        let temp = tempfile::tempdir().expect("temp");
        let absent = DataDirectory::inspect(temp.path()).expect_err("nothing there");
        assert!(matches!(absent, DirectoryError::Absent { .. }), "{absent}");
        assert_eq!(names(temp.path()), Vec::<String>::new());
        let open = DataDirectory::open(temp.path()).expect("made");
        let id = open.journal_id();
        let busy = DataDirectory::inspect(temp.path()).expect_err("held");
        assert!(matches!(busy, DirectoryError::InUseBy { .. }), "{busy}");
        drop(open);
        std::fs::write(temp.path().join("LOCK"), "77\n").expect("write");
        std::fs::remove_dir(temp.path().join("tables")).expect("remove");
        let look = DataDirectory::inspect(temp.path()).expect("inspected");
        assert_eq!(look.journal_id(), id);
        assert_eq!(std::fs::read(temp.path().join("LOCK")).expect("read"), b"77\n");
        assert_eq!(names(temp.path()), ["FORMAT", "LOCK", "journal", "snapshots"]);
        for disk in [look.journal_disk(), look.snapshots_disk()] {
            let refused = disk.create("new").expect_err("read only");
            assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
            assert_eq!(disk.list().expect("list"), Vec::<String>::new());
        }
        let held = DataDirectory::open(temp.path()).expect_err("being looked at");
        assert!(matches!(held, DirectoryError::InUseBy { holder: 77, .. }), "{held}");
        drop(look);
        std::fs::remove_file(temp.path().join("LOCK")).expect("remove");
        let error = DataDirectory::inspect(temp.path()).expect_err("incomplete");
        assert!(error.to_string().ends_with("has no LOCK any more"), "{error}");
    }

    #[test]
    fn a_directory_of_others_is_refused_untouched() {
        let temp = tempfile::tempdir().expect("temp");
        std::fs::write(temp.path().join("thesis.tex"), "x").expect("write");
        let error = DataDirectory::open(temp.path()).expect_err("not ours");
        assert!(error.to_string().ends_with("is not ours: it holds \"thesis.tex\""));
        assert_eq!(names(temp.path()), ["thesis.tex"]);
    }

    #[test]
    fn a_half_made_directory_is_finished() {
        let temp = tempfile::tempdir().expect("temp");
        for part in ["journal", "tables", "snapshots", "lost+found"] {
            std::fs::create_dir(temp.path().join(part)).expect("mkdir");
        }
        std::fs::write(temp.path().join("FORMAT.new"), "piecew").expect("write");
        assert!(DataDirectory::open(temp.path()).is_ok());
    }

    #[test]
    fn every_changed_byte_of_format_is_noticed() {
        let temp = tempfile::tempdir().expect("temp");
        drop(DataDirectory::open(temp.path()).expect("made"));
        let file = temp.path().join("FORMAT");
        let good = std::fs::read(&file).expect("read");
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x02;
            std::fs::write(&file, &bytes).expect("write");
            assert!(DataDirectory::open(temp.path()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_journal_that_disappeared_is_not_made_anew() {
        let temp = tempfile::tempdir().expect("temp");
        drop(DataDirectory::open(temp.path()).expect("made"));
        std::fs::remove_dir(temp.path().join("journal")).expect("remove");
        let error = DataDirectory::open(temp.path()).expect_err("incomplete");
        assert!(matches!(error, DirectoryError::Incomplete { part: "journal", .. }));
    }
}
