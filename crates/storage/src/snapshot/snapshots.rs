//! The snapshots of a directory: which there are, which are whole, which go.
//!
//! Invariant: a page file is removed only when no readable manifest names it and
//! nobody reads or makes a snapshot with it. While a manifest cannot be read,
//! pages that nobody names may be its own, and stay.
//!
//! Not here: making one (`snapshotter.rs`), reading one through (`verify.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use piecework_core::{Now, Position};

use crate::digest::RowsDigest;
use crate::journal::{Disk, JournalId};

use super::error::{ManifestFault, SnapshotError};
use super::files;
use super::manifest::{Manifest, file_of, position_of};
use super::page::{Look, PageEntry, SnapshotRow};

const PAGE_ENDING: &str = ".rows";

/// Sizes of snapshots, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// Whose rows they are.
    pub journal: JournalId,
    /// Bytes of a page file before compression, about.
    pub file_bytes: usize,
    /// Bytes of the journal's changes that are held in memory at once.
    pub delta_bytes: usize,
    /// Snapshots that stay when a new one is made, that one included; at least 1.
    pub kept: usize,
}

impl SnapshotSettings {
    /// What the daemon uses: pages of 1 MiB, 32 MiB of changes at once, two kept.
    #[must_use]
    pub fn new(journal: JournalId) -> SnapshotSettings {
        SnapshotSettings {
            journal,
            file_bytes: 1024 * 1024,
            delta_bytes: 32 * 1024 * 1024,
            kept: 2,
        }
    }
}

/// A snapshot, as its manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// All rows are as they were after this command.
    pub position: Position,
    /// The logged times of the group that ends there.
    pub now: Now,
    /// How many rows there are.
    pub rows: u64,
    /// Bytes of the rows, uncompressed.
    pub raw_bytes: u64,
    /// Bytes of all its page files.
    pub stored_bytes: u64,
    /// Bytes of the page files that no older snapshot shares.
    pub own_bytes: u64,
    /// The digest of all rows.
    pub digest: RowsDigest,
    /// The name of its manifest.
    pub file: String,
}

/// The snapshots of one directory. Clones share them.
#[derive(Debug)]
pub struct Snapshots<D: Disk> {
    shared: Arc<Shared<D>>,
}

impl<D: Disk> Clone for Snapshots<D> {
    fn clone(&self) -> Snapshots<D> {
        Snapshots { shared: Arc::clone(&self.shared) }
    }
}

#[derive(Debug)]
struct Shared<D: Disk> {
    disk: D,
    settings: SnapshotSettings,
    is_read_only: bool,
    damaged: Vec<SnapshotError>,
    catalog: Mutex<Catalog>,
}

/// What is known of the directory.
#[derive(Debug, Default)]
struct Catalog {
    readable: BTreeMap<Position, Arc<Manifest>>,
    /// Readable ones with a page that is damaged or missing.
    doubted: BTreeSet<Position>,
    unreadable: BTreeSet<Position>,
    /// Pages that may belong to the unreadable ones.
    unknown: BTreeSet<String>,
    /// Pages in use, by whoever uses them.
    pinned: BTreeMap<u64, BTreeSet<String>>,
    last_pin: u64,
    is_making: bool,
}

impl<D: Disk> Snapshots<D> {
    /// Opens the snapshots on `disk` and removes what a crash has left half-made.
    /// Damaged ones stay where they are, see [`Snapshots::damaged`].
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(disk: D, settings: SnapshotSettings) -> Result<Snapshots<D>, SnapshotError> {
        let snapshots = Snapshots::open_read_only(disk, settings)?;
        let mut shared = Arc::into_inner(snapshots.shared).expect("nobody else has it yet");
        shared.is_read_only = false;
        let snapshots = Snapshots { shared: Arc::new(shared) };
        snapshots.sweep()?;
        Ok(snapshots)
    }

