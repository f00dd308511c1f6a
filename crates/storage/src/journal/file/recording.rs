//! A disk that writes down everything done to it, and power cuts built from that.
//!
//! A real run on real files, threads and all, is recorded once; afterwards the
//! power can fail at every operation of it, many times each, without another
//! run. A write counts from its beginning on, for it may be on disk before it
//! has returned; a sync counts from its end on, and for what was written before
//! it began; a durable write counts for itself alone.
//!
//! Not here: what a power cut does to unsynced writes (`lying.rs`).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use piecework_core::Position;

use super::disk::{Disk, DiskFile};
use super::lying::LyingDisk;

/// A disk that remembers what was done. Clones are the same disk.
pub struct RecordingDisk<D: Disk>(Arc<Recorder<D>>);

/// An open file of a [`RecordingDisk`].
pub struct RecordingFile<D: Disk> {
    disk: RecordingDisk<D>,
    file: D::File,
    node: usize,
}

struct Recorder<D> {
    disk: D,
    start: LyingDisk,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    operations: Vec<Recorded>,
    names: BTreeMap<String, usize>,
    /// Per file, whatever its name: writes so far.
    writes: Vec<usize>,
    /// Changes of names so far.
    renames: usize,
}

/// One thing that was done, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The thread's name.
    pub thread: Option<String>,
    /// What it did.
    pub operation: Operation,
}

/// Something done to a disk. Files are numbered in the order of their creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new file, numbered next, under this name.
    Create {
        /// Its name.
        name: String,
    },
    /// A file was opened. Does nothing.
    Open {
        /// Its name.
        name: String,
    },
    /// Space was taken.
    Allocate {
        /// In which file.
        file: usize,
        /// Up to which length.
        bytes: u64,
    },
    /// Bytes were written.
    Write {
        /// To which file.
        file: usize,
        /// From which byte on.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// A sync of a file has ended.
    Sync {
        /// Which file.
        file: usize,
        /// So many writes to it, counted from its creation, are durable.
        writes: usize,
    },
    /// A durable write has ended.
    Durable {
        /// Which file.
        file: usize,
        /// Which of the writes to it, counted from its creation, from one on.
        write: usize,
    },
    /// A name was changed.
    Rename {
        /// The old name.
        from: String,
        /// The new one.
        to: String,
    },
    /// A name was removed.
    Remove {
        /// The name.
        name: String,
    },
    /// A sync of the directory has ended.
    SyncDirectory {
        /// So many changes of names, counted from the first, are durable.
        renames: usize,
    },
    /// The caller's own remark.
    Note(Note),
}

impl Operation {
    /// Whether something has become durable by it.
    #[must_use]
    pub fn is_sync(&self) -> bool {
        matches!(
            self,
            Operation::Sync { .. } | Operation::Durable { .. } | Operation::SyncDirectory { .. }
        )
    }
}

/// What a caller remarks about the operations around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// What, in the caller's words.
    pub what: &'static str,
    /// With respect to which position.
    pub position: Position,
}

impl<D: Disk> RecordingDisk<D> {
    /// Records on `disk`, which must be empty.
    ///
    /// # Errors
    /// It cannot be listed. Panics when something lies there.
    pub fn new(disk: D) -> io::Result<RecordingDisk<D>> {
        assert!(disk.list()?.is_empty(), "{} is not empty", disk.path("").display());
        Ok(RecordingDisk::from_start(disk, LyingDisk::new(0)))
    }

    fn from_start(disk: D, start: LyingDisk) -> RecordingDisk<D> {
        let (names, writes, renames) = start.numbering();
        let state = State { operations: Vec::new(), names, writes, renames };
        RecordingDisk(Arc::new(Recorder { disk, start, state: Mutex::new(state) }))
    }

    /// Puts a remark between the operations.
    pub fn note(&self, what: &'static str, position: Position) {
        self.lock().push(Operation::Note(Note { what, position }));
    }

    /// What was done so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        Recording { start: self.0.start.copy(), operations: self.lock().operations.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder panicked")
    }
}

impl RecordingDisk<LyingDisk> {
    /// Records on `disk` as it is, with whatever is in its cache only.
    #[must_use]
    pub fn over(disk: LyingDisk) -> RecordingDisk<LyingDisk> {
        let start = disk.copy();
        RecordingDisk::from_start(disk, start)
    }
}

impl State {
    fn push(&mut self, operation: Operation) {
        let thread = std::thread::current().name().map(ToOwned::to_owned);
        self.operations.push(Recorded { thread, operation });
    }

    /// One that moves names: recorded when it was done.
    fn rename(&mut self, operation: Operation) {
        self.renames += 1;
        self.push(operation);
    }
}

