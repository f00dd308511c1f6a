//! What the journal's groups change in the rows of a snapshot.
//!
//! Puts and goners by key, and ranges that are gone. A range empties this map at
//! once, together with what was derived from the rows found here; of the older
//! rows it takes those that no newer one stands for, when they are merged. Rows
//! derived from the older ones lie before them, so they are looked for first
//! ([`Delta::forget_derived`], for every older row that a range takes).
//!
//! Invariant: a row here is newer than any range that covers it.
//!
//! Not here: how it meets the older pages (`merge.rs`).

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use piecework_core::ProjectId;
use piecework_core::planted::{self, Mistake};

use crate::tables::{
    Key, Misread, Row, RowId, parse, read_answer_of, read_name, read_project_name,
};

use super::error::SnapshotError;
use super::page::{PageEntry, SnapshotRow};

/// What an entry takes in a map besides its value.
const ROW_BYTES: usize = 96;

/// Changes behind a position, up to another.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// The row is now this, or gone.
    slots: BTreeMap<Key, Option<Bytes>>,
    /// First and last of ranges that are gone. None overlaps another.
    ranges: BTreeMap<Key, Key>,
    /// Older names that go if they lead to one of these projects.
    names: BTreeMap<Key, Vec<ProjectId>>,
    bytes: usize,
}

/// Older rows that belong together: from a key on, below another.
pub(super) type Bounds<'a> = (Bound<&'a Key>, Bound<&'a Key>);

