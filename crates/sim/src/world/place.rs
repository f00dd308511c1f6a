//! Where a simulated daemon's state lies: disks that lie, tables that forget.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use piecework_core::Position;
use piecework_server::stepped;
use piecework_storage::{
    JournalError, JournalId, JournalSettings, KeyValue, LyingDisk, MemoryKeyValue, OnDurable,
    PageLog, SnapshotError, SnapshotSettings, Snapshots, SteppedJournal, Store, StoreError,
    StoreSettings,
};

use super::describe;
use super::step::{Crash, Tables};

/// Sizes small enough that a short run meets every limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of a journal segment.
    pub segment_bytes: u64,
    /// Segments prepared ahead.
    pub ready_segments: usize,
    /// Groups that may wait behind the one in sync.
    pub queued_groups: usize,
    /// Bytes of rows that wait for a checkpoint.
    pub overlay_bytes: usize,
    /// Bytes of a snapshot's file, uncompressed.
    pub snapshot_file_bytes: usize,
}

/// Everything that outlives the process.
pub(super) struct Place {
    disk: LyingDisk,
    snapshots: LyingDisk,
    /// Files of pages; where they lie is in `tables`.
    pages: LyingDisk,
    /// There is an end to the disks' room.
    full: Cell<bool>,
    /// A file of a snapshot has rotted.
    rotten: Cell<bool>,
    tables: RefCell<MemoryKeyValue>,
    /// Somebody has damaged them.
    hurt: Cell<bool>,
    /// They were found damaged, and nobody had.
    lost: RefCell<Option<String>>,
    /// The marker that stands from the opening of the tables until all is loaded:
    /// whoever finds it sets them aside.
    marked: Cell<bool>,
    sizes: Sizes,
}

const JOURNAL: JournalId = JournalId(0x7077);
/// Small enough that pages move in a short run.
const PAGE_FILE_BYTES: u64 = 16 * 1024;

impl Place {
    pub(super) fn new(seed: u64, sizes: Sizes) -> Place {
        Place {
            disk: LyingDisk::new(seed),
            snapshots: LyingDisk::new(seed.wrapping_add(1)),
            pages: LyingDisk::new(seed.wrapping_add(2)),
            full: Cell::new(false),
            rotten: Cell::new(false),
            tables: RefCell::new(MemoryKeyValue::new()),
            hurt: Cell::new(false),
            lost: RefCell::new(None),
            marked: Cell::new(false),
            sizes,
        }
    }

    /// The process has died; its memory is gone. Drop the writer first.
    pub(super) fn crash(&self, crash: Crash) {
        self.set_room(None);
        for disk in [&self.disk, &self.snapshots, &self.pages] {
            if crash.power {
                disk.power_cut();
            } else {
                disk.restart();
            }
        }
        self.hurt.set(self.hurt.get() || crash.tables != Tables::Kept);
        let tables = self.tables.borrow();
        tables.crash(crash.batches_kept);
        let keys = tables.keys();
        match crash.tables {
            Tables::Kept => {}
            Tables::Hang => self.marked.set(true),
            Tables::LoseKey(nth) => {
                if let Some(key) = keys.get(nth % keys.len().max(1)) {
                    tables.apply_batch(&vec![(key.clone(), None)]).expect("memory takes it");
                    tables.flush().expect("memory takes it");
                }
            }
            Tables::FlipByte(nth) if nth % 2 == 1 => self.damage_newest_page(),
            Tables::FlipByte(nth) => {
                if let Some(key) = keys.get(nth % keys.len().max(1)) {
                    tables.damage(key, |value| {
                        let at = nth % value.len().max(1);
                        value[at] ^= 1;
                    });
                }
            }
        }
        if let Some(operations) = crash.again_at {
            self.disk.die_at(self.disk.operations() + operations);
        }
    }

    fn open_tables(&self) -> Result<Store, StoreError> {
        let settings =
            StoreSettings { overlay_bytes: self.sizes.overlay_bytes, ..StoreSettings::default() };
        let places = self.tables.borrow().clone();
        let tables = PageLog::with_files_of(PAGE_FILE_BYTES, places, self.pages.clone())?;
        let store = Store::with_key_value(Arc::new(tables), &settings)?;
        // As the daemon does with tables of this size.
        store.check_pages()?;
        Ok(store)
    }

