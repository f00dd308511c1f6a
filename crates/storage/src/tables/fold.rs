//! Folding changed rows into pages: what one batch of a checkpoint writes.
//!
//! Rows come in key order. Those that fall into one page are merged with it;
//! too much for a page is cut into several. Rows appended behind the last one
//! fill pages to the brim (imports, logs); rows put in between cut a page evenly,
//! so that the next ones find room. A page that stays as it was is not written.
//!
//! Invariant: rows only ever move to pages with greater keys, and never out of a
//! batch, so a reader going forward meets every row.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use bytes::Bytes;
use piecework_core::Position;

use super::error::StoreError;
use super::key_value::{Batch, KeyValue};
use super::keys::{Key, above, after};
use super::merged::misread;
use super::overlay::Slot;
use super::pages::{
    Entry, Held, INLINE_BYTES_MAX, Page, SHARED_ROW_BYTES_MAX, TARGET_BYTES, covering, page_key,
    part_count, part_key, resolve, write_page,
};
use super::values::Misread;
use crate::digest::RowsDigest;

/// A page that got rows in between is cut only above this.
const LOOSE_BYTES_MAX: usize = TARGET_BYTES * 3 / 2;

/// Writes for the next batch and the last row they contain.
pub(super) struct Folded {
    /// In ascending order of keys.
    pub(super) batch: Batch,
    /// Where to go on; `None`: there was nothing left.
    pub(super) done: Option<Key>,
    /// What to join to the digest of all rows.
    pub(super) change: RowsDigest,
    /// The same of rows below `scrubbed` only.
    pub(super) scrubbed_change: RowsDigest,
}

/// Folds rows behind `done` until the batch has about `budget` bytes.
///
/// `scrubbed`: the key that a scrub has come to (`scrub.rs`); empty: none.
pub(super) fn fold(
    kv: &dyn KeyValue,
    rows: &BTreeMap<Key, Slot>,
    done: Option<&Key>,
    as_of: Position,
    budget: usize,
    scrubbed: &[u8],
) -> Result<Folded, StoreError> {
    let from = done.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_bytes()));
    let mut rows = rows.range::<[u8], _>((from, Bound::Unbounded)).peekable();
    let mut fold = Fold {
        kv,
        as_of,
        budget,
        batch: Vec::new(),
        bytes: 0,
        is_full: false,
        done: None,
        scrubbed,
        change: RowsDigest::default(),
        scrubbed_change: RowsDigest::default(),
    };
    // A page that was cut short is not looked at again before the batch is
    // applied: it would be read as it was before.
    while !fold.is_full
        && let Some((key, _)) = rows.peek()
    {
        let key = (*key).clone();
        fold.fold_page(&key, &mut rows)?;
    }
    fold.batch.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let Fold { batch, done, change, scrubbed_change, .. } = fold;
    Ok(Folded { batch, done, change, scrubbed_change })
}

struct Fold<'a> {
    kv: &'a dyn KeyValue,
    as_of: Position,
    budget: usize,
    batch: Batch,
    bytes: usize,
    is_full: bool,
    done: Option<Key>,
    scrubbed: &'a [u8],
    change: RowsDigest,
    scrubbed_change: RowsDigest,
}

/// A row of the page to be, and whether this fold brings it.
type Merged = (Entry, bool);

