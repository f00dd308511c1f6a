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

    /// Checks pages of about `budget` bytes. True: it is at the end.
    ///
    /// # Errors
    /// Which page or row is damaged. This scrub is of no use any more.
    pub(super) fn step(&mut self, kv: &dyn KeyValue, budget: usize) -> Result<bool, StoreError> {
        // The page that holds `below` may start before it.
        let first = covering(kv, &self.below)?;
        let first = first.map_or_else(|| self.below.clone(), |(start, _)| start.to_vec());
        let (_, end) = page_bounds();
        let until = self.checked.bytes.saturating_add(budget as u64);
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