    /// The last page that was written, if any was: a byte of it has changed.
    fn damage_newest_page(&self) {
        if let Some(newest) = self.pages.names().into_iter().max() {
            let mut content = self.pages.content(&newest);
            content.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            self.pages.damage(&newest, Some(content));
        }
    }

    /// A recovery that died: the process is started once more.
    pub(super) fn crash_again(&self, power: bool) {
        self.crash(Crash { power, batches_kept: usize::MAX, ..Crash::default() });
    }

    /// Everything is loaded.
    pub(super) fn loaded(&self) {
        self.marked.set(false);
    }

    /// What was damaged in tables that only crashes had come to.
    pub(super) fn lost(&self) -> Option<String> {
        self.lost.take()
    }

    /// There is an end to the disks' room.
    pub(super) fn is_full(&self) -> bool {
        self.full.get()
    }

    pub(super) fn fail_next_sync(&self) {
        self.disk.fail_next_sync();
    }

    pub(super) fn fail_writes(&self, after: u64) {
        self.disk.die_at(self.disk.operations() + 1 + after);
    }

    pub(super) fn set_room(&self, bytes: Option<u64>) {
        self.full.set(bytes.is_some());
        for disk in [&self.disk, &self.snapshots] {
            let used = || {
                let names = disk.names();
                names.iter().map(|name| disk.content(name).len() as u64).sum::<u64>()
            };
            disk.set_bytes_max(bytes.map_or(u64::MAX, |bytes| used() + bytes));
        }
    }

    /// The files of snapshots.
    pub(super) fn snapshot_files(&self) -> Vec<String> {
        self.snapshots.names()
    }

    /// Changes a byte in every file of rows that is not `there` yet. Returns how many.
    pub(super) fn rot_all_but(&self, there: &[String]) -> u64 {
        let names = self.snapshots.names();
        let new = names.into_iter().filter(|n| n.ends_with(".rows") && !there.contains(n));
        let rotten: u64 = new
            .map(|name| {
                let mut content = self.snapshots.content(&name);
                let at = content.len() / 2;
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= 1;
                }
                self.snapshots.damage(&name, Some(content));
                1
            })
            .sum();
        self.rotten.set(self.rotten.get() || rotten > 0);
        rotten
    }

    /// Whether some file has rotted in this run.
    pub(super) fn has_rotted(&self) -> bool {
        self.rotten.get()
    }

    /// Names and bytes of everything, for comparing two runs.
    pub(super) fn fingerprint(&self, hasher: &mut blake3::Hasher) {
        for disk in [&self.disk, &self.snapshots, &self.pages] {
            for name in disk.names() {
                hasher.update(name.as_bytes());
                hasher.update(&disk.content(&name));
            }
        }
        let tables = self.tables.borrow();
        for key in tables.keys() {
            hasher.update(&key);
            hasher.update(&tables.get(&key).expect("memory").unwrap_or_default());
        }
    }
}

impl stepped::Place for Place {
    type Journal = SteppedJournal<LyingDisk>;
    type Disk = LyingDisk;

    fn tables(&self) -> Result<Store, StoreError> {
        if self.marked.replace(true) {
            self.tables.replace(MemoryKeyValue::new());
            self.hurt.set(false);
        }
        let opened = self.open_tables();
        if let Err(error) = &opened
            && !self.hurt.get()
        {
            self.lost.replace(Some(describe(error)));
        }
        opened
    }

    fn snapshots(&self) -> Result<Snapshots<LyingDisk>, SnapshotError> {
        let settings = SnapshotSettings {
            file_bytes: self.sizes.snapshot_file_bytes,
            delta_bytes: self.sizes.overlay_bytes,
            ..SnapshotSettings::new(JOURNAL)
        };
        Snapshots::open(self.snapshots.clone(), settings)
    }

    fn journal(
        &self,
        trusted: Position,
        on_durable: OnDurable,
    ) -> Result<SteppedJournal<LyingDisk>, JournalError> {
        let settings = JournalSettings {
            segment_bytes: self.sizes.segment_bytes,
            ready_segments: self.sizes.ready_segments,
            queued_groups: self.sizes.queued_groups,
            idle: Duration::ZERO,
            space_retry: Duration::ZERO,
            ..JournalSettings::new(JOURNAL)
        };
        SteppedJournal::open(self.disk.clone(), settings, trusted, on_durable)
    }
}