impl Fold<'_> {
    /// Takes the rows that fall into the page of `key` and writes what it becomes.
    fn fold_page<'r>(
        &mut self,
        key: &Key,
        rows: &mut Peekable<impl Iterator<Item = (&'r Key, &'r Slot)>>,
    ) -> Result<(), StoreError> {
        let page = covering(self.kv, key.as_bytes())?;
        let page = page.filter(|(start, _)| start.starts_with(key.group()));
        let (start, old) = match &page {
            Some((start, bytes)) => (start.to_vec(), Page::open(start, bytes)?.entries()?),
            None => (key.group().to_vec(), Vec::new()),
        };
        let below = self.next_start(key)?;
        let old_rows = old.len();
        let last_old = old.last().map(|entry| entry.key.clone());
        let mut old = old.into_iter().peekable();
        let mut merged: Vec<Merged> = Vec::new();
        let (mut taken, mut appends) = (0, true);
        while let Some((key, slot)) = rows.next_if(|(key, _)| key.as_bytes() < below.as_slice()) {
            while let Some(entry) = old.next_if(|entry| entry.key < *key) {
                merged.push((entry, false));
            }
            appends &= last_old.as_ref().is_none_or(|last| last < key);
            let replaced = old.next_if(|entry| entry.key == *key);
            if let Some(entry) = &replaced {
                self.forget(entry)?;
            }
            if let Some(value) = slot {
                self.change_of(key).for_each(|digest| digest.add(key.as_bytes(), value));
                taken += value.len() + key.as_bytes().len();
                let held = self.hold(key, value);
                self.drop_parts(replaced.as_ref(), Some(&held));
                merged.push((Entry { key: key.clone(), held }, true));
            } else {
                self.drop_parts(replaced.as_ref(), None);
            }
            self.done = Some(key.clone());
            if self.bytes + taken >= self.budget {
                self.is_full = true;
                break;
            }
        }
        merged.extend(old.map(|entry| (entry, false)));
        self.write(&start, old_rows, &merged, appends);
        Ok(())
    }

    /// Takes a row that the store holds out of the digest. After a crash it may
    /// be the very one that this checkpoint brings again.
    fn forget(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let Entry { key, held } = entry;
        let value = resolve(self.kv, key, held.clone())?;
        let value = value.ok_or_else(|| misread(key, Misread::Part))?;
        self.change_of(key).for_each(|digest| digest.remove(key.as_bytes(), &value));
        Ok(())
    }

    /// The digests that a row counts in.
    fn change_of(&mut self, key: &Key) -> impl Iterator<Item = &mut RowsDigest> {
        let is_scrubbed = key.as_bytes() < self.scrubbed;
        std::iter::once(&mut self.change).chain(is_scrubbed.then_some(&mut self.scrubbed_change))
    }

    /// Where the page behind the one of `key` starts.
    fn next_start(&self, key: &Key) -> Result<Vec<u8>, StoreError> {
        let end = above(key.group());
        let next = self.kv.next_key(&page_key(&after(key.as_bytes())), &page_key(&end))?;
        Ok(next.map_or(end, |next| next[1..].to_vec()))
    }

    /// Decides where a value lies, and writes it there if that is beside the page.
    fn hold(&mut self, key: &Key, value: &Bytes) -> Held {
        if value.len() <= INLINE_BYTES_MAX {
            return Held::Inline(value.clone());
        }
        let version = self.as_of.0;
        for (part, bytes) in (0..).zip(value.chunks(INLINE_BYTES_MAX)) {
            self.push(part_key(key, version, part), Some(bytes.to_vec()));
        }
        let bytes = u32::try_from(value.len()).expect("values are far below 4 GiB");
        Held::Parts { bytes, version }
    }

    fn drop_parts(&mut self, old: Option<&Entry>, new: Option<&Held>) {
        let Some(Entry { key, held: Held::Parts { bytes, version } }) = old else { return };
        // A checkpoint that is repeated after a crash writes the same parts again.
        if matches!(new, Some(Held::Parts { version: same, .. }) if same == version) {
            return;
        }
        for part in 0..part_count(*bytes as usize) {
            self.push(part_key(key, *version, part), None);
        }
    }

    /// Cuts `merged` into pages; the first keeps the key it had.
    fn write(&mut self, start: &[u8], old_rows: usize, merged: &[Merged], appends: bool) {
        if merged.is_empty() {
            if old_rows > 0 {
                self.push(page_key(start), None);
            }
            return;
        }
        let total = merged.iter().map(|(entry, _)| entry.bytes()).sum::<usize>();
        let limit = match appends {
            true => TARGET_BYTES,
            false if total <= LOOSE_BYTES_MAX => LOOSE_BYTES_MAX,
            false => total.div_ceil(total.div_ceil(TARGET_BYTES)),
        };
        let mut from = 0;
        while from < merged.len() {
            let to = from + page_rows(&merged[from..], limit);
            let rows = &merged[from..to];
            let key = if from == 0 { start } else { rows[0].0.key.as_bytes() };
            let is_as_it_was =
                from == 0 && rows.len() == old_rows && rows.iter().all(|(_, is_new)| !is_new);
            if !is_as_it_was {
                let page = write_page(key, self.as_of, rows.iter().map(|(entry, _)| entry));
                self.push(page_key(key), Some(page));
            }
            from = to;
        }
    }

    fn push(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.batch.push((key, value));
    }
}

/// How many of these rows go into the next page: at least one.
fn page_rows(rows: &[Merged], limit: usize) -> usize {
    let mut bytes = 0;
    for (count, (entry, _)) in rows.iter().enumerate() {
        let own = entry.bytes();
        let is_large = own > SHARED_ROW_BYTES_MAX;
        if count > 0 && (is_large || bytes + own / 2 > limit) {
            return count;
        }
        if is_large {
            return 1;
        }
        bytes += own;
    }
    rows.len()
}

#[cfg(test)]
mod tests {
    use piecework_core::{ProjectId, TaskId, TaskNumber, TenantId};

    use super::*;
    use crate::tables::keys::RowId;
    use crate::tables::memory::MemoryKeyValue;
    use crate::tables::values::{CHECKSUM_BYTES, sealed};

