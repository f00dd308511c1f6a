//! Pages in files of their own; the store of keys and values has where they lie.
//!
//! A tree of 4 KiB values writes each of them again whenever a neighbour changes, reads
//! sixteen to find one, and notes at an open only where they lie. So pages go to the end of
//! a file, and the store gets seventeen bytes for each.
//!
//! ```text
//! apply_batch   pages → newest file, synced; then places and counts → store, one batch
//! get, scan     place ← store, page ← file
//! flush         store; then files of which nothing is in use are removed
//! ```
//!
//! Invariant: what a place points to is durable before the place is written, and stays
//! until a flush after the last place that pointed there. So whatever batches a crash
//! takes back, the places that are left are good. An opening begins a new file, for the
//! end of the last one may be anything.
//!
//! Of old files less and less is in use. While a batch is applied, about as much as it
//! writes is moved out of a file that is mostly unused, to the end of the newest.
//!
//! Not here: what a page is (`pages.rs`); whatever lies under other keys stays in the store.

mod error;
mod files;
mod live;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use piecework_core::planted::{self, Mistake};

use self::error::Damage;
use self::files::Files;
use self::live::Live;
use self::place::{Place, Record, Records};
use super::key_value::{Batch, KeyValue, KeyValueError, Visit};
use super::pages::PAGES;
use super::sled::SledKeyValue;
use crate::journal::{Disk, RealDisk};

/// A file is closed at this or more.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
/// With many pages files are larger: about so many are mostly in use.
const FILES: u64 = 64;
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Records that are moved are read at least this much at a time: more than one takes.
const MOVED_BYTES: usize = 64 * 1024;
/// Pages that are moved at a time where a file does not tell which they are.
const MOVED_PAGES: usize = 256;
const DIRECTORY: &str = "log";

/// Keys and values, of which those that are pages lie in files.
#[derive(Debug)]
pub struct PageLog<K, D: Disk> {
    places: K,
    files: Files<D>,
    /// A file is closed at this or more.
    file_bytes: u64,
    writer: Mutex<Writer>,
}

/// What the one who writes knows.
#[derive(Debug)]
struct Writer {
    live: Live,
    /// Bytes of all files.
    sizes: BTreeMap<u32, u64>,
    /// The file that is written; `None`: the next one is to be begun.
    newest: Option<u32>,
    next: u32,
    moving: Option<Moving>,
}

/// A file whose pages are moved, and how far.
#[derive(Debug, Clone, Copy)]
struct Moving {
    file: u32,
    at: u64,
}

impl PageLog<SledKeyValue, RealDisk> {
    /// Opens or creates them in a directory, places in sled. See [`SledKeyValue::open`].
    ///
    /// # Errors
    /// The directory cannot be used, or was found damaged.
    pub fn in_directory(directory: &Path, cache_bytes: u64) -> Result<Self, KeyValueError> {
        let log = directory.join(DIRECTORY);
        let create = |source| KeyValueError::Io { doing: "create the directory of", source };
        fs::create_dir_all(&log).map_err(create)?;
        let places = SledKeyValue::open(directory, cache_bytes)?;
        PageLog::open(places, RealDisk::within(&log))
    }
}

impl<K: KeyValue, D: Disk> PageLog<K, D> {
    /// Those with these places, on this disk. Removes files that no place points to.
    ///
    /// # Errors
    /// Files are missing, or cannot be used.
    pub fn open(places: K, disk: D) -> Result<Self, KeyValueError> {
        PageLog::with_files_of(FILE_BYTES, places, disk)
    }

