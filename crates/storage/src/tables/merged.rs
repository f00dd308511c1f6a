//! The rows as published: the overlay over the pages.
//!
//! Every read looks at the overlay first, under its lock, then at the pages
//! without any lock (`overlay.rs` says why nothing is missed). A single row is
//! exact. A scan goes in chunks; a group published while it runs may show in a
//! later chunk and not in an earlier one. Lists by number lose nothing by that:
//! what is new comes at their end.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::error::StoreError;
use super::key_value::KeyValue;
use super::keys::{Key, RowId, above, after};
use super::overlay::{Overlay, Slot};
use super::pages::{self, Entry, Held, Page};
use super::recent::Recent;
use super::row::Row;
use super::tag::Tag;
use super::values::{Misread, parse, read_answer_of, read_name, read_project_name};

/// Rows of the overlay in the first chunk of a scan, and in any.
const CHUNK_ROWS_MIN: usize = 64;
const CHUNK_ROWS_MAX: usize = 4096;
/// A value in parts that is replaced while we read is read again.
const TRIES: usize = 3;

/// Overlay and pages as one ordered map.
pub(super) struct Tables {
    pub(super) kv: Arc<dyn KeyValue>,
    pub(super) overlay: Overlay,
    pub(super) recent: Recent,
}

/// Sees rows in key order until it breaks off.
pub(super) type VisitRow<'a> =
    &'a mut dyn FnMut(&Key, &Bytes) -> Result<ControlFlow<()>, StoreError>;

impl Tables {
    /// The value of one row.
    pub(super) fn get(&self, key: &Key) -> Result<Slot, StoreError> {
        for _ in 0..TRIES {
            if let Some(slot) = self.overlay.get(key) {
                return Ok(slot);
            }
            let Some(held) = self.held(key)? else { return Ok(None) };
            if let Some(value) = pages::resolve(&*self.kv, key, held)? {
                return Ok(Some(value));
            }
        }
        Err(misread(key, Misread::Part))
    }

    /// Where the pages have the value of `key`.
    fn held(&self, key: &Key) -> Result<Option<Held>, StoreError> {
        let near = |start: &Bytes| start.starts_with(key.group());
        if let Some((start, page)) = self.recent.covering(key.as_bytes())
            && near(&start)
            && let Some(held) = Page::known(&start, &page)?.find(key.as_bytes())?
        {
            return Ok(Some(held));
        }
        let since = self.recent.ended();
        let covering = pages::covering(&*self.kv, key.as_bytes())?;
        let Some((start, page)) = covering.filter(|(start, _)| near(start)) else {
            return Ok(None);
        };
        let held = Page::open(&start, &page)?.find(key.as_bytes())?;
        self.recent.keep(since, start, page);
        Ok(held)
    }

    /// The message of one row.
    pub(super) fn message<M: Message + Default>(&self, key: &Key) -> Result<Option<M>, StoreError> {
        let value = self.get(key)?;
        value.map(|value| parse(key.as_bytes(), &value).map_err(|e| misread(key, e))).transpose()
    }

    /// Rows from `from` on, below `below`.
    pub(super) fn scan(
        &self,
        from: &[u8],
        below: &[u8],
        visit: VisitRow<'_>,
    ) -> Result<(), StoreError> {
        let mut from = from.to_vec();
        let mut rows = CHUNK_ROWS_MIN;
        loop {
            let (over, complete_below) = self.overlay.collect(&from, below, rows);
            let end = complete_below.as_deref().unwrap_or(below);
            if self.scan_chunk(over, &from, end, visit)?.is_break() {
                return Ok(());
            }
            let Some(end) = complete_below else { return Ok(()) };
            from = end;
            rows = (rows * 2).min(CHUNK_ROWS_MAX);
        }
    }