    /// Opens the snapshots on `disk` and changes nothing, now or later.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn open_read_only(
        disk: D,
        settings: SnapshotSettings,
    ) -> Result<Snapshots<D>, SnapshotError> {
        let names = files::list(&disk)?;
        let pages: BTreeSet<&String> = names.iter().filter(|n| n.ends_with(PAGE_ENDING)).collect();
        let (mut catalog, mut damaged) = (Catalog::default(), Vec::new());
        for position in names.iter().filter_map(|name| position_of(name)) {
            match read_manifest(&disk, settings.journal, position) {
                Ok(manifest) => {
                    let missing = manifest.pages.iter().map(|p| p.hash.file());
                    if let Some(file) = missing.into_iter().find(|file| !pages.contains(file)) {
                        let file = disk.path(&file);
                        damaged.push(SnapshotError::Missing { file, position });
                        catalog.doubted.insert(position);
                    }
                    catalog.readable.insert(position, Arc::new(manifest));
                }
                Err(error) if error.is_damage() => {
                    damaged.push(error);
                    catalog.unreadable.insert(position);
                }
                Err(error) => return Err(error),
            }
        }
        if !catalog.unreadable.is_empty() {
            let named = catalog.named();
            catalog.unknown = pages.into_iter().filter(|p| !named.contains(*p)).cloned().collect();
        }
        let catalog = Mutex::new(catalog);
        let shared = Shared { disk, settings, is_read_only: true, damaged, catalog };
        Ok(Snapshots { shared: Arc::new(shared) })
    }

    /// What was wrong at opening: manifests that cannot be read, pages that are
    /// missing. No more than what the names and manifests tell; only
    /// [`Snapshots::verify`] reads the pages.
    #[must_use]
    pub fn damaged(&self) -> &[SnapshotError] {
        &self.shared.damaged
    }

    /// Those that are known not to be whole, oldest first: [`Snapshots::verify`]
    /// says why.
    #[must_use]
    pub fn doubtful(&self) -> Vec<Position> {
        let catalog = self.catalog();
        catalog.doubted.union(&catalog.unreadable).copied().collect()
    }

    /// The whole snapshots, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<SnapshotInfo> {
        let catalog = self.catalog();
        catalog.whole().map(|manifest| catalog.info(manifest)).collect()
    }

    /// The newest whole snapshot.
    #[must_use]
    pub fn newest(&self) -> Option<SnapshotInfo> {
        let catalog = self.catalog();
        catalog.whole().next_back().map(|manifest| catalog.info(manifest))
    }

    /// Up to here the rows are in a whole snapshot, each page of which was read
    /// back after it was made: only below may the journal be trimmed.
    #[must_use]
    pub fn covered(&self) -> Position {
        // A manifest is put in place only after its pages were read back.
        self.catalog().whole().next_back().map_or(Position(0), |manifest| manifest.position)
    }

    /// Removes a snapshot, also a damaged one, and the pages that only it has.
    ///
    /// # Errors
    /// There is none at `position`; or the directory cannot be changed.
    pub fn remove(&self, position: Position) -> Result<(), SnapshotError> {
        self.check_writable()?;
        let is_known = {
            let catalog = self.catalog();
            catalog.readable.contains_key(&position) || catalog.unreadable.contains(&position)
        };
        if !is_known {
            return Err(SnapshotError::Absent { position });
        }
        files::remove(self.disk(), &file_of(position))?;
        // Durably, first: a manifest must not come back without its pages.
        files::sync_names(self.disk())?;
        self.catalog().forget(position);
        self.sweep()
    }

    pub(super) fn disk(&self) -> &D {
        &self.shared.disk
    }

    pub(super) fn settings(&self) -> &SnapshotSettings {
        &self.shared.settings
    }

    pub(super) fn check_writable(&self) -> Result<(), SnapshotError> {
        if self.shared.is_read_only {
            return Err(SnapshotError::ReadOnly { path: self.disk().path("") });
        }
        Ok(())
    }

    /// The newest whole manifest, that of `at`, or none.
    pub(super) fn manifest(&self, at: Option<Position>) -> Option<Arc<Manifest>> {
        let catalog = self.catalog();
        let mut whole = catalog.whole().rev();
        whole.find(|manifest| at.is_none_or(|at| manifest.position == at)).cloned()
    }

    pub(super) fn info(&self, manifest: &Manifest) -> SnapshotInfo {
        self.catalog().info(manifest)
    }

    /// Reads a manifest again, from disk.
    pub(super) fn read_manifest(&self, position: Position) -> Result<Manifest, SnapshotError> {
        read_manifest(self.disk(), self.settings().journal, position)
    }

    /// Reads a page of the snapshot at `position`; `all`: with every value and
    /// the digest. What is damaged or missing makes the snapshot a doubted one.
    pub(super) fn read_page(
        &self,
        position: Position,
        page: &PageEntry,
        look: Look,
    ) -> Result<Vec<SnapshotRow>, SnapshotError> {
        let read = files::read_page(self.disk(), position, page).and_then(|bytes| {
            let rows = page.read_as(&bytes, look);
            let file = self.disk().path(&page.hash.file());
            rows.map_err(|source| SnapshotError::Page { file, source })
        });
        if read.as_ref().is_err_and(SnapshotError::is_damage) {
            self.catalog().doubt(page);
        }
        read
    }

    /// Puts a manifest in place; its pages are there, durably.
    pub(super) fn publish(&self, manifest: Manifest) -> Result<(), SnapshotError> {
        let position = manifest.position;
        let manifest = Arc::new(manifest);
        let publish = |is_whole: bool| {
            let mut catalog = self.catalog();
            catalog.forget(position);
            catalog.readable.insert(position, Arc::clone(&manifest));
            if !is_whole {
                catalog.doubted.insert(position);
            }
        };
        // If this fails half-way the manifest may be there: its pages must stay.
        publish(false);
        files::put(self.disk(), &file_of(position), &manifest.encode())?;
        files::sync_names(self.disk())?;
        publish(true);
        Ok(())
    }

    /// Removes the oldest snapshot that need not be kept, or, if there is none,
    /// what nobody names. False: that was the last.
    pub(super) fn retire(&self) -> Result<bool, SnapshotError> {
        let kept = self.settings().kept.max(1);
        let oldest_kept = self.catalog().whole().rev().nth(kept - 1).map(|m| m.position);
        let retired = {
            let catalog = self.catalog();
            catalog.readable.keys().copied().find(|at| oldest_kept.is_some_and(|kept| *at < kept))
        };
        match retired {
            Some(position) => self.remove(position).map(|()| true),
            None => self.sweep().map(|()| false),
        }
    }

    /// Removes pages that nobody names or uses and, unless a snapshot is being
    /// made, half-made files.
    pub(super) fn sweep(&self) -> Result<(), SnapshotError> {
        let names = files::list(self.disk())?;
        let (needed, is_making) = {
            let catalog = self.catalog();
            (catalog.needed(), catalog.is_making)
        };
        for name in names {
            let is_unused = name.ends_with(PAGE_ENDING) && !needed.contains(&name);
            if is_unused || (files::is_half_made(&name) && !is_making) {
                files::remove(self.disk(), &name)?;
            }
        }
        Ok(())
    }

    /// Keeps pages from being removed as long as the pin lives.
    pub(super) fn pin<'a>(&self, pages: impl IntoIterator<Item = &'a PageEntry>) -> Pin<D> {
        let mut catalog = self.catalog();
        catalog.last_pin += 1;
        let number = catalog.last_pin;
        let files = pages.into_iter().map(|page| page.hash.file()).collect();
        catalog.pinned.insert(number, files);
        Pin { snapshots: self.clone(), number, is_maker: false }
    }

    /// The pin of whoever makes a snapshot: one at a time.
    pub(super) fn begin_making(&self) -> Result<Pin<D>, SnapshotError> {
        self.check_writable()?;
        if std::mem::replace(&mut self.catalog().is_making, true) {
            return Err(SnapshotError::Busy);
        }
        let mut pin = self.pin([]);
        pin.is_maker = true;
        Ok(pin)
    }

    // The catalog changes by whole entries: a panic elsewhere leaves it usable.
    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.shared.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalog {
    fn whole(&self) -> impl DoubleEndedIterator<Item = &Arc<Manifest>> {
        let whole = self.readable.iter().filter(|(at, _)| !self.doubted.contains(at));
        whole.map(|(_, manifest)| manifest)
    }

    fn info(&self, manifest: &Manifest) -> SnapshotInfo {
        let older = self.readable.range(..manifest.position);
        let older: BTreeSet<_> = older.flat_map(|(_, m)| &m.pages).map(|page| page.hash).collect();
        let own = manifest.pages.iter().filter(|page| !older.contains(&page.hash));
        SnapshotInfo {
            position: manifest.position,
            now: manifest.now,
            rows: manifest.rows(),
            raw_bytes: manifest.pages.iter().map(|page| page.raw_bytes).sum(),
            stored_bytes: manifest.pages.iter().map(|page| page.stored_bytes).sum(),
            own_bytes: own.map(|page| page.stored_bytes).sum(),
            digest: manifest.digest(),
            file: file_of(manifest.position),
        }
    }

    /// Every snapshot that shares this page is in doubt.
    fn doubt(&mut self, page: &PageEntry) {
        let shares = |m: &Manifest| m.pages.iter().any(|other| other.hash == page.hash);
        let sharing = self.readable.iter().filter(|(_, m)| shares(m)).map(|(at, _)| *at);
        self.doubted.extend(sharing);
    }

    fn forget(&mut self, position: Position) {
        self.readable.remove(&position);
        self.doubted.remove(&position);
        self.unreadable.remove(&position);
        if self.unreadable.is_empty() {
            self.unknown.clear();
        }
    }

    /// Files of the pages that readable manifests name.
    fn named(&self) -> BTreeSet<String> {
        self.readable.values().flat_map(|m| &m.pages).map(|page| page.hash.file()).collect()
    }

    /// Files of pages that must stay.
    fn needed(&self) -> BTreeSet<String> {
        let mut needed = self.named();
        needed.extend(self.pinned.values().flatten().chain(&self.unknown).cloned());
        needed
    }
}