impl<D: Disk> Disk for RecordingDisk<D> {
    type File = RecordingFile<D>;

    fn path(&self, name: &str) -> PathBuf {
        self.0.disk.path(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<RecordingFile<D>> {
        // Under the lock, so that files are numbered in the order of the record.
        let mut state = self.lock();
        let file = self.0.disk.create(name)?;
        let node = state.writes.len();
        state.writes.push(0);
        state.names.insert(name.to_owned(), node);
        state.rename(Operation::Create { name: name.to_owned() });
        Ok(RecordingFile { disk: self.clone(), file, node })
    }

    fn open(&self, name: &str) -> io::Result<RecordingFile<D>> {
        let mut state = self.lock();
        let file = self.0.disk.open(name)?;
        let node = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        state.push(Operation::Open { name: name.to_owned() });
        Ok(RecordingFile { disk: self.clone(), file, node })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        self.0.disk.rename(from, to)?;
        if let Some(node) = state.names.remove(from) {
            state.names.insert(to.to_owned(), node);
        }
        state.rename(Operation::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        self.0.disk.remove(name)?;
        state.names.remove(name);
        state.rename(Operation::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let renames = self.lock().renames;
        self.0.disk.sync_directory()?;
        self.lock().push(Operation::SyncDirectory { renames });
        Ok(())
    }
}

impl<D: Disk> RecordingFile<D> {
    /// Which of the writes to this file it is.
    fn begin_write(&self, operation: Operation) -> usize {
        let mut state = self.disk.lock();
        state.writes[self.node] += 1;
        state.push(operation);
        state.writes[self.node]
    }
}

impl<D: Disk> DiskFile for RecordingFile<D> {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.begin_write(Operation::Allocate { file: self.node, bytes });
        self.file.allocate(bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (file, at) = (self.node, offset);
        self.begin_write(Operation::Write { file, at, bytes: bytes.to_vec() });
        self.file.write_at(bytes, offset)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (file, at) = (self.node, offset);
        let write = self.begin_write(Operation::Write { file, at, bytes: bytes.to_vec() });
        self.file.write_durably(bytes, offset)?;
        self.disk.lock().push(Operation::Durable { file, write });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let writes = self.disk.lock().writes[self.node];
        self.file.sync_data()?;
        self.disk.lock().push(Operation::Sync { file: self.node, writes });
        Ok(())
    }
}

impl<D: Disk> Clone for RecordingDisk<D> {
    fn clone(&self) -> RecordingDisk<D> {
        RecordingDisk(Arc::clone(&self.0))
    }
}

impl<D: Disk> fmt::Debug for RecordingDisk<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = self.lock().operations.len();
        f.debug_struct("RecordingDisk")
            .field("disk", &self.0.disk)
            .field("operations", &operations)
            .finish()
    }
}

impl<D: Disk> fmt::Debug for RecordingFile<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingFile").field("node", &self.node).finish_non_exhaustive()
    }
}

/// What was done to a disk, in order.
#[derive(Debug, Clone)]
pub struct Recording {
    start: LyingDisk,
    operations: Vec<Recorded>,
}

impl Recording {
    /// All of it.
    #[must_use]
    pub fn operations(&self) -> &[Recorded] {
        &self.operations
    }

    /// From the beginning; for one cut after the other.
    #[must_use]
    pub fn replay(&self) -> Replay<'_> {
        Replay { recording: self, disk: self.start.copy(), done: 0 }
    }

    /// The disk as it may be after a power cut before operation `cut`. Equal
    /// seeds give equal disks. Cost: does everything before the cut again; see
    /// [`Replay`] for many cuts.
    #[must_use]
    pub fn state(&self, cut: usize, seed: u64) -> LyingDisk {
        let mut replay = self.replay();
        replay.advance(cut);
        let disk = replay.killed(seed, false);
        disk.power_cut();
        disk
    }
}

/// A recording that is done again, up to a point.
#[derive(Debug)]
pub struct Replay<'a> {
    recording: &'a Recording,
    disk: LyingDisk,
    done: usize,
}

