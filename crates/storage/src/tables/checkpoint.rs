//! One checkpoint, piece by piece.
//!
//! `freeze → write batches → sync → write how far it goes → sync → thaw`. Only
//! the last but one makes the rest count, so a crash before it costs nothing but
//! replaying more of the journal: rows are absolute.
//!
//! Whoever holds the [`Checkpoint`] is the only writer of the store, and knows
//! what its rows add up to.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use piecework_core::planted::{self, Mistake};
use piecework_core::{Position, ProjectId, TenantId};

use super::error::StoreError;
use super::fold::fold;
use super::key_value::KeyValue;
use super::keys::Key;
use super::merged::Tables;
use super::overlay::{Map, Slot};
use super::scrub::{Checked, Scrub, Scrubbed, check_all};
use super::settled::{Block, Settled};
use super::standing::{Standing, has_pages, read_standing, write_end, write_rows};
use super::values::Applied;
use crate::digest::RowsDigest;

/// Bytes of one batch, about: large enough that the cost of its sync vanishes.
pub(super) const BATCH_BYTES: usize = 512 * 1024;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing: all that is published is durable.
    Idle,
    /// A piece; there is more.
    Working,
    /// The last piece of a checkpoint.
    Done(Applied),
}

/// The writer of the store: where its checkpoint stands.
pub(super) struct Checkpoint {
    stage: Stage,
    /// How far the last checkpoint went, and the digest of the rows that lie in the store.
    standing: Standing,
    settled: Settled,
    scrub: Option<Scrub>,
}

enum Stage {
    /// None is under way.
    Idle,
    /// Rows behind `done` are to be written.
    Writing { map: Arc<Map>, done: Option<Key> },
    /// All rows are written; they are to be synced.
    Written { map: Arc<Map> },
    /// All rows are durable; how far they go is to be written and synced.
    Synced { map: Arc<Map> },
    /// The store failed.
    Failed,
}

impl Checkpoint {
    pub(super) fn new(standing: Standing, settled: Settled) -> Checkpoint {
        Checkpoint { stage: Stage::Idle, standing, settled, scrub: None }
    }

    /// The digest of the rows that lie in the store.
    pub(super) fn rows(&self) -> RowsDigest {
        self.standing.rows
    }