/// Keeps pages in place.
#[derive(Debug)]
pub(super) struct Pin<D: Disk> {
    snapshots: Snapshots<D>,
    number: u64,
    is_maker: bool,
}

impl<D: Disk> Pin<D> {
    /// Keeps these pages from now on, and no others.
    pub(super) fn keep<'a>(&self, pages: impl IntoIterator<Item = &'a PageEntry>) {
        let files = pages.into_iter().map(|page| page.hash.file()).collect();
        self.snapshots.catalog().pinned.insert(self.number, files);
    }

    /// Keeps this page too.
    pub(super) fn add(&self, page: &PageEntry) {
        let mut catalog = self.snapshots.catalog();
        catalog.pinned.entry(self.number).or_default().insert(page.hash.file());
    }
}

impl<D: Disk> Drop for Pin<D> {
    fn drop(&mut self) {
        let mut catalog = self.snapshots.catalog();
        catalog.pinned.remove(&self.number);
        if self.is_maker {
            catalog.is_making = false;
        }
    }
}

/// The manifest of a position, in its place and of this journal.
fn read_manifest<D: Disk>(
    disk: &D,
    journal: JournalId,
    position: Position,
) -> Result<Manifest, SnapshotError> {
    let name = file_of(position);
    let manifest = files::read_manifest(disk, &name)?;
    let manifest = manifest.ok_or(SnapshotError::Absent { position })?;
    if manifest.journal != journal {
        let source = ManifestFault::Foreign { found: manifest.journal, expected: journal };
        return Err(SnapshotError::Manifest { file: disk.path(&name), source });
    }
    Ok(manifest)
}
