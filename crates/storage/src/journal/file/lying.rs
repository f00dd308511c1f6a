//! A disk in memory that forgets, tears and refuses as real ones do.
//!
//! Every write is remembered until its file is synced, or it was a durable one. A
//! power cut keeps, drops or tears each remembered write on its own, at 512 bytes,
//! and keeps some first part of the renamed, created and removed names. A killed process
//! loses nothing here, yet what it had not synced stays at risk. After a failed
//! sync the cache shows bytes that the disk does not have and never will, as
//! Linux does: a later sync of the same file succeeds without them.
//!
//! Not here: when the faults come; the test or simulator chooses, by seed.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, DiskFile};
use super::lying_node::{Node, PowerCut};
use super::recording::Operation;
use super::sectors::next_random;

/// The disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct LyingDisk(Arc<Mutex<State>>);

/// An open file of a [`LyingDisk`].
#[derive(Debug)]
pub struct LyingFile {
    disk: LyingDisk,
    node: usize,
}

#[derive(Debug, Clone)]
struct State {
    names: BTreeMap<String, usize>,
    names_on_disk: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    /// Changes of names that have become durable.
    synced_names: usize,
    nodes: Vec<Node>,
    random: u64,
    operations: u64,
    /// From this operation on, nothing works.
    fuse: Option<u64>,
    sync_fails: bool,
    sync_skipped: bool,
    bytes_max: u64,
}

#[derive(Debug, Clone)]
enum NameChange {
    Put { name: String, node: usize },
    Move { from: String, to: String },
    Remove { name: String },
}

impl LyingDisk {
    /// An empty disk without limit. Equal seeds and equal calls give equal faults.
    #[must_use]
    pub fn new(seed: u64) -> LyingDisk {
        LyingDisk(Arc::new(Mutex::new(State {
            names: BTreeMap::new(),
            names_on_disk: BTreeMap::new(),
            unsynced_names: Vec::new(),
            synced_names: 0,
            nodes: Vec::new(),
            random: seed,
            operations: 0,
            fuse: None,
            sync_fails: false,
            sync_skipped: false,
            bytes_max: u64::MAX,
        })))
    }

    /// Another disk with the same content, cache and all.
    #[must_use]
    pub fn copy(&self) -> LyingDisk {
        LyingDisk(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Writing operations so far: write, allocate, sync, create, rename, remove.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// The process dies before its writing operation number `operation`: that
    /// one and every later one fails without effect, until the next
    /// [`LyingDisk::power_cut`] or [`LyingDisk::restart`].
    pub fn die_at(&self, operation: u64) {
        self.lock().fuse = Some(operation);
    }

    /// A killed process is started again: the cache is as it was.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.fuse = None;
        state.sync_fails = false;
    }

    /// The power fails and comes back. Drop the journal first.
    pub fn power_cut(&self) -> PowerCut {
        let mut state = self.lock();
        let state = &mut *state;
        state.fuse = None;
        state.sync_fails = false;
        let mut cut = PowerCut::default();
        let names = state.unsynced_names.len();
        let kept = next_random(&mut state.random) % (names as u64 + 1);
        let kept = usize::try_from(kept).expect("at most as many as there are");
        cut.names_lost = names - kept;
        state.synced_names += names;
        for change in state.unsynced_names.drain(..).take(kept) {
            apply(&mut state.names_on_disk, change);
        }
        state.names = state.names_on_disk.clone();
        for node in &mut state.nodes {
            node.lose_some(&mut state.random, &mut cut);
            node.cached = node.on_disk.clone();
        }
        cut
    }

    /// The next sync of a file fails: some of what it should have kept is on
    /// disk, the rest never will be, and the cache does not show it.
    pub fn fail_next_sync(&self) {
        self.lock().sync_fails = true;
    }

    /// Syncs of files do nothing from now on: the control that must lose groups.
    pub fn skip_syncs(&self) {
        self.lock().sync_skipped = true;
    }

    /// Files together may hold this much.
    pub fn set_bytes_max(&self, bytes: u64) {
        self.lock().bytes_max = bytes;
    }

    /// From now on chance goes on from `seed`.
    pub(super) fn reseed(&self, seed: u64) {
        self.lock().random = seed;
    }

    /// The number behind each name, the writes to each file so far, and the
    /// changes of names so far.
    pub(super) fn numbering(&self) -> (BTreeMap<String, usize>, Vec<usize>, usize) {
        let state = self.lock();
        let writes = state.nodes.iter().map(Node::writes).collect();
        (state.names.clone(), writes, state.synced_names + state.unsynced_names.len())
    }

    /// Does what was once recorded.
    pub(super) fn redo(&self, operation: &Operation) {
        let mut state = self.lock();
        let state = &mut *state;
        match operation {
            Operation::Create { name } => {
                state.nodes.push(Node::default());
                let node = state.nodes.len() - 1;
                state.rename(NameChange::Put { name: name.clone(), node });
            }
            Operation::Allocate { file, bytes } => {
                let have = state.nodes[*file].cached.len();
                let more = index(*bytes).saturating_sub(have);
                state.nodes[*file].write(have, vec![0; more]);
            }
            Operation::Write { file, at, bytes } => {
                state.nodes[*file].write(index(*at), bytes.clone());
            }
            Operation::Sync { file, writes } => state.nodes[*file].sync(*writes),
            Operation::Durable { file, write } => state.nodes[*file].keep(*write),
            Operation::Rename { from, to } => {
                state.rename(NameChange::Move { from: from.clone(), to: to.clone() });
            }
            Operation::Remove { name } => state.rename(NameChange::Remove { name: name.clone() }),
            Operation::SyncDirectory { renames } => state.sync_names(*renames),
            Operation::Open { .. } | Operation::Note(_) => {}
        }
    }

    /// A sync of this file has just failed.
    pub(super) fn fail_sync_of(&self, file: usize) {
        let mut state = self.lock();
        let state = &mut *state;
        state.nodes[file].lose_some(&mut state.random, &mut PowerCut::default());
    }

    /// A durable write to this file has just failed.
    pub(super) fn fail_write_of(&self, file: usize, write: usize) {
        let mut state = self.lock();
        let state = &mut *state;
        state.nodes[file].lose(write, &mut state.random);
    }

    /// The names there are.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// What `name` holds. Panics when there is no such file.
    #[must_use]
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.lock();
        state.nodes[state.names[name]].cached.clone()
    }

