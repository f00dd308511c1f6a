//! Older pages and what changed since become newer pages.
//!
//! Every older page stands for the keys from its first row on, up to the next
//! page's; where nothing changed it is taken over by name, unread. A page that
//! grew beyond one and a half times the wanted size is cut into equal ones; a
//! small rest goes into the page behind it.
//!
//! Not here: how the changes were gathered (`delta.rs`), where pages lie (`files.rs`).

use std::collections::VecDeque;
use std::ops::Bound;

use super::delta::{Bounds, Delta};
use super::error::SnapshotError;
use super::page::{PageEntry, SnapshotRow, raw_bytes};

/// Reads the rows of an older page.
pub(super) type ReadPage<'a> = &'a dyn Fn(&PageEntry) -> Result<Vec<SnapshotRow>, SnapshotError>;
/// Makes a page of rows, durably but for its name.
pub(super) type WritePage<'a> = &'a dyn Fn(&[SnapshotRow]) -> Result<PageEntry, SnapshotError>;

/// A merge under way: takes a step, that is one page, at a time.
#[derive(Debug)]
pub(super) struct Merge {
    older: Vec<PageEntry>,
    /// The next of the older ranges.
    at: usize,
    /// Rows of the ranges before it that wait to be written.
    waiting: VecDeque<SnapshotRow>,
    waiting_bytes: usize,
    file_bytes: usize,
    newer: Vec<PageEntry>,
}

/// The keys that an older page stands for. Without any page: all keys, at 0.
pub(super) fn bounds(pages: &[PageEntry], at: usize) -> Bounds<'_> {
    let from = match at {
        0 => Bound::Unbounded,
        _ => pages.get(at).map_or(Bound::Unbounded, |page| Bound::Included(&page.first)),
    };
    let below = pages.get(at + 1).map_or(Bound::Unbounded, |next| Bound::Excluded(&next.first));
    (from, below)
}

/// How many ranges these pages stand for: together they are all keys.
pub(super) fn ranges(pages: &[PageEntry]) -> usize {
    pages.len().max(1)
}

impl Merge {
    /// Of these pages into ones of about `file_bytes` before compression.
    pub(super) fn new(older: Vec<PageEntry>, file_bytes: usize) -> Merge {
        Merge {
            older,
            at: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            file_bytes: file_bytes.max(1),
            newer: Vec::new(),
        }
    }

    /// Reads and merges one page, or writes one. False: there was nothing left
    /// to do. Cost: one page read or written, whatever was taken over besides.
    ///
    /// # Errors
    /// A page cannot be read or written.
    pub(super) fn step(
        &mut self,
        delta: &Delta,
        read: ReadPage<'_>,
        write: WritePage<'_>,
    ) -> Result<bool, SnapshotError> {
        if !self.waiting.is_empty() && !self.goes_into_next() {
            let rows = self.take_page();
            self.newer.push(write(&rows)?);
            return Ok(true);
        }
        while self.at < ranges(&self.older) {
            let range = bounds(&self.older, self.at);
            let page = self.older.get(self.at);
            match page {
                Some(page) if self.waiting.is_empty() && !delta.touches(range, page) => {
                    self.newer.push(page.clone());
                    self.at += 1;
                }
                _ => {
                    let older = page.map(read).transpose()?.unwrap_or_default();
                    let merged = delta.merge(range, older)?;
                    self.waiting_bytes += merged.iter().map(raw_bytes).sum::<usize>();
                    self.waiting.extend(merged);
                    self.at += 1;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The pages, once no step is left.
    pub(super) fn into_pages(self) -> Vec<PageEntry> {
        self.newer
    }

    /// Whether what waits is too little for a page and fits the next one.
    fn goes_into_next(&self) -> bool {
        self.waiting_bytes < self.file_bytes / 4
            && self.older.get(self.at).is_some_and(|next| {
                next.raw_bytes + self.waiting_bytes as u64 <= self.file_bytes as u64
            })
    }

    /// Takes the rows of the next page: equal shares, none much too large.
    fn take_page(&mut self) -> Vec<SnapshotRow> {
        let pages = if self.waiting_bytes <= self.file_bytes + self.file_bytes / 2 {
            1
        } else {
            self.waiting_bytes.div_ceil(self.file_bytes)
        };
        let share = self.waiting_bytes.div_ceil(pages);
        let mut rows = Vec::new();
        let mut bytes = 0;
        while bytes < share
            && let Some(row) = self.waiting.pop_front()
        {
            bytes += raw_bytes(&row);
            rows.push(row);
        }
        self.waiting_bytes -= bytes;
        rows
    }
}
