//! Reading every page to see that nothing was lost.
//!
//! The store loses keys without a word when its file is damaged. A scrub goes
//! over all pages in key order, looks at each one's checksum, order and parts,
//! and adds its rows up; the sum must be the stored digest. It may go in pieces:
//! a batch that is written meanwhile tells what it changed among the rows that
//! were added up already, those below `below`, and what it changes above them is
//! met later. Only the writer of the store runs it, so nothing comes in between.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::error::StoreError;
use super::key_value::KeyValue;
use super::keys::{GROUP_BYTES, Key, after};
use super::merged::misread;
use super::pages::{Entry, Page, covering, page_bounds, page_key, resolve};
use super::values::{Misread, checked};
use crate::digest::RowsDigest;

/// What was found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Rows that were added up.
    pub rows: u64,
    /// Pages that they lie in.
    pub pages: u64,
    /// Bytes of keys and values, before packing.
    pub bytes: u64,
}

/// What a step of a scrub did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrubbed {
    /// A piece; there is more.
    Working,
    /// The last piece: all rows are there. Rows that changed meanwhile may be
    /// counted as they were before.
    Done(Checked),
}

/// A scrub under way.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    /// Rows with lesser keys are in `sum`.
    below: Vec<u8>,
    sum: RowsDigest,
    checked: Checked,
}

impl Scrub {
    /// The key that it has come to; empty before the first step.
    pub(super) fn below(&self) -> &[u8] {
        &self.below
    }

    /// A batch changed rows below [`Scrub::below`].
    pub(super) fn join(&mut self, change: RowsDigest) {
        self.sum.join(change);
    }

    /// What all rows add up to, and how many they are, once it is at the end.
    pub(super) fn sum(&self) -> (RowsDigest, Checked) {
        (self.sum, self.checked)
    }

    /// Checks pages of about `budget` bytes, at least one. True: it is at the end.
    ///
    /// # Errors
    /// Which page or row is damaged. This scrub is of no use any more.
    pub(super) fn step(&mut self, kv: &dyn KeyValue, budget: usize) -> Result<bool, StoreError> {
        // The page that holds `below` may start before it.
        let first = covering(kv, &self.below)?;
        let first = first.map_or_else(|| self.below.clone(), |(start, _)| start.to_vec());
        let (_, end) = page_bounds();
        // The page that was read before counts nothing, so one byte makes it go on.
        let until = self.checked.bytes.saturating_add(budget.max(1) as u64);
        let (mut last, mut outcome) = (None, Ok(true));
        kv.scan(&page_key(&first), &end, &mut |at, page| {
            match self.take_page(kv, &at[1..], &Bytes::copy_from_slice(page), &mut last) {
                Err(error) => outcome = Err(error),
                Ok(()) if self.checked.bytes < until => return ControlFlow::Continue(()),
                Ok(()) => outcome = Ok(false),
            }
            ControlFlow::Break(())
        })?;
        if let Some(last) = last {
            self.below = after(last.as_bytes());
        }
        outcome
    }

    /// `last`: the greatest key of the page before.
    fn take_page(
        &mut self,
        kv: &dyn KeyValue,
        start: &[u8],
        page: &Bytes,
        last: &mut Option<Key>,
    ) -> Result<(), StoreError> {
        let damaged = || StoreError::Page { key: Key::copy(start) };
        let group = start.get(..GROUP_BYTES).ok_or_else(damaged)?;
        // A row from here on would be looked for here.
        if last.as_ref().is_some_and(|last| last.as_bytes() >= start) {
            return Err(damaged());
        }
        let is_new = start >= self.below.as_slice();
        for Entry { key, held } in Page::open(start, page)?.entries()? {
            key.row().map_err(StoreError::Key)?;
            let is_in_order = last.as_ref().is_none_or(|last| *last < key);
            if !is_in_order || key.as_bytes() < start || key.group() != group {
                return Err(damaged());
            }
            if key.as_bytes() >= self.below.as_slice() {
                let value = resolve(kv, &key, held)?;
                let value = value.ok_or_else(|| misread(&key, Misread::Part))?;
                checked(key.as_bytes(), &value).map_err(|source| misread(&key, source))?;
                self.sum.add(key.as_bytes(), &value);
                self.checked.rows += 1;
                self.checked.bytes += (key.as_bytes().len() + value.len()) as u64;
            }
            *last = Some(key);
        }
        self.checked.pages += u64::from(is_new);
        Ok(())
    }
}

