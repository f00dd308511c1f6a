//! The tables as the server sees them: published rows, and how far they are.
//!
//! One thread publishes durable groups, one writes checkpoints, anybody reads.
//!
//! Not here: how a checkpoint goes (`checkpoint.rs`), typed reads (`view.rs`),
//! what a start loads (`load.rs`).

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use piecework_core::{Now, Position, TenantId};

use super::checkpoint::{Checkpoint, Progress};
use super::checkpointer::Bell;
use super::error::StoreError;
use super::key_value::{KeyValue, KeyValueError};
use super::memory::MemoryKeyValue;
use super::merged::Tables;
use super::opening::{Place, Watchdog, end_process};
use super::overlay::{Overlay, Room};
use super::page_log::PageLog;
use super::recent::Recent;
use super::reserve::{FreeBytes, Reserve};
use super::row::Row;
use super::scrub::{Checked, Scrubbed, check_all};
use super::settled::Settled;
use super::standing::{Standing, has_pages, read_standing};
use super::values::Applied;
use super::view::View;
use crate::digest::RowsDigest;
use crate::group::{group_rows, own_rows};
use crate::space::free_bytes;

/// Sizes and times of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// Bytes of published rows that wait for a checkpoint before intake is refused.
    pub overlay_bytes: usize,
    /// What the store of keys and values may keep in memory, about.
    pub cache_bytes: u64,
    /// Opening or loading may stand still for this long.
    pub open_patience: Duration,
    /// Tables up to this size on disk are checked row by row before they are
    /// used; larger ones by the checkpointer, in pieces, while they are.
    pub check_at_open_bytes: u64,
    /// No checkpoint is written while less than this is free on the disk.
    pub reserve_bytes: u64,
}