    /// The same, with smaller files.
    ///
    /// # Errors
    /// See [`PageLog::open`].
    pub fn with_files_of(file_bytes: u64, places: K, disk: D) -> Result<Self, KeyValueError> {
        let (live, files) = (Live::read(&places)?, Files::open(disk)?);
        let sizes: BTreeMap<u32, u64> = files.sizes()?.into_iter().collect();
        if let Some(missing) = live.files().find(|file| !sizes.contains_key(file)) {
            return Err(Damage::NoFile(missing).found("open"));
        }
        let next = sizes.keys().last().map_or(0, |last| last + 1);
        let writer = Writer { live, sizes, newest: None, next, moving: None };
        let log = PageLog { places, files, file_bytes, writer: Mutex::new(writer) };
        // What was read may be in the page cache only, and older places on the disk.
        log.flush()?;
        Ok(log)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key for which the store has `held`; `None`: it is gone by now.
    fn value(&self, key: &[u8], held: Bytes) -> Result<Option<Bytes>, KeyValueError> {
        let mut held = held;
        while let Some(place) = read_place(key, &held)? {
            if let Some(page) = self.files.page(place)? {
                return Ok(Some(page));
            }
            // It was moved since, and the file it lay in was removed.
            let Some(now) = self.places.get(key)? else { return Ok(None) };
            if now == held {
                return Err(Damage::NoFile(place.file).found("read"));
            }
            held = now;
        }
        Ok(Some(held))
    }

    /// Writes pages to the newest file, then where they lie to the store.
    fn write(&self, writer: &mut Writer, batch: &Batch) -> Result<u64, KeyValueError> {
        let has_pages = batch.iter().any(|(key, value)| is_page(key) && value.is_some());
        let newest = has_pages.then(|| self.newest(writer)).transpose()?;
        let (file, end) = newest.unwrap_or_default();
        let mut room = Vec::new();
        let mut places = Batch::with_capacity(batch.len() + 8);
        for (key, value) in batch {
            if !is_page(key) {
                places.push((key.clone(), value.clone()));
                continue;
            }
            if let Some(before) = self.places.get(key)?
                && let Some(place) = read_place(key, &before)?
            {
                writer.live.leave(place).map_err(|damage| damage.found("write"))?;
            }
            let place = value.as_ref().map(|page| {
                let place = place_at(file, end, Record::push(&mut room, key, page), page);
                writer.live.come(place);
                place.write(key)
            });
            places.push((key.clone(), place));
        }
        if !room.is_empty() {
            self.files.write(file, end, &room)?;
            if !planted::is(Mistake::PlacesFirst) {
                self.files.sync(file)?;
            }
            writer.sizes.insert(file, end + room.len() as u64);
        }
        places.append(&mut writer.live.take_changes());
        if !places.is_empty() {
            places.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            self.places.apply_batch(&places)?;
        }
        Ok(room.len() as u64)
    }

    /// The file to write to, and where it ends.
    fn newest(&self, writer: &mut Writer) -> Result<(u32, u64), KeyValueError> {
        let most = self.file_bytes.max((writer.live.total() / FILES).min(FILE_BYTES_MAX));
        let newest = writer.newest.map(|file| (file, writer.sizes[&file]));
        if let Some(newest) = newest.filter(|(_, end)| *end < most) {
            return Ok(newest);
        }
        let number = writer.next;
        self.files.create(number)?;
        writer.next += 1;
        writer.sizes.insert(number, 0);
        writer.newest = Some(number);
        Ok((number, 0))
    }

    /// Moves pages of about `budget` bytes out of files that are mostly unused.
    fn make_room(&self, writer: &mut Writer, budget: u64) -> Result<(), KeyValueError> {
        let Some(Moving { file, at }) = writer.moving.or_else(|| self.mostly_unused(writer)) else {
            return Ok(());
        };
        let budget = usize::try_from(budget).unwrap_or(usize::MAX).max(MOVED_BYTES);
        let stretch = self.files.stretch(file, at, budget)?;
        let (mut records, mut moved) = (Records::new(&stretch), Batch::new());
        for record in records.by_ref() {
            let lies = place_at(file, at, record.at, record.page);
            let held = self.places.get(record.key)?;
            let place = held.map(|held| read_place(record.key, &held)).transpose()?.flatten();
            if place == Some(lies) {
                moved.push((record.key.to_vec(), Some(record.page.to_vec())));
            }
        }
        let at = at + records.at as u64;
        let is_done = at == writer.sizes[&file];
        moved.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.write(writer, &moved)?;
        writer.moving = (!is_done).then_some(Moving { file, at });
        if (is_done && writer.live.of(file) > 0) || (!is_done && records.at == 0) {
            tracing::warn!(
                file,
                "what lies between the pages of a file is damaged, they are moved"
            );
            writer.moving = None;
            self.empty(writer, file)?;
        }
        Ok(())
    }

    /// Moves the pages that lie in a file, whatever it says of them.
    fn empty(&self, writer: &mut Writer, file: u32) -> Result<(), KeyValueError> {
        let (mut keys, mut outcome) = (Vec::new(), Ok(()));
        self.places.scan(&[PAGES], &[PAGES + 1], &mut |key, held| {
            match read_place(key, &Bytes::copy_from_slice(held)) {
                Ok(Some(place)) if place.file == file => keys.push(key.to_vec()),
                Ok(_) => {}
                Err(error) => outcome = Err(error),
            }
            ControlFlow::Continue(())
        })?;
        outcome?;
        for some in keys.chunks(MOVED_PAGES) {
            let page = |key: &Vec<u8>| Ok((key.clone(), self.get(key)?.map(Vec::from)));
            self.write(writer, &some.iter().map(page).collect::<Result<_, KeyValueError>>()?)?;
        }
        if writer.live.of(file) > 0 {
            return Err(Damage::Miscounted(file).found("move pages of"));
        }
        Ok(())
    }

    /// The file of which least is in use, where that is less than half.
    fn mostly_unused(&self, writer: &Writer) -> Option<Moving> {
        let is_mostly_unused = |file: &u32| {
            let size = writer.sizes[file].max(self.file_bytes);
            writer.newest != Some(*file) && writer.live.of(*file) < size / 2
        };
        let files = writer.live.files().filter(is_mostly_unused);
        let file = files.min_by_key(|file| writer.live.of(*file))?;
        Some(Moving { file, at: 0 })
    }

    fn remove_unused(&self, writer: &mut Writer) -> Result<(), KeyValueError> {
        let is_unused = |file: &u32| writer.live.of(*file) == 0 && writer.newest != Some(*file);
        let unused: Vec<u32> = writer.sizes.keys().copied().filter(is_unused).collect();
        for file in unused {
            self.files.remove(file)?;
            writer.sizes.remove(&file);
            writer.moving = writer.moving.filter(|moving| moving.file != file);
        }
        Ok(())
    }
}

impl<K: KeyValue, D: Disk> KeyValue for PageLog<K, D> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KeyValueError> {
        match self.places.get(key)? {
            Some(held) if is_page(key) => self.value(key, held),
            held => Ok(held),
        }
    }