impl Delta {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + (self.ranges.len() + self.names.len()) * 2 * ROW_BYTES
    }

    /// Takes the next row of the journal.
    ///
    /// # Errors
    /// A row that goes does not tell what was derived from it.
    pub(super) fn apply(&mut self, row: Row) -> Result<(), SnapshotError> {
        match row {
            // Copied: a slice would keep the whole group in memory.
            Row::Put { key, value } => self.set(key, Some(Bytes::copy_from_slice(&value))),
            Row::Gone { key } => self.set(key, None),
            Row::RangeGone { first, last } => self.range_gone(&first, &last)?,
        }
        Ok(())
    }

    fn set(&mut self, key: Key, slot: Option<Bytes>) {
        let bytes = |slot: &Option<Bytes>| ROW_BYTES + slot.as_ref().map_or(0, Bytes::len);
        self.bytes += bytes(&slot);
        if let Some(before) = self.slots.insert(key, slot) {
            self.bytes -= bytes(&before);
        }
    }

    fn range_gone(&mut self, first: &Key, last: &Key) -> Result<(), SnapshotError> {
        let found: Vec<Key> =
            self.slots.range::<Key, _>(first..=last).map(|(key, _)| key.clone()).collect();
        for key in found {
            let Some(slot) = self.slots.remove(&key) else { continue };
            self.bytes -= ROW_BYTES + slot.as_ref().map_or(0, Bytes::len);
            if let Some(value) = slot {
                self.forget_newest_derived(&key, &value)?;
            }
        }
        self.cover(first.clone(), last.clone());
        Ok(())
    }

    /// What was derived from a row that stood here goes with it.
    fn forget_newest_derived(&mut self, key: &Key, value: &Bytes) -> Result<(), SnapshotError> {
        let Some((derived, project)) = derived_of(key, value)? else { return Ok(()) };
        let is_gone = match (project, self.slots.get(&derived)) {
            (None, _) => true,
            // A newer project may have taken the name.
            (Some(project), Some(Some(entry))) => leads_to(&derived, entry, project)?,
            (Some(_), Some(None)) => false,
            (Some(project), None) => {
                self.names.entry(derived).or_default().push(project);
                return Ok(());
            }
        };
        if is_gone {
            self.set(derived, None);
        }
        Ok(())
    }

    /// Adds a range to those that are gone, joined with what it overlaps.
    fn cover(&mut self, mut first: Key, mut last: Key) {
        while let Some((start, end)) = self.ranges.range::<Key, _>(..=&last).next_back()
            && *end >= first
        {
            let (start, end) = (start.clone(), end.clone());
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    /// Whether older rows may be gone from which others were derived.
    pub(super) fn takes_sources(&self, page: &PageEntry) -> bool {
        self.ranges
            .range::<Key, _>(..=&page.last)
            .rev()
            .take_while(|(_, last)| **last >= page.first)
            .any(|(first, _)| {
                matches!(first.row(), Ok((_, RowId::Submission(_) | RowId::Project(_))))
            })
    }

    /// Looks at an older row: if a range took it, so is gone what was derived
    /// from it. Once for every row of the pages that [`Delta::takes_sources`].
    ///
    /// # Errors
    /// The row does not tell what was derived from it.
    pub(super) fn forget_derived(&mut self, key: &Key, value: &Bytes) -> Result<(), SnapshotError> {
        if !self.covers(key) {
            return Ok(());
        }
        let Some((derived, project)) = derived_of(key, value)? else { return Ok(()) };
        // A derived row that is here was written with a newer source.
        if !self.slots.contains_key(&derived) {
            match project {
                None => self.set(derived, None),
                Some(project) => self.names.entry(derived).or_default().push(project),
            }
        }
        Ok(())
    }

    /// Whether a page would change: else it may be taken over unread.
    /// `bounds`: the keys that would come to lie in it.
    pub(super) fn touches(&self, bounds: Bounds<'_>, page: &PageEntry) -> bool {
        let inside = &page.first..=&page.last;
        self.slots
            .range::<Key, _>(bounds)
            .any(|(key, slot)| slot.is_some() || inside.contains(&key))
            || self
                .ranges
                .range::<Key, _>(..=&page.last)
                .next_back()
                .is_some_and(|(_, l)| *l >= page.first)
            || self.names.range::<Key, _>(inside).next().is_some()
    }

    /// The rows of a page as they are now, and the new ones between `bounds`.
    ///
    /// # Errors
    /// A name cannot be read.
    pub(super) fn merge(
        &self,
        bounds: Bounds<'_>,
        older: Vec<SnapshotRow>,
    ) -> Result<Vec<SnapshotRow>, SnapshotError> {
        let mut merged = Vec::with_capacity(older.len());
        let mut newer = self.slots.range::<Key, _>(bounds).peekable();
        for (key, value) in older {
            while let Some((new, slot)) = newer.next_if(|(new, _)| **new < key) {
                merged.extend(slot.clone().map(|value| (new.clone(), value)));
            }
            let is_gone = match newer.next_if(|(new, _)| **new == key) {
                Some((_, Some(value))) => {
                    merged.push((key, value.clone()));
                    continue;
                }
                Some((_, None)) => true,
                None => self.covers(&key) || self.unnames(&key, &value)?,
            };
            if !is_gone || planted::is(Mistake::SnapshotKeepsGone) {
                merged.push((key, value));
            }
        }
        let rest = newer.filter_map(|(key, slot)| Some((key.clone(), slot.clone()?)));
        merged.extend(rest);
        Ok(merged)
    }

    fn covers(&self, key: &Key) -> bool {
        self.ranges.range::<Key, _>(..=key).next_back().is_some_and(|(_, last)| last >= key)
    }

    fn unnames(&self, key: &Key, value: &Bytes) -> Result<bool, SnapshotError> {
        let Some(projects) = self.names.get(key) else { return Ok(false) };
        for project in projects {
            if leads_to(key, value, *project)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The row that was derived from this one, if there is one; a name only if it
/// leads to this project.
fn derived_of(key: &Key, value: &Bytes) -> Result<Option<(Key, Option<ProjectId>)>, SnapshotError> {
    let bytes = key.as_bytes();
    let Ok((tenant, row)) = key.row() else { return Ok(None) };
    match row {
        RowId::Submission(_) => {
            let (worker, nth) = read_answer_of(bytes, value).map_err(|e| misread(key, e))?;
            Ok(Some((Key::new(tenant, RowId::AnswerOfWorker(worker, nth)), None)))
        }
        RowId::Project(project) => {
            let name = read_project_name(bytes, value).map_err(|e| misread(key, e))?;
            Ok(Some((Key::new(tenant, RowId::ProjectName(&name)), Some(project))))
        }
        _ => Ok(None),
    }
}

fn leads_to(name: &Key, entry: &Bytes, project: ProjectId) -> Result<bool, SnapshotError> {
    let entry = parse(name.as_bytes(), entry).map_err(|e| misread(name, e))?;
    Ok(read_name(entry) == project.0)
}

fn misread(key: &Key, source: Misread) -> SnapshotError {
    SnapshotError::Row { key: key.clone(), source }
}
