//! Opening the tables so that doubtful ones cannot keep the daemon down.
//!
//! ```text
//! tables/OPENING    somebody is opening, or the tables are condemned
//! tables/pages/     the store of keys and values, the files of pages in `log/`
//! tables/aside-<n>/ a store that was set aside; the newest one is kept
//! ```
//!
//! The marker stands from before the store is touched until everything has been
//! loaded. Whoever finds it sets the store aside and starts with empty tables,
//! which the journal fills again. A watchdog ends a process that hangs in
//! between: damaged stores have been seen to.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::StoreError;

/// The process ends with this when opening hangs; the unit starts it again.
pub const EXIT_START_AGAIN: i32 = 75;

const GIB: u64 = 1024 * 1024 * 1024;
/// Four times what 26 GiB took on a machine of two cores.
const PATIENCE_MS_PER_GIB: u64 = 10_000;

const MARKER: &str = "OPENING";
const PAGES: &str = "pages";
const ASIDE: &str = "aside-";

/// The directory of the tables.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(super) fn new(directory: &Path) -> Place {
        Place { directory: directory.to_owned() }
    }

    /// Where the store of keys and values lies.
    pub(super) fn pages(&self) -> PathBuf {
        self.directory.join(PAGES)
    }

    /// How much longer large tables may take: the store of keys and values tells nothing of
    /// its progress, and looks at every part of its file.
    pub(super) fn patience_for_size(&self) -> Result<Duration, StoreError> {
        let pages = self.pages();
        let mut bytes = 0;
        if pages.try_exists().map_err(|e| failed("look for", &pages, e))? {
            for entry in fs::read_dir(&pages).map_err(|e| failed("list", &pages, e))? {
                let meta = entry.and_then(|entry| entry.metadata());
                bytes += meta.map_err(|e| failed("look at", &pages, e))?.len();
            }
        }
        Ok(Duration::from_millis(bytes / (GIB / PATIENCE_MS_PER_GIB)))
    }

    /// Sets doubtful tables aside and leaves the marker for the next one.
    pub(super) fn enter(&self) -> Result<(), StoreError> {
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(|e| failed("create", directory, e))?;
        let marker = self.marker();
        if marker.try_exists().map_err(|e| failed("look for", &marker, e))? {
            self.set_aside()?;
        }
        self.mark()
    }

    /// Writes the marker, durably.
    pub(super) fn mark(&self) -> Result<(), StoreError> {
        let marker = self.marker();
        let write = |mut file: File| {
            file.write_all(
                b"If nothing is running: these tables are set aside at the next start.\n",
            )?;
            file.sync_all()
        };
        File::create(&marker).and_then(write).map_err(|e| failed("write", &marker, e))?;
        self.sync()
    }

    /// Removes the marker, durably.
    pub(super) fn unmark(&self) -> Result<(), StoreError> {
        let marker = self.marker();
        fs::remove_file(&marker).map_err(|e| failed("remove", &marker, e))?;
        self.sync()
    }

    /// Moves the store away, so that an empty one takes its place.
    pub(super) fn set_aside(&self) -> Result<(), StoreError> {
        let pages = self.pages();
        if !pages.try_exists().map_err(|e| failed("look for", &pages, e))? {
            return Ok(());
        }
        let older = self.asides()?;
        let number = older.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        let aside = self.directory.join(format!("{ASIDE}{number}"));
        fs::rename(&pages, &aside).map_err(|e| failed("set aside", &pages, e))?;
        self.sync()?;
        tracing::warn!(path = %aside.display(), "tables set aside, rebuilding them from the journal");
        for (_, path) in older {
            fs::remove_dir_all(&path).map_err(|e| failed("remove", &path, e))?;
        }
        Ok(())
    }

    fn asides(&self) -> Result<Vec<(u64, PathBuf)>, StoreError> {
        let failed = |e| failed("list", &self.directory, e);
        let mut asides = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|n| n.strip_prefix(ASIDE)?.parse().ok());
            asides.extend(number.map(|number| (number, entry.path())));
        }
        Ok(asides)
    }

    fn marker(&self) -> PathBuf {
        self.directory.join(MARKER)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let directory = &self.directory;
        File::open(directory)
            .and_then(|file| file.sync_all())
            .map_err(|e| failed("sync", directory, e))
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { doing, path: path.to_owned(), source }
}