/// Checks everything at once against `expected`, the stored digest. `feed` is
/// called after every piece.
pub(super) fn check_all(
    kv: &dyn KeyValue,
    expected: RowsDigest,
    feed: &dyn Fn(),
) -> Result<Checked, StoreError> {
    /// Between two calls of `feed`.
    const PIECE_BYTES: usize = 1024 * 1024;
    let mut scrub = Scrub::default();
    while !scrub.step(kv, PIECE_BYTES)? {
        feed();
    }
    let (found, checked) = scrub.sum();
    if found == expected { Ok(checked) } else { Err(StoreError::DigestDiffers { found, expected }) }
}

#[cfg(test)]
mod tests {
    use piecework_core::{Position, ProjectId, TaskId, TaskNumber, TenantId};

    use super::*;
    use crate::tables::keys::RowId;
    use crate::tables::memory::MemoryKeyValue;
    use crate::tables::pages::{Held, write_page};
    use crate::tables::tag::Tag;
    use crate::tables::values::sealed;

    fn key(number: u32) -> Key {
        let task = TaskId { project: ProjectId(1), number: TaskNumber(number) };
        Key::new(TenantId(1), RowId::Spec(task))
    }

    /// A row whose own checksum matches.
    fn entry(key: Key) -> Entry {
        let value = sealed(key.as_bytes(), b"value".to_vec());
        Entry { key, held: Held::Inline(value.into()) }
    }

    /// Pages that start at a key and hold these rows, all with good checksums.
    fn check(pages: &[(&[u8], Vec<Entry>)]) -> Result<Checked, StoreError> {
        let kv = MemoryKeyValue::new();
        let mut sum = RowsDigest::default();
        for (start, entries) in pages {
            for entry in entries {
                let Held::Inline(value) = &entry.held else { panic!("all are inline") };
                sum.add(entry.key.as_bytes(), value);
            }
            let page = write_page(start, Position(1), entries.iter());
            kv.apply_batch(&vec![(page_key(start), Some(page))]).expect("in memory");
        }
        check_all(&kv, sum, &|| {})
    }

    fn rows(numbers: &[u32]) -> Vec<Entry> {
        numbers.iter().map(|&number| entry(key(number))).collect()
    }

    #[test]
    fn pages_in_order_are_whole() {
        let (start, third) = (key(1).group().to_vec(), key(3));
        let checked = check(&[(&start, rows(&[1, 2])), (third.as_bytes(), rows(&[3, 9]))]);
        assert_eq!(checked.expect("whole"), Checked { rows: 4, pages: 2, bytes: 4 * (13 + 9) });
        assert_eq!(check(&[]).expect("whole"), Checked::default());
    }

    #[test]
    fn rows_where_no_reader_would_find_them_are_damage_although_they_add_up() {
        let (start, third) = (key(1).group().to_vec(), key(3));
        let overlapping: [(&[u8], _); 2] =
            [(&start, rows(&[1, 2, 3])), (third.as_bytes(), rows(&[4]))];
        let reaching_over: [(&[u8], _); 2] =
            [(&start, rows(&[1, 4])), (third.as_bytes(), rows(&[3, 5]))];
        let twice: [(&[u8], _); 1] = [(&start, rows(&[2, 2]))];
        let backwards: [(&[u8], _); 1] = [(&start, rows(&[2, 1]))];
        let too_low: [(&[u8], _); 1] = [(third.as_bytes(), rows(&[2, 4]))];
        let tasks = Key::prefix(TenantId(1), Tag::Task);
        let of_another_kind: [(&[u8], _); 1] = [(tasks.as_bytes(), rows(&[1]))];
        for pages in
            [&overlapping[..], &reaching_over, &twice, &backwards, &too_low, &of_another_kind]
        {
            let error = check(pages).expect_err("not in order");
            assert!(matches!(error, StoreError::Page { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_value_whose_own_checksum_does_not_match_is_damage() {
        let start = key(1).group().to_vec();
        let row = Entry { key: key(1), held: Held::Inline(Bytes::from_static(b"value and sum")) };
        let error = check(&[(&start, vec![row])]).expect_err("not what was written");
        assert!(matches!(error, StoreError::Row { source: Misread::Checksum, .. }), "{error:?}");
    }

    #[test]
    fn a_scrub_in_the_smallest_steps_comes_to_its_end() {
        let kv = MemoryKeyValue::new();
        for number in 1..=20 {
            let key = key(number);
            let page = write_page(key.as_bytes(), Position(1), rows(&[number]).iter());
            kv.apply_batch(&vec![(page_key(key.as_bytes()), Some(page))]).expect("in memory");
        }
        let mut scrub = Scrub::default();
        let mut steps = 1;
        while !scrub.step(&kv, 0).expect("whole") {
            steps += 1;
        }
        assert_eq!((steps, scrub.sum().1.rows), (21, 20));
    }
}