impl Default for StoreSettings {
    fn default() -> StoreSettings {
        StoreSettings {
            overlay_bytes: 64 * 1024 * 1024,
            cache_bytes: 256 * 1024 * 1024,
            open_patience: Duration::from_secs(60),
            check_at_open_bytes: 256 * 1024 * 1024,
            reserve_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Hears of every new published position, on the publisher's thread: return soon.
pub type OnPublished = Box<dyn Fn(Position) + Send + Sync>;

/// The tables. Clones share them.
#[derive(Clone)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) tables: Tables,
    pub(super) checkpoint: Mutex<Checkpoint>,
    pub(super) bell: Bell,
    pub(super) reserve: Reserve,
    scrub_due: AtomicBool,
    applied: RwLock<Applied>,
    published: AtomicU64,
    watchers: RwLock<Vec<OnPublished>>,
    place: Option<Place>,
    watchdog: Mutex<Option<Watchdog>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (applied, published) = (self.applied(), self.published());
        f.debug_struct("Store")
            .field("applied", &applied)
            .field("published", &published)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the tables in `directory`, or sets doubtful ones aside and starts
    /// with empty ones. From here until [`Store::opened`] a watchdog ends the
    /// process (status 75) when loading and publishing stand still.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(directory: &Path, settings: &StoreSettings) -> Result<Store, StoreError> {
        Store::open_watched(directory, settings, end_process)
    }

    pub(super) fn open_watched(
        directory: &Path,
        settings: &StoreSettings,
        bark: impl FnOnce() + Send + 'static,
    ) -> Result<Store, StoreError> {
        let place = Place::new(directory);
        place.enter()?;
        let patience = settings.open_patience + place.patience_for_size()?;
        let watchdog = Watchdog::start(patience, bark).map_err(|source| StoreError::Io {
            doing: "watch the opening of",
            path: directory.to_owned(),
            source,
        })?;
        let open = || -> Result<(Arc<dyn KeyValue>, Standing, Settled, bool), StoreError> {
            let kv: Arc<dyn KeyValue> =
                Arc::new(PageLog::in_directory(&place.pages(), settings.cache_bytes)?);
            watchdog.feed();
            let standing = read_standing(&*kv)?;
            let scrub_due = kv.size_on_disk()? > settings.check_at_open_bytes;
            if !scrub_due {
                check_all(&*kv, standing.rows, &|| watchdog.feed())?;
            }
            let settled = Settled::read(&*kv, standing.rows)?;
            Ok((kv, standing, settled, scrub_due))
        };
        let (kv, standing, settled, scrub_due) = open().or_else(|error| {
            if !error.is_damage() {
                return Err(error);
            }
            tracing::warn!(error = &error as &dyn std::error::Error, "tables are in doubt");
            place.set_aside()?;
            open()
        })?;
        let at = directory.to_owned();
        let free: FreeBytes = Box::new(move || free_bytes(&at));
        let known = (standing, settled);
        let store = Store::new(kv, known, settings, Some(free), Some((place, watchdog)));
        store.shared.reserve.look();
        store.shared.scrub_due.store(scrub_due, Ordering::Relaxed);
        Ok(store)
    }

    /// Opens tables that lie in `kv`.
    ///
    /// # Errors
    /// How far they are cannot be read.
    pub fn with_key_value(
        kv: Arc<dyn KeyValue>,
        settings: &StoreSettings,
    ) -> Result<Store, StoreError> {
        let known = read_known(&*kv)?;
        Ok(Store::new(kv, known, settings, None, None))
    }

    /// The same, on a disk that has as much room as `free` says.
    ///
    /// # Errors
    /// How far they are cannot be read.
    pub fn with_space(
        kv: Arc<dyn KeyValue>,
        settings: &StoreSettings,
        free: FreeBytes,
    ) -> Result<Store, StoreError> {
        let known = read_known(&*kv)?;
        Ok(Store::new(kv, known, settings, Some(free), None))
    }

    /// Empty tables that go with the process.
    #[must_use]
    pub fn in_memory(settings: &StoreSettings) -> Store {
        Store::new(Arc::new(MemoryKeyValue::new()), Default::default(), settings, None, None)
    }

    fn new(
        kv: Arc<dyn KeyValue>,
        (standing, settled): (Standing, Settled),
        settings: &StoreSettings,
        free: Option<FreeBytes>,
        opening: Option<(Place, Watchdog)>,
    ) -> Store {
        let applied = standing.applied;
        let overlay = Overlay::new(settings.overlay_bytes, applied.position, applied.now);
        let (place, watchdog) = opening.unzip();
        let shared = Shared {
            tables: Tables { kv, overlay, recent: Recent::default() },
            checkpoint: Mutex::new(Checkpoint::new(standing, settled)),
            bell: Bell::default(),
            reserve: Reserve::new(settings.reserve_bytes, free),
            scrub_due: AtomicBool::new(false),
            applied: RwLock::new(applied),
            published: AtomicU64::new(applied.position.0),
            watchers: RwLock::new(Vec::new()),
            place,
            watchdog: Mutex::new(watchdog),
        };
        Store { shared: Arc::new(shared) }
    }

    /// Everything has been loaded: removes the marker and calls the watchdog off.
    ///
    /// # Errors
    /// The marker cannot be removed.
    pub fn opened(&self) -> Result<(), StoreError> {
        if let (Some(place), Some(watchdog)) = (&self.shared.place, self.watchdog().take()) {
            drop(watchdog);
            place.unmark()?;
        }
        Ok(())
    }

    /// What is stored is in doubt (`StoreError::is_damage`): the next open sets
    /// it aside. Serve no more from it; exit and start again.
    ///
    /// # Errors
    /// The marker cannot be written.
    pub fn condemn(&self) -> Result<(), StoreError> {
        self.shared.place.as_ref().map_or(Ok(()), Place::mark)
    }

    /// The position up to which the tables are durable and complete: replay
    /// the journal from the next one.
    #[must_use]
    pub fn applied(&self) -> Position {
        self.applied_at().position
    }

    /// The logged times of the group that ends at [`Store::applied`].
    #[must_use]
    pub fn applied_now(&self) -> Now {
        self.applied_at().now
    }

    /// Whether no page lies in the store of keys and values: after a crash in the
    /// first checkpoint there are some, though nothing is applied yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(!has_pages(&*self.shared.tables.kv)?)
    }

    /// Position, times and rows' digest of one and the same moment: the end of the
    /// last finished checkpoint. What a checkpoint after it has written already is
    /// not in this digest, also after a crash in its middle: the record of how far
    /// the tables are carries it. Compare it with a snapshot's at that position.
    ///
    /// `None`: a checkpoint that a crash cut off had written rows of later positions,
    /// and the one that ended last did not reach them. The next one will.
    #[must_use]
    pub fn applied_digest(&self) -> Option<(Position, Now, RowsDigest)> {
        let Applied { position, now, rows } = self.applied_at();
        rows.or_else(|| (position == Position(0)).then(RowsDigest::default))
            .map(|rows| (position, now, rows))
    }

