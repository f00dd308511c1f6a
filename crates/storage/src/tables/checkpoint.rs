//! One checkpoint, piece by piece.
//!
//! `freeze → write batches → sync → write how far it goes → sync → thaw`. Only
//! the last but one makes the rest count, so a crash before it costs nothing but
//! replaying more of the journal: rows are absolute.

use std::sync::Arc;

use piecework_core::Position;
use prost::Message;

use super::error::StoreError;
use super::fold::fold;
use super::keys::Key;
use super::merged::Tables;
use super::overlay::Map;
use super::pages::APPLIED;
use super::values::{Applied, checksum, write_applied};

/// Bytes of one batch, about: large enough that sled's cost per batch vanishes.
const BATCH_BYTES: usize = 512 * 1024;

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

/// Where a checkpoint stands.
#[derive(Default)]
pub(super) enum Checkpoint {
    /// None is under way.
    #[default]
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
    /// Does the next piece. `applied`: how far the last checkpoint went.
    pub(super) fn step(
        &mut self,
        tables: &Tables,
        applied: Position,
    ) -> Result<Progress, StoreError> {
        // An error leaves it failed: nothing more is written after one.
        let (next, progress) = match std::mem::replace(self, Checkpoint::Failed) {
            Checkpoint::Idle => match tables.overlay.freeze(applied) {
                None => (Checkpoint::Idle, Progress::Idle),
                Some(map) => (Checkpoint::Writing { map, done: None }, Progress::Working),
            },
            Checkpoint::Writing { map, done } => {
                let kv = &*tables.kv;
                let folded = fold(kv, &map.rows, done.as_ref(), map.last, BATCH_BYTES)?;
                if !folded.batch.is_empty() {
                    kv.apply_batch(&folded.batch)?;
                }
                let next = match folded.done {
                    None => Checkpoint::Written { map },
                    done => Checkpoint::Writing { map, done },
                };
                (next, Progress::Working)
            }
            Checkpoint::Written { map } => {
                tables.kv.flush()?;
                (Checkpoint::Synced { map }, Progress::Working)
            }
            Checkpoint::Synced { map } => {
                let applied = Applied { position: map.last, now: map.now };
                let mut value = write_applied(applied).encode_to_vec();
                value.extend_from_slice(&checksum(APPLIED, &value).to_le_bytes());
                tables.kv.apply_batch(&vec![(APPLIED.to_vec(), Some(value))])?;
                tables.kv.flush()?;
                (Checkpoint::Idle, Progress::Done(applied))
            }
            Checkpoint::Failed => return Err(StoreError::Stopped),
        };
        *self = next;
        Ok(progress)
    }
}