impl Replay<'_> {
    /// Goes on until just before operation `cut`; never back.
    ///
    /// Panics when that is behind us, or behind the end.
    pub fn advance(&mut self, cut: usize) {
        for recorded in &self.recording.operations[self.done..cut] {
            self.disk.redo(&recorded.operation);
        }
        self.done = cut;
    }

    /// The disk as a process that is killed here leaves it: the cache shows
    /// everything, and what was not synced is still at risk. `seed`: for the
    /// power cuts to come.
    ///
    /// With `sync_fails`, and when a sync or the end of a durable write comes
    /// next, that fails first: what it should have kept is partly lost for good,
    /// and the cache does not show it.
    #[must_use]
    pub fn killed(&self, seed: u64, sync_fails: bool) -> LyingDisk {
        let disk = self.disk.copy();
        disk.reseed(seed);
        let next = self.recording.operations.get(self.done).map(|recorded| &recorded.operation);
        match next {
            Some(Operation::Sync { file, .. }) if sync_fails => disk.fail_sync_of(*file),
            Some(Operation::Durable { file, write }) if sync_fails => {
                disk.fail_write_of(*file, *write);
            }
            _ => {}
        }
        disk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One file, written twice and synced once, renamed without a directory sync.
    fn record() -> Recording {
        let disk = RecordingDisk::new(LyingDisk::new(1)).expect("empty");
        let file = disk.create("a").expect("created");
        disk.sync_directory().expect("synced");
        file.write_at(&[1; 1024], 0).expect("written");
        file.sync_data().expect("synced");
        disk.note("acknowledged", Position(1));
        file.write_at(&[2; 1024], 1024).expect("written");
        disk.rename("a", "b").expect("renamed");
        disk.recording()
    }

    #[test]
    fn what_was_synced_before_the_cut_is_there_and_the_rest_may_be() {
        let recording = record();
        let acknowledged = recording.operations().iter().position(|recorded| {
            recorded.operation
                == Operation::Note(Note { what: "acknowledged", position: Position(1) })
        });
        let (mut lengths, mut names) = (Vec::new(), Vec::new());
        for cut in acknowledged.expect("noted")..=recording.operations().len() {
            for seed in 0..32 {
                let disk = recording.state(cut, seed);
                let name = disk.names().pop().expect("one file");
                let content = disk.content(&name);
                assert_eq!(content[..1024], [1; 1024], "cut {cut}, seed {seed}");
                lengths.push(content.len());
                names.push(name);
            }
        }
        lengths.sort_unstable();
        lengths.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!(lengths, [1024, 1536, 2048]);
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_durable_write_keeps_itself_and_no_other() {
        let disk = RecordingDisk::new(LyingDisk::new(1)).expect("empty");
        let file = disk.create("a").expect("created");
        disk.sync_directory().expect("synced");
        file.write_at(&[1; 1024], 0).expect("written");
        file.write_durably(&[2; 1024], 512).expect("durable");
        file.write_at(&[3; 1024], 4096).expect("written");
        let recording = disk.recording();
        let end = recording.operations().len();
        let contents: Vec<_> =
            (0..32).map(|seed| recording.state(end, seed).content("a")).collect();
        assert!(contents.iter().all(|content| content[512..1536] == [2; 1024]));
        assert!(contents.iter().any(|content| content[..512] != [1; 512]));
        assert!(contents.iter().any(|content| content.get(4096..) != Some(&[3; 1024])));
        file.sync_data().expect("synced");
        let recording = disk.recording();
        let synced = recording.state(recording.operations().len(), 7).content("a");
        assert_eq!((&synced[..512], &synced[512..1536]), (&[1; 512][..], &[2; 1024][..]));
        assert_eq!(synced[4096..], [3; 1024]);
    }

    #[test]
    fn before_the_sync_has_ended_nothing_is_certain() {
        let recording = record();
        let sync = recording
            .operations()
            .iter()
            .position(|recorded| matches!(recorded.operation, Operation::Sync { .. }));
        let contents =
            (0..32).map(|seed| recording.state(sync.expect("synced"), seed).content("a"));
        assert!(contents.into_iter().any(|content| content != [1; 1024]));
    }

    #[test]
    fn a_second_life_keeps_what_the_first_had_in_the_cache_at_risk() {
        let recording = record();
        let mut replay = recording.replay();
        replay.advance(recording.operations().len());
        let disk = replay.killed(7, false);
        assert_eq!(disk.content("b")[1024..], [2; 1024], "the cache shows it");
        let second = RecordingDisk::over(disk);
        second.note("nothing was synced", Position(0));
        let lost = (0..32).any(|seed| {
            let state = second.recording().state(1, seed);
            let name = state.names().pop().expect("one file");
            state.content(&name).get(1024..) != Some([2; 1024].as_slice())
        });
        assert!(lost);
        second.open("b").expect("there").sync_data().expect("synced");
        let recording = second.recording();
        for seed in 0..32 {
            let state = recording.state(recording.operations().len(), seed);
            let name = state.names().pop().expect("one file");
            assert_eq!(state.content(&name)[1024..], [2; 1024]);
        }
    }
}