    /// The digest of the rows that lie in the store of keys and values at this
    /// moment, in the middle of a checkpoint or not; kept up to date batch by
    /// batch. Cost: waits for the piece of a checkpoint that is being written.
    #[must_use]
    pub fn rows_digest(&self) -> RowsDigest {
        self.checkpoint().rows()
    }

    /// The newest position that readers see.
    #[must_use]
    pub fn published(&self) -> Position {
        Position(self.shared.published.load(Ordering::Acquire))
    }

    /// Shows a durable group to readers. `body`: as `encode_command` made it;
    /// `last`: its last position; `now`: its logged times. Groups come in order,
    /// from one thread, the first one after [`Store::applied`]. Starting earlier
    /// does no harm, but shows the past until it has caught up.
    ///
    /// Never blocks on disk, save that ranges of rows are looked up. Heed
    /// [`Store::room`]: it takes everything.
    ///
    /// # Errors
    /// The body cannot be read, or a range could not be looked up; nothing of
    /// the group is visible.
    pub fn publish(&self, body: &Bytes, last: Position, now: Now) -> Result<(), StoreError> {
        self.publish_rows(group_rows(body)?, last, now)
    }

    /// Like [`Store::publish`], for a body that this process has just encoded: rows are not
    /// held against their checksums, which go into the pages with them and are looked at
    /// whenever a row is read.
    ///
    /// # Errors
    /// As [`Store::publish`].
    pub fn publish_own(&self, body: &Bytes, last: Position, now: Now) -> Result<(), StoreError> {
        self.publish_rows(own_rows(body)?, last, now)
    }

    /// Like [`Store::publish`], for rows that were decoded already.
    ///
    /// # Errors
    /// A range could not be looked up; nothing of the group is visible.
    pub fn publish_rows(&self, rows: Vec<Row>, last: Position, now: Now) -> Result<(), StoreError> {
        let overlay = &self.shared.tables.overlay;
        overlay.publish(self.shared.tables.resolve(rows)?, last, now);
        self.shared.published.store(last.0, Ordering::Release);
        self.feed();
        if overlay.is_half_full() {
            self.shared.bell.ring();
        }
        let watchers = self.shared.watchers.read().unwrap_or_else(PoisonError::into_inner);
        watchers.iter().for_each(|watcher| watcher(last));
        Ok(())
    }

    /// Calls `watcher` after every publication from now on, as long as the store lives.
    pub fn subscribe(&self, watcher: OnPublished) {
        self.shared.watchers.write().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }

    /// How much may still come in. Cost: one atomic read.
    #[must_use]
    pub fn room(&self) -> Room {
        self.shared.tables.overlay.room()
    }

    /// Writes checkpoints until everything may come in again. For a replay, before
    /// a [`super::Checkpointer`] runs. On a disk that is nearly full it writes
    /// nothing: what is replayed then stays in the overlay, whatever its size.
    ///
    /// # Errors
    /// The store failed. It stays so: drop it and start again.
    pub fn make_room(&self) -> Result<(), StoreError> {
        while self.room() != Room::Free && self.shared.reserve.look() {
            self.checkpoint_step()?;
        }
        Ok(())
    }

    /// Whether checkpoints wait because the disk has less than
    /// [`StoreSettings::reserve_bytes`] free, as last looked at: every second
    /// by a [`super::Checkpointer`]. The overlay then fills, and [`Store::room`] with it.
    #[must_use]
    pub fn space_low(&self) -> bool {
        self.shared.reserve.is_low()
    }

    /// Bytes of published rows that the next checkpoint will write.
    #[must_use]
    pub fn overlay_bytes(&self) -> u64 {
        self.shared.tables.overlay.bytes() as u64
    }

    /// A tenant's rows. Every read sees what is published at that moment.
    #[must_use]
    pub fn view(&self, tenant: TenantId) -> View {
        View::new(self.clone(), tenant)
    }