/// Barks when nothing moved for too long.
#[derive(Debug)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    moves: AtomicU64,
    is_over: Mutex<bool>,
    over: Condvar,
}

impl Watchdog {
    /// Calls `bark` once when `patience` passes without a [`Watchdog::feed`].
    pub(super) fn start(
        patience: Duration,
        bark: impl FnOnce() + Send + 'static,
    ) -> io::Result<Watchdog> {
        let shared = Arc::new(Shared::default());
        let watch = Arc::clone(&shared);
        let run = move || {
            let mut seen = watch.moves.load(Ordering::Relaxed);
            let mut is_over = watch.is_over.lock().unwrap_or_else(PoisonError::into_inner);
            while !*is_over {
                let woken = watch.over.wait_timeout_while(is_over, patience, |is_over| !*is_over);
                let (guard, outcome) = woken.unwrap_or_else(PoisonError::into_inner);
                is_over = guard;
                let now = watch.moves.load(Ordering::Relaxed);
                if outcome.timed_out() && now == seen {
                    bark();
                    return;
                }
                seen = now;
            }
        };
        let thread = thread::Builder::new().name("tables-watchdog".to_owned()).spawn(run)?;
        Ok(Watchdog { shared, thread: Some(thread) })
    }

    /// Something moved.
    pub(super) fn feed(&self) {
        self.shared.moves.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.shared.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.over.notify_all();
        if let Some(thread) = self.thread.take() {
            // It returns at once, unless it has barked.
            let _ = thread.join();
        }
    }
}

/// What the watchdog of a daemon does.
pub(super) fn end_process() {
    tracing::error!("opening the tables hangs; ending, so that a new start sets them aside");
    std::process::exit(EXIT_START_AGAIN);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_watchdog_barks_when_nothing_moves() {
        let (bark, barked) = mpsc::channel();
        let watchdog = Watchdog::start(Duration::ZERO, move || bark.send(()).unwrap()).unwrap();
        barked.recv().unwrap();
        drop(watchdog);
    }

    #[test]
    fn a_watchdog_that_is_called_off_never_barks() {
        let (bark, barked) = mpsc::channel::<()>();
        let an_hour = Duration::from_secs(3600);
        let watchdog = Watchdog::start(an_hour, move || bark.send(()).unwrap()).unwrap();
        watchdog.feed();
        drop(watchdog);
        // The sender went with the thread, unused.
        assert!(barked.recv().is_err());
    }

    #[test]
    fn large_tables_have_ten_seconds_more_a_gib() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(&directory.path().join("tables"));
        assert_eq!(place.patience_for_size().unwrap(), Duration::ZERO, "there are none yet");
        fs::create_dir_all(place.pages()).unwrap();
        // Takes no room on the disk.
        File::create(place.pages().join("db")).unwrap().set_len(26 * GIB).unwrap();
        let more = place.patience_for_size().unwrap();
        assert!((Duration::from_secs(260)..Duration::from_secs(261)).contains(&more), "{more:?}");
    }

    #[test]
    fn a_marker_that_is_found_sets_the_store_aside_and_one_aside_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(&directory.path().join("tables"));
        for round in 1..=3 {
            place.enter().unwrap();
            fs::create_dir(place.pages()).unwrap();
            let asides: Vec<u64> = place.asides().unwrap().iter().map(|(n, _)| *n).collect();
            assert_eq!(asides, if round == 1 { vec![] } else { vec![round - 1] });
        }
        place.unmark().unwrap();
        place.enter().unwrap();
        assert!(place.pages().exists());
    }
}