    fn at_or_before(&self, key: &[u8]) -> Result<Option<(Bytes, Bytes)>, KeyValueError> {
        loop {
            let Some((at, held)) = self.places.at_or_before(key)? else { return Ok(None) };
            if !is_page(&at) {
                return Ok(Some((at, held)));
            }
            // Gone meanwhile: another one is.
            if let Some(value) = self.value(&at, held)? {
                return Ok(Some((at, value)));
            }
        }
    }

    fn next_key(&self, from: &[u8], below: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        self.places.next_key(from, below)
    }

    fn scan(&self, from: &[u8], below: &[u8], visit: Visit<'_>) -> Result<(), KeyValueError> {
        let mut outcome = Ok(());
        self.places.scan(from, below, &mut |key, held| {
            if !is_page(key) {
                return visit(key, held);
            }
            match self.value(key, Bytes::copy_from_slice(held)) {
                Ok(Some(value)) => visit(key, &value),
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => {
                    outcome = Err(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        outcome
    }

    fn apply_batch(&self, batch: &Batch) -> Result<(), KeyValueError> {
        let mut writer = self.writer();
        let written = self.write(&mut writer, batch)?;
        if written > 0 { self.make_room(&mut writer, written) } else { Ok(()) }
    }

    fn flush(&self) -> Result<(), KeyValueError> {
        let mut writer = self.writer();
        self.places.flush()?;
        self.remove_unused(&mut writer)
    }

    fn size_on_disk(&self) -> Result<u64, KeyValueError> {
        let files: u64 = self.files.sizes()?.iter().map(|(_, bytes)| bytes).sum();
        Ok(self.places.size_on_disk()? + files)
    }
}

fn is_page(key: &[u8]) -> bool {
    key.first() == Some(&PAGES)
}

fn read_place(key: &[u8], held: &Bytes) -> Result<Option<Place>, KeyValueError> {
    Place::read(key, held).map_err(|damage| damage.found("read"))
}

/// The place of a page that begins `at` bytes behind `from`.
fn place_at(file: u32, from: u64, at: usize, page: &[u8]) -> Place {
    let fits = "a file is closed far below 4 GiB";
    let offset = u32::try_from(from + at as u64).expect(fits);
    Place { file, offset, bytes: u32::try_from(page.len()).expect(fits) }
}