    /// Does one piece of a checkpoint: begins one if there is anything to write,
    /// or writes a batch, or syncs, or ends it. Does not look at the disk's space.
    ///
    /// # Errors
    /// The store failed. It stays so: drop it and start again.
    pub fn checkpoint_step(&self) -> Result<Progress, StoreError> {
        let mut checkpoint = self.checkpoint();
        let progress = checkpoint.step(&self.shared.tables)?;
        if let Progress::Done(applied) = progress {
            *self.shared.applied.write().unwrap_or_else(PoisonError::into_inner) = applied;
            // Before the rows that say better leave the overlay.
            self.shared.tables.recent.forget();
            self.shared.tables.overlay.thaw();
            // What came in meanwhile rang for nothing, and may keep everybody out by now.
            if self.shared.tables.overlay.is_half_full() {
                self.shared.bell.ring();
            }
        }
        self.feed();
        Ok(progress)
    }

    /// Asks the [`super::Checkpointer`] for a checkpoint soon.
    pub fn want_checkpoint(&self) {
        self.shared.bell.ring();
    }

    /// Writes everything published so far. Blocks until it is durable.
    ///
    /// # Errors
    /// The store failed. It stays so: drop it and start again.
    pub fn checkpoint_now(&self) -> Result<Position, StoreError> {
        let published = self.published();
        while self.applied() < published {
            self.checkpoint_step()?;
        }
        Ok(self.applied())
    }

    /// Reads every page in the store and checks that all rows are there: their
    /// checksums, their order, their parts, and that they add up to the stored
    /// digest. The overlay is not looked at. Holds off checkpoints meanwhile.
    ///
    /// # Errors
    /// What is damaged (`StoreError::is_damage`), or the store cannot be read.
    pub fn check_pages(&self) -> Result<Checked, StoreError> {
        self.checkpoint().check_pages(&self.shared.tables, &|| self.feed())
    }

    /// The same in pieces of about `budget` bytes, between pieces of checkpoints:
    /// begins, goes on, ends. Called again after that, it begins anew.
    ///
    /// # Errors
    /// As [`Store::check_pages`].
    pub fn scrub_step(&self, budget: usize) -> Result<Scrubbed, StoreError> {
        let scrubbed = self.checkpoint().scrub_step(&self.shared.tables, budget)?;
        if let Scrubbed::Done(_) = scrubbed {
            self.shared.scrub_due.store(false, Ordering::Relaxed);
        }
        self.feed();
        Ok(scrubbed)
    }

    /// Looks at some blocks of tasks that may be settled, and notes those that are: the
    /// next start passes over them. Between checkpoints only; true: there are more.
    ///
    /// # Errors
    /// The tables are damaged, or the store failed.
    pub fn note_step(&self) -> Result<bool, StoreError> {
        let mut checkpoint = self.checkpoint();
        checkpoint.note_step(&self.shared.tables)?;
        Ok(checkpoint.is_note_due())
    }

    /// Whether [`Store::note_step`] has anything to do.
    #[must_use]
    pub fn is_note_due(&self) -> bool {
        self.checkpoint().is_note_due()
    }

    /// Whether these tables were too large to be checked at the open and the
    /// checkpointer has not got through with it yet.
    #[must_use]
    pub fn is_scrub_due(&self) -> bool {
        self.shared.scrub_due.load(Ordering::Relaxed)
    }

    /// Bytes taken on disk.
    ///
    /// # Errors
    /// The store of keys and values cannot tell.
    pub fn size_on_disk(&self) -> Result<u64, KeyValueError> {
        self.shared.tables.kv.size_on_disk()
    }

    /// The watchdog sees that something moved.
    pub(super) fn feed(&self) {
        if let Some(watchdog) = self.watchdog().as_ref() {
            watchdog.feed();
        }
    }

    /// An import ended: this is how far the tables are.
    pub(super) fn begin_at(&self, applied: Applied) {
        self.shared.tables.overlay.begin_at(applied.position, applied.now);
        *self.shared.applied.write().unwrap_or_else(PoisonError::into_inner) = applied;
        self.shared.published.store(applied.position.0, Ordering::Release);
    }

    pub(super) fn checkpoint(&self) -> MutexGuard<'_, Checkpoint> {
        self.shared.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watchdog(&self) -> MutexGuard<'_, Option<Watchdog>> {
        self.shared.watchdog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn applied_at(&self) -> Applied {
        *self.shared.applied.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_known(kv: &dyn KeyValue) -> Result<(Standing, Settled), StoreError> {
    let standing = read_standing(kv)?;
    Ok((standing, Settled::read(kv, standing.rows)?))
}