    /// Replaces what `name` holds, on disk and in the cache, or removes it.
    pub fn damage(&self, name: &str, content: Option<Vec<u8>>) {
        let mut state = self.lock();
        match content {
            Some(bytes) => {
                let node = state.names[name];
                state.nodes[node].replace(bytes);
            }
            None => {
                state.names.remove(name);
                state.names_on_disk.remove(name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panicked")
    }

    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.operations += 1;
        if state.fuse.is_some_and(|fuse| state.operations >= fuse) {
            return Err(io::Error::other("the process is dead"));
        }
        Ok(state)
    }
}

impl State {
    fn node(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// As many bytes more as `node` would grow by.
    fn check_space(&self, node: usize, end: usize) -> io::Result<()> {
        let used: usize = self.names.values().map(|node| self.nodes[*node].cached.len()).sum();
        let more = end.saturating_sub(self.nodes[node].cached.len());
        if (used + more) as u64 > self.bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn write(&mut self, node: usize, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.check_space(node, at + bytes.len())?;
        self.nodes[node].write(at, bytes.to_vec());
        Ok(())
    }

    fn rename(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.unsynced_names.push(change);
    }

    /// The first `count` changes of names, ever, are durable.
    fn sync_names(&mut self, count: usize) {
        let count = count.saturating_sub(self.synced_names).min(self.unsynced_names.len());
        self.synced_names += count;
        for change in self.unsynced_names.drain(..count) {
            apply(&mut self.names_on_disk, change);
        }
    }
}

impl Disk for LyingDisk {
    type File = LyingFile;

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("lying").join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str) -> io::Result<LyingFile> {
        let mut state = self.change()?;
        state.nodes.push(Node::default());
        let node = state.nodes.len() - 1;
        state.rename(NameChange::Put { name: name.to_owned(), node });
        Ok(LyingFile { disk: self.clone(), node })
    }

    fn open(&self, name: &str) -> io::Result<LyingFile> {
        let node = self.lock().node(name)?;
        Ok(LyingFile { disk: self.clone(), node })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.change()?;
        state.node(from)?;
        state.rename(NameChange::Move { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.change()?;
        state.node(name)?;
        state.rename(NameChange::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.change()?.sync_names(usize::MAX);
        Ok(())
    }
}

impl DiskFile for LyingFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.lock().nodes[self.node].cached.len() as u64)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.change()?;
        let have = state.nodes[self.node].cached.len();
        let more = index(bytes).saturating_sub(have);
        state.write(self.node, have, &vec![0; more])
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        let bytes = state.nodes[self.node].cached.get(index(offset)..).unwrap_or(&[]);
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.change()?.write(self.node, index(offset), bytes)
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)?;
        let mut state = self.disk.change()?;
        let state = &mut *state;
        if state.sync_skipped {
            return Ok(());
        }
        let node = &mut state.nodes[self.node];
        let write = node.writes();
        if std::mem::take(&mut state.sync_fails) {
            node.lose(write, &mut state.random);
            return Err(io::Error::other("the disk did not take it"));
        }
        node.keep(write);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.change()?;
        let state = &mut *state;
        if state.sync_skipped {
            return Ok(());
        }
        let node = &mut state.nodes[self.node];
        if std::mem::take(&mut state.sync_fails) {
            node.lose_some(&mut state.random, &mut PowerCut::default());
            return Err(io::Error::other("the disk did not take it"));
        }
        node.sync(usize::MAX);
        Ok(())
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: NameChange) {
    match change {
        NameChange::Put { name, node } => {
            names.insert(name, node);
        }
        NameChange::Move { from, to } => {
            if let Some(node) = names.remove(&from) {
                names.insert(to, node);
            }
        }
        NameChange::Remove { name } => {
            names.remove(&name);
        }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a disk in memory is small")
}
