//! The rows of many keys, read together.
//!
//! A page holds dozens of neighbours, and finding it costs more than going through it.
//! Keys come ascending, so a page is found once, however many of its rows are asked for;
//! keys far from each other cost what single reads cost.
//!
//! Invariant: each row is read as `Tables::get` reads it, overlay first, pages second, so
//! nothing is missed (`overlay.rs`). A page taken for one key was read after the overlay
//! was asked for all of them, or stands in `recent.rs` for what would be read now.
//!
//! Not here: all rows between two keys (`Tables::scan`), what they mean (`together.rs`).

use std::ops::ControlFlow;

use bytes::Bytes;

use super::error::StoreError;
use super::keys::Key;
use super::merged::Tables;
use super::overlay::Slot;
use super::pages::{self, Found, Held, Page, Walk};

/// Sees what is known of each key, by its place among them, until it breaks off.
pub(super) type VisitSlot<'a> =
    &'a mut dyn FnMut(usize, Option<&Bytes>) -> Result<ControlFlow<()>, StoreError>;

/// Keys of which the first ones were shown already.
struct Gathering<'a> {
    tables: &'a Tables,
    keys: &'a [Key],
    /// What the overlay says of each.
    over: Vec<Option<Slot>>,
    at: usize,
}

impl Tables {
    /// Shows what [`Tables::get`] gives for each of `keys`, ascending and distinct.
    pub(super) fn gather(&self, keys: &[Key], visit: VisitSlot<'_>) -> Result<(), StoreError> {
        let over = self.overlay.get_all(keys);
        let mut gathering = Gathering { tables: self, keys, over, at: 0 };
        while let Some(key) = keys.get(gathering.at) {
            let flow = match gathering.over[gathering.at].take() {
                Some(slot) => gathering.show(slot.as_ref(), visit)?,
                None => gathering.page_of(key, visit)?,
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn value(&self, key: &Key, held: Held) -> Result<Slot, StoreError> {
        match pages::resolve(&*self.kv, key, held)? {
            Some(value) => Ok(Some(value)),
            // A part was replaced while we read.
            None => self.get(key),
        }
    }
}

impl Gathering<'_> {
    /// Shows `key`, which is the next one and not in the overlay, and what follows it in
    /// the same page.
    fn page_of(&mut self, key: &Key, visit: VisitSlot<'_>) -> Result<ControlFlow<()>, StoreError> {
        let Tables { kv, recent, .. } = self.tables;
        let near = |(start, _): &(Bytes, Bytes)| start.starts_with(key.group());
        let before = self.at;
        if let Some((start, page)) = recent.covering(key.as_bytes()).filter(near) {
            let flow = self.through(Page::known(&start, &page)?, visit)?;
            if self.at > before {
                return Ok(flow);
            }
        }
        let since = recent.ended();
        if let Some((start, page)) = pages::covering(&**kv, key.as_bytes())?.filter(near) {
            let flow = self.through(Page::open(&start, &page)?, visit)?;
            recent.keep(since, start, page);
            if self.at > before {
                return Ok(flow);
            }
        }
        // No page has it.
        self.show(None, visit)
    }

    /// Shows the next keys as far as the page knows them.
    fn through(
        &mut self,
        page: Page<'_>,
        visit: VisitSlot<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut walk = Walk::new(page);
        while let Some(key) = self.keys.get(self.at) {
            let slot = match self.over[self.at].take() {
                Some(slot) => slot,
                None => match walk.to(key.as_bytes())? {
                    Found::Held(held) => self.tables.value(key, held)?,
                    Found::Absent => None,
                    Found::Behind => break,
                },
            };
            if self.show(slot.as_ref(), visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn show(
        &mut self,
        value: Option<&Bytes>,
        visit: VisitSlot<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        self.at += 1;
        visit(self.at - 1, value)
    }
}