    fn key(number: u32) -> Key {
        let task = TaskId { project: ProjectId(1), number: TaskNumber(number) };
        Key::new(TenantId(1), RowId::Spec(task))
    }

    /// So many bytes with the checksum that a value has.
    fn value(number: u32, bytes: usize) -> Bytes {
        sealed(key(number).as_bytes(), vec![7; bytes - CHECKSUM_BYTES]).into()
    }

    fn put(kv: &MemoryKeyValue, numbers: impl Iterator<Item = u32>, bytes: usize, budget: usize) {
        let slot = |number| (key(number), Some(value(number, bytes)));
        write(kv, &numbers.map(slot).collect(), budget);
    }

    fn write(kv: &MemoryKeyValue, rows: &BTreeMap<Key, Slot>, budget: usize) {
        let mut done = None;
        loop {
            let folded = fold(kv, rows, done.as_ref(), Position(1), budget, &[]).unwrap();
            assert!(folded.batch.is_sorted_by(|(a, _), (b, _)| a < b));
            kv.apply_batch(&folded.batch).unwrap();
            done = folded.done;
            if done.is_none() {
                return;
            }
        }
    }

    /// Bytes of every page, in order.
    fn pages(kv: &MemoryKeyValue) -> Vec<usize> {
        let bytes = |key: &Vec<u8>| kv.get(key).unwrap().unwrap().len();
        kv.keys().iter().map(bytes).collect()
    }

    fn count(kv: &MemoryKeyValue) -> usize {
        let rows = |key: &Vec<u8>| {
            let page = kv.get(key).unwrap().unwrap();
            Page::open(&key[1..], &page).unwrap().entries().unwrap().len()
        };
        kv.keys().iter().map(rows).sum()
    }

    #[test]
    fn rows_appended_one_by_one_fill_their_pages() {
        let kv = MemoryKeyValue::new();
        for number in 1..=400 {
            put(&kv, std::iter::once(number), 100, 1 << 20);
        }
        let pages = pages(&kv);
        assert_eq!(count(&kv), 400);
        assert!(
            pages[..pages.len() - 1].iter().all(|bytes| *bytes > TARGET_BYTES * 9 / 10),
            "{pages:?}"
        );
    }

    #[test]
    fn rows_put_in_between_leave_pages_at_least_half_full_and_none_too_large() {
        let kv = MemoryKeyValue::new();
        for round in 0..40 {
            put(&kv, (0..40).map(|n| (n * 7_919 + round * 104_729) % 100_000), 100, 1 << 20);
        }
        let pages = pages(&kv);
        assert!(count(&kv) > 1_500);
        assert!(pages.iter().all(|&bytes| bytes < LOOSE_BYTES_MAX + 100), "{pages:?}");
        let average = pages.iter().sum::<usize>() / pages.len();
        assert!(average > TARGET_BYTES / 2, "{average}");
    }

    #[test]
    fn a_batch_that_is_cut_short_inside_a_page_loses_nothing() {
        for budget in [1, 150, 1_000, 5_000, 40_000] {
            let kv = MemoryKeyValue::new();
            put(&kv, 1..=300, 100, budget);
            put(&kv, (1..=300).map(|n| n * 3), 100, budget);
            assert_eq!(count(&kv), 500, "budget {budget}");
        }
    }

    #[test]
    fn large_rows_have_pages_of_their_own_which_neighbours_leave_alone() {
        let kv = MemoryKeyValue::new();
        put(&kv, 1..=3, SHARED_ROW_BYTES_MAX, 1 << 20);
        assert_eq!(kv.keys().len(), 3);
        let rows = BTreeMap::from([(key(4), Some(Bytes::from_static(b"small")))]);
        let folded = fold(&kv, &rows, None, Position(2), 1 << 20, &[]).unwrap();
        assert_eq!(folded.batch.len(), 1, "only the new page is written");
    }

    #[test]
    fn parts_of_a_large_value_come_and_go_with_it() {
        let kv = MemoryKeyValue::new();
        put(&kv, 1..=2, 100_000, 1 << 20);
        assert_eq!(kv.keys().len(), 1 + 2 * 7);
        let shorter = BTreeMap::from([(key(1), Some(value(1, 20_000)))]);
        let folded = fold(&kv, &shorter, None, Position(2), 1 << 20, &[]).unwrap();
        kv.apply_batch(&folded.batch).unwrap();
        assert_eq!(kv.keys().len(), 1 + 7 + 2);
        write(&kv, &BTreeMap::from([(key(1), None), (key(2), None)]), 1 << 20);
        assert_eq!(kv.keys(), Vec::<Vec<u8>>::new());
    }
}