    fn scan_chunk(
        &self,
        over: Vec<(Key, Slot)>,
        from: &[u8],
        below: &[u8],
        visit: VisitRow<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut over = over.into_iter().peekable();
        let mut flow = ControlFlow::Continue(());
        // A page that is cut while we read can show its rows twice.
        let mut last: Option<Key> = None;
        pages::scan(&*self.kv, from, below, &mut |Entry { key, held }| {
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Ok(ControlFlow::Continue(()));
            }
            while let Some((over_key, slot)) = over.next_if(|(over, _)| *over < key) {
                flow = show(&over_key, slot.as_ref(), visit)?;
                if flow.is_break() {
                    return Ok(flow);
                }
            }
            let slot = match over.next_if(|(over, _)| *over == key) {
                Some((_, slot)) => slot,
                None => match pages::resolve(&*self.kv, &key, held)? {
                    Some(value) => Some(value),
                    None => self.get(&key)?,
                },
            };
            flow = show(&key, slot.as_ref(), visit)?;
            last = Some(key);
            Ok(flow)
        })?;
        while flow.is_continue()
            && let Some((key, slot)) = over.next()
        {
            flow = show(&key, slot.as_ref(), visit)?;
        }
        Ok(flow)
    }

    /// At most `max` rows from `from` on, below `below`.
    pub(super) fn take(
        &self,
        from: &[u8],
        below: &[u8],
        max: usize,
    ) -> Result<VecDeque<(Key, Bytes)>, StoreError> {
        let mut rows = VecDeque::new();
        if max == 0 {
            return Ok(rows);
        }
        self.scan(from, below, &mut |key, value| {
            rows.push_back((key.clone(), value.clone()));
            Ok(if rows.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(rows)
    }

    /// Rows of a group as slots: ranges become the rows found in them.
    ///
    /// Only the publisher changes what is found, so this needs no lock.
    pub(super) fn resolve(&self, rows: Vec<Row>) -> Result<Vec<(Key, Slot)>, StoreError> {
        let mut slots: Vec<(Key, Slot)> = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Row::Put { key, value } => slots.push((key, Some(value))),
                Row::Gone { key } => slots.push((key, None)),
                Row::RangeGone { first, last } => self.resolve_range(&first, &last, &mut slots)?,
            }
        }
        Ok(slots)
    }

    fn resolve_range(
        &self,
        first: &Key,
        last: &Key,
        slots: &mut Vec<(Key, Slot)>,
    ) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        // What this group put before, newest first; then what was there.
        let earlier =
            slots.iter().filter(|(key, slot)| slot.is_some() && first <= key && key <= last);
        for (key, slot) in earlier {
            if let Some(value) = slot {
                self.forget(key, value, slots, &mut gone)?;
            }
        }
        self.scan(first.as_bytes(), &after(last.as_bytes()), &mut |key, value| {
            self.forget(key, value, slots, &mut gone)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if gone.is_empty() && first == last {
            self.forget_name(first, &mut gone)?;
        }
        slots.append(&mut gone);
        Ok(())
    }

    /// A row goes, and with it what was derived from it.
    fn forget(
        &self,
        key: &Key,
        value: &Bytes,
        earlier: &[(Key, Slot)],
        gone: &mut Vec<(Key, Slot)>,
    ) -> Result<(), StoreError> {
        let (tenant, row) = key.row().map_err(StoreError::Key)?;
        let bytes = key.as_bytes();
        let derived = match row {
            RowId::Submission(_) => {
                let (worker, nth) = read_answer_of(bytes, value).map_err(|e| misread(key, e))?;
                Some(Key::new(tenant, RowId::AnswerOfWorker(worker, nth)))
            }
            RowId::Project(project) => {
                let name = read_project_name(bytes, value).map_err(|e| misread(key, e))?;
                let name = Key::new(tenant, RowId::ProjectName(&name));
                // A newer project may have taken the name.
                (self.named(&name, earlier)? == Some(project.0)).then_some(name)
            }
            _ => None,
        };
        gone.extend(derived.map(|derived| (derived, None)));
        gone.push((key.clone(), None));
        Ok(())
    }

    /// The number that a name leads to, `earlier` rows of the group included.
    fn named(&self, name: &Key, earlier: &[(Key, Slot)]) -> Result<Option<u32>, StoreError> {
        let slot = match earlier.iter().rev().find(|(key, _)| key == name) {
            Some((_, slot)) => slot.clone(),
            None => self.get(name)?,
        };
        let Some(value) = slot else { return Ok(None) };
        let entry = parse(name.as_bytes(), &value).map_err(|e| misread(name, e))?;
        Ok(Some(read_name(entry)))
    }

    /// A project that is gone already may have left its name behind, where a
    /// crash came between; only replaying a journal gets here.
    fn forget_name(&self, key: &Key, gone: &mut Vec<(Key, Slot)>) -> Result<(), StoreError> {
        let (tenant, row) = key.row().map_err(StoreError::Key)?;
        let RowId::Project(project) = row else { return Ok(()) };
        let names = Key::prefix(tenant, Tag::ProjectName);
        self.scan(names.as_bytes(), &above(names.as_bytes()), &mut |key, value| {
            let entry = parse(key.as_bytes(), value).map_err(|e| misread(key, e))?;
            if read_name(entry) == project.0 {
                gone.push((key.clone(), None));
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

fn show(
    key: &Key,
    slot: Option<&Bytes>,
    visit: VisitRow<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    slot.map_or(Ok(ControlFlow::Continue(())), |value| visit(key, value))
}

/// Names the row that could not be read.
pub(super) fn misread(key: &Key, source: Misread) -> StoreError {
    StoreError::Row { key: key.clone(), source }
}