    /// Does the next piece.
    pub(super) fn step(&mut self, tables: &Tables) -> Result<Progress, StoreError> {
        // An error leaves it failed: nothing more is written after one.
        let (next, progress) = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle => match tables.overlay.freeze(self.standing.applied.position) {
                None => {
                    self.settled.rest();
                    (Stage::Idle, Progress::Idle)
                }
                Some(map) => {
                    if planted::is(Mistake::AppliedTooEarly) {
                        self.end(tables, self.applied_at(&map))?;
                    }
                    let lost = planted::is(Mistake::OverlayLost).then(|| map.rows.keys().next());
                    let done = lost.flatten().cloned();
                    (Stage::Writing { map, done }, Progress::Working)
                }
            },
            Stage::Writing { map, done } => {
                let next = match self.write(tables, &map.rows, done.as_ref(), map.last)? {
                    None => Stage::Written { map },
                    done => Stage::Writing { map, done },
                };
                (next, Progress::Working)
            }
            Stage::Written { map } => {
                tables.kv.flush()?;
                (Stage::Synced { map }, Progress::Working)
            }
            Stage::Synced { map } => {
                let applied = self.applied_at(&map);
                self.end(tables, applied)?;
                self.settled.checkpoint_ended();
                (Stage::Idle, Progress::Done(applied))
            }
            Stage::Failed => return Err(StoreError::Stopped),
        };
        self.stage = next;
        Ok(progress)
    }

    /// From here until [`Checkpoint::end_import`] nothing but an import may write.
    pub(super) fn begin_import(&mut self, tables: &Tables) -> Result<(), StoreError> {
        if !matches!(self.stage, Stage::Idle) {
            return Err(StoreError::Stopped);
        }
        if self.standing.applied.position > Position(0) || has_pages(&*tables.kv)? {
            return Err(StoreError::NotEmpty);
        }
        self.stage = Stage::Failed;
        Ok(())
    }

    /// All rows are written: syncs them, and says how far they go if they add up.
    pub(super) fn end_import(
        &mut self,
        tables: &Tables,
        applied: Applied,
    ) -> Result<(), StoreError> {
        tables.kv.flush()?;
        let (found, expected) = (self.standing.rows, applied.rows);
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(StoreError::DigestDiffers { found, expected });
        }
        self.end(tables, applied)?;
        self.settled.rest();
        self.stage = Stage::Idle;
        Ok(())
    }

    /// Writes the next batch of `rows`, those behind `done`. Returns the last row
    /// that it took; `None`: there was nothing left.
    pub(super) fn write(
        &mut self,
        tables: &Tables,
        rows: &BTreeMap<Key, Slot>,
        done: Option<&Key>,
        as_of: Position,
    ) -> Result<Option<Key>, StoreError> {
        let scrubbed = self.scrub.as_ref().map_or(&[][..], Scrub::below);
        let mut folded = fold(&*tables.kv, rows, done, as_of, BATCH_BYTES, scrubbed)?;
        let mut digest = self.standing.rows;
        digest.join(folded.change);
        let reach = self.standing.reach.max(as_of);
        if !folded.batch.is_empty() {
            let written = written(rows, done, folded.done.as_ref()).map(|(key, _)| key);
            folded.batch.append(&mut self.settled.notes_gone(written));
            folded.batch.push(self.settled.head(digest));
            folded.batch.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        }
        write_rows(&*tables.kv, folded.batch, digest, reach)?;
        (self.standing.rows, self.standing.reach) = (digest, reach);
        if let Some(scrub) = &mut self.scrub {
            scrub.join(folded.scrubbed_change);
        }
        Ok(folded.done)
    }

    /// Blocks of a project whose tasks are noted as settled.
    pub(super) fn noted(&self, tenant: TenantId, project: ProjectId) -> Vec<Block> {
        self.settled.of_project(tenant, project)
    }

    /// These blocks seem to be settled.
    pub(super) fn look_at(&mut self, blocks: Vec<Block>) {
        self.settled.look_at(blocks);
    }

    /// Whether there are blocks to look at, which is done between two checkpoints.
    pub(super) fn is_note_due(&self) -> bool {
        matches!(self.stage, Stage::Idle) && self.settled.is_due()
    }

    /// Looks at some blocks of tasks, and notes which are settled.
    pub(super) fn note_step(&mut self, tables: &Tables) -> Result<(), StoreError> {
        if !self.is_note_due() {
            return Ok(());
        }
        let Standing { applied, rows, .. } = self.standing;
        let mut batch = self.settled.look(&*tables.kv, applied.now.engine)?;
        if !batch.is_empty() {
            // Its key is below those of notes.
            batch.insert(0, self.settled.head(rows));
            self.stage = Stage::Failed;
            tables.kv.apply_batch(&batch)?;
            self.stage = Stage::Idle;
        }
        Ok(())
    }

    /// Checks the next pages, of about `budget` bytes; begins anew behind the last.
    pub(super) fn scrub_step(
        &mut self,
        tables: &Tables,
        budget: usize,
    ) -> Result<Scrubbed, StoreError> {
        self.check_running()?;
        let kv = &*tables.kv;
        let mut scrub = self.scrub.take().unwrap_or_default();
        if !scrub.step(kv, budget)? {
            self.scrub = Some(scrub);
            return Ok(Scrubbed::Working);
        }
        let (found, checked) = scrub.sum();
        let expected = self.stored_digest(kv)?;
        if found != expected {
            return Err(StoreError::DigestDiffers { found, expected });
        }
        Ok(Scrubbed::Done(checked))
    }

    /// Checks all pages at once.
    pub(super) fn check_pages(
        &self,
        tables: &Tables,
        feed: &dyn Fn(),
    ) -> Result<Checked, StoreError> {
        self.check_running()?;
        let kv = &*tables.kv;
        check_all(kv, self.stored_digest(kv)?, feed)
    }

    /// The digest on disk, which must still be the one that we wrote there.
    fn stored_digest(&self, kv: &dyn KeyValue) -> Result<RowsDigest, StoreError> {
        let (found, expected) = (read_standing(kv)?.rows, self.standing.rows);
        if found != expected {
            return Err(StoreError::DigestDiffers { found, expected });
        }
        Ok(expected)
    }

    fn check_running(&self) -> Result<(), StoreError> {
        match self.stage {
            Stage::Failed => Err(StoreError::Stopped),
            Stage::Idle | Stage::Writing { .. } | Stage::Written { .. } | Stage::Synced { .. } => {
                Ok(())
            }
        }
    }

    /// All that is written is all up to the last row of `map`.
    fn applied_at(&self, map: &Map) -> Applied {
        let is_exact = self.standing.reach <= map.last;
        let rows = is_exact.then_some(self.standing.rows);
        Applied { position: map.last, now: map.now, rows }
    }

    fn end(&mut self, tables: &Tables, applied: Applied) -> Result<(), StoreError> {
        write_end(&*tables.kv, Standing { applied, ..self.standing })?;
        tables.kv.flush()?;
        self.standing.applied = applied;
        Ok(())
    }
}

/// The rows of a batch: behind `done`, up to `last`; `None`: to the end.
fn written<'r>(
    rows: &'r BTreeMap<Key, Slot>,
    done: Option<&Key>,
    last: Option<&Key>,
) -> impl Iterator<Item = (&'r Key, &'r Slot)> {
    let from = done.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_bytes()));
    let to = last.map_or(Bound::Unbounded, |key| Bound::Included(key.as_bytes()));
    rows.range::<[u8], _>((from, to))
}
