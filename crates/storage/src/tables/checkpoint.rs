//! One checkpoint, piece by piece.
//!
//! `freeze → write batches → sync → write how far it goes → sync → thaw`. Only
//! the last but one makes the rest count, so a crash before it costs nothing but
//! replaying more of the journal: rows are absolute.
//!
//! Whoever holds the [`Checkpoint`] is the only writer of the store, and knows
//! what its rows add up to.

use std::sync::Arc;

use super::error::StoreError;
use super::fold::fold;
use super::keys::Key;
use super::merged::Tables;
use super::overlay::Map;
use super::standing::{Standing, write_end, write_rows};
use super::values::Applied;
use crate::digest::RowsDigest;

/// Bytes of one batch, about: large enough that sled's cost per batch vanishes.
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
    pub(super) fn new(standing: Standing) -> Checkpoint {
        Checkpoint { stage: Stage::Idle, standing }
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
                None => (Stage::Idle, Progress::Idle),
                Some(map) => (Stage::Writing { map, done: None }, Progress::Working),
            },
            Stage::Writing { map, done } => {
                let kv = &*tables.kv;
                let folded = fold(kv, &map.rows, done.as_ref(), map.last, BATCH_BYTES)?;
                let mut rows = self.standing.rows;
                rows.join(folded.change);
                write_rows(kv, folded.batch, rows)?;
                self.standing.rows = rows;
                let next = match folded.done {
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
                let rows = self.standing.rows;
                let applied = Applied { position: map.last, now: map.now, rows };
                write_end(&*tables.kv, applied)?;
                tables.kv.flush()?;
                self.standing.applied = applied;
                (Stage::Idle, Progress::Done(applied))
            }
            Stage::Failed => return Err(StoreError::Stopped),
        };
        self.stage = next;
        Ok(progress)
    }
}
