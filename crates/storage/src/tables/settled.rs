//! Blocks of settled tasks: what a start need not read.
//!
//! Of a settled task the engine keeps nothing but the fingerprints of its own id. Where
//! all tasks of a block of neighbouring numbers are settled, a note beside the pages says
//! so, with the fingerprints of those that have an own id:
//!
//! ```text
//! "s"                                   digest of all rows u128 | digest of the notes u128
//! "s" tenant u32 project u32 block u32  a note: nth of the block u8, own id u128, content u128, ...
//! ```
//!
//! Invariant: a batch that changes a spec, a task or a lease takes the note of its block
//! away. So a note is true of the rows that lie beside it, whatever part of a checkpoint
//! a crash leaves. Notes of other rows, as an earlier release would leave them, or that do
//! not add up are not believed: the digests say so, and a start reads all rows again.
//!
//! A block is looked at once a checkpoint ended that wrote nothing of it.
//!
//! Not here: what a start does with notes (`load.rs`), who looks when (`checkpointer.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};

use bytes::Bytes;
use piecework_core::image::SpecRow;
use piecework_core::lease::Lease;
use piecework_core::planted::{self, Mistake};
use piecework_core::task::TaskRecord;
use piecework_core::{EngineTime, Fingerprint, ProjectId, TaskId, TaskNumber, TenantId};

use super::error::StoreError;
use super::key_value::{Batch, KeyValue};
use super::keys::{GROUP_BYTES, Key, RowId, above};
use super::load::{lease_of, read, task_of};
use super::merged::misread;
use super::pages::{Entry, resolve, scan};
use super::tag::Tag;
use super::values::{self, Misread, checked, sealed};
use crate::digest::RowsDigest;

/// Tasks of a block; a note of that many own ids has about 8 KiB.
const BLOCK_TASKS: u32 = 256;
/// Blocks looked at in one step.
const STEP_BLOCKS: usize = 16;
/// Notes taken away at a time when they are not believed.
const DISCARD_NOTES: usize = 10_000;

const NOTES: u8 = b's';
/// Tenant, project, number of the block.
const BLOCK_BYTES: usize = 12;
const NAME_BYTES: usize = 1 + 16 + 16;

/// Neighbouring tasks of one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    tenant: TenantId,
    project: ProjectId,
    nth: u32,
}

/// A settled task that has an own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) task: TaskId,
    /// Fingerprints of the own id and of the content.
    pub(super) name: (Fingerprint, Fingerprint),
}

impl Block {
    /// The block in which a task lies.
    pub(super) fn of_task(tenant: TenantId, task: TaskId) -> Block {
        Block { tenant, project: task.project, nth: task.number.0 / BLOCK_TASKS }
    }

    /// The block of which a row tells, that of a spec, a task or a lease; whether it may
    /// say that something ended, as a spec does not. Not by [`Key::row`]: every row of a
    /// checkpoint is asked, and most are of another kind.
    fn of_row(key: &Key) -> Option<(Block, bool)> {
        let bytes = key.as_bytes();
        let tag = Tag::of(*bytes.get(GROUP_BYTES - 1)?)?;
        let (project, rest) = bytes[GROUP_BYTES..].split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        let block = Block {
            tenant: TenantId(u32::from_be_bytes(*bytes.first_chunk()?)),
            project: ProjectId(u32::from_be_bytes(*project)),
            nth: u32::from_be_bytes(*number) / BLOCK_TASKS,
        };
        match tag {
            Tag::Spec => Some((block, false)),
            Tag::Task | Tag::Lease => Some((block, true)),
            _ => None,
        }
    }

    /// Numbers of its tasks.
    pub(super) fn numbers(self) -> RangeInclusive<u32> {
        let first = self.nth * BLOCK_TASKS;
        first..=first + (BLOCK_TASKS - 1)
    }

    /// Its rows of a kind: from which key on, below which.
    pub(super) fn bounds(self, kind: Tag) -> (Vec<u8>, Vec<u8>) {
        rows_of(self.tenant, kind, self.project, self.numbers())
    }

    fn note_key(self) -> Vec<u8> {
        let numbers = [self.tenant.0, self.project.0, self.nth].map(u32::to_be_bytes);
        [&[NOTES][..], numbers.as_flattened()].concat()
    }

    fn of_note(key: &[u8]) -> Option<Block> {
        let bytes: &[u8; BLOCK_BYTES] = key.get(1..)?.try_into().ok()?;
        let (numbers, _) = bytes.as_chunks::<4>();
        let [tenant, project, nth] = [0, 1, 2].map(|at| u32::from_be_bytes(numbers[at]));
        Some(Block { tenant: TenantId(tenant), project: ProjectId(project), nth })
    }

    fn task(self, nth: u8) -> TaskId {
        let number = TaskNumber(self.numbers().start() + u32::from(nth));
        TaskId { project: self.project, number }
    }
}

/// Rows of a kind of tasks with these numbers: from which key on, below which.
pub(super) fn rows_of(
    tenant: TenantId,
    kind: Tag,
    project: ProjectId,
    numbers: RangeInclusive<u32>,
) -> (Vec<u8>, Vec<u8>) {
    let prefix = Key::prefix(tenant, kind);
    let key =
        |number: u32| [prefix.as_bytes(), &project.0.to_be_bytes(), &number.to_be_bytes()].concat();
    (key(*numbers.start()), above(&key(*numbers.end())))
}

/// Which blocks are noted, and which are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// With the digest of the note.
    noted: BTreeMap<Block, RowsDigest>,
    notes: RowsDigest,
    /// Tasks or leases of theirs were written since the last checkpoint ended.
    written: BTreeSet<Block>,
    /// The same, by the last checkpoint.
    resting: BTreeSet<Block>,
    due: BTreeSet<Block>,
}

impl Settled {
    /// The notes in a store whose rows have this digest. Takes away what is not to be
    /// believed.
    pub(super) fn read(kv: &dyn KeyValue, rows: RowsDigest) -> Result<Settled, StoreError> {
        let head = kv.get(&[NOTES])?.and_then(|value| read_head(&value).ok());
        let mut settled = Settled::default();
        let mut found: Batch = Vec::new();
        kv.scan(&[NOTES], &[NOTES + 1], &mut |key, value| {
            if let Some(block) = Block::of_note(key) {
                settled.add(block, key, value);
            }
            found.push((key.to_vec(), None));
            ControlFlow::Continue(())
        })?;
        if found.is_empty() || head == Some((rows, settled.notes)) {
            return Ok(settled);
        }
        tracing::warn!(notes = found.len(), "notes of settled tasks are not of these tables");
        for some in found.chunks(DISCARD_NOTES) {
            kv.apply_batch(&some.to_vec())?;
        }
        Ok(Settled::default())
    }

    /// Rows with these keys, ascending, are about to be written: the notes that go with
    /// the same batch.
    pub(super) fn notes_gone<'k>(&mut self, keys: impl Iterator<Item = &'k Key>) -> Batch {
        let (mut gone, mut last) = (Vec::new(), None);
        for key in keys {
            let of_row = Block::of_row(key);
            let Some((block, may_end)) = of_row.filter(|_| of_row != last) else { continue };
            last = of_row;
            if may_end {
                self.written.insert(block);
            }
            if planted::is(Mistake::NoteStays) {
                continue;
            }
            if let Some(note) = self.noted.remove(&block) {
                self.notes.leave(note);
                gone.push((block.note_key(), None));
            }
        }
        gone
    }

    /// Whose notes these are, once all rows have this digest.
    pub(super) fn head(&self, rows: RowsDigest) -> (Vec<u8>, Option<Vec<u8>>) {
        let value = [rows.to_bytes(), self.notes.to_bytes()].concat();
        (vec![NOTES], Some(sealed(&[NOTES], value)))
    }

    /// A checkpoint ended: blocks that it left alone can be looked at.
    pub(super) fn checkpoint_ended(&mut self) {
        let rested = std::mem::replace(&mut self.resting, std::mem::take(&mut self.written));
        self.due.extend(rested.difference(&self.resting));
    }

    /// Nothing is to be written: so can all others.
    pub(super) fn rest(&mut self) {
        self.due.append(&mut self.resting);
        self.due.append(&mut self.written);
    }

    /// These seem to be settled.
    pub(super) fn look_at(&mut self, blocks: Vec<Block>) {
        self.due.extend(blocks);
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Looks at some blocks: what is to be written of them. `at`: engine time of the rows.
    pub(super) fn look(&mut self, kv: &dyn KeyValue, at: EngineTime) -> Result<Batch, StoreError> {
        let mut batch = Vec::new();
        for _ in 0..STEP_BLOCKS {
            let Some(block) = self.due.pop_first() else { break };
            if self.noted.contains_key(&block) {
                continue;
            }
            if let Some(names) = settled_names(kv, block, at)? {
                let key = block.note_key();
                let value = write_note(&key, &names);
                self.add(block, &key, &value);
                batch.push((key, Some(value)));
            }
        }
        Ok(batch)
    }

    /// Noted blocks of a project, ascending.
    pub(super) fn of_project(&self, tenant: TenantId, project: ProjectId) -> Vec<Block> {
        let block = |nth| Block { tenant, project, nth };
        self.noted.range(block(0)..=block(u32::MAX)).map(|(block, _)| *block).collect()
    }

    fn add(&mut self, block: Block, key: &[u8], value: &[u8]) {
        let mut digest = RowsDigest::default();
        digest.add(key, value);
        self.notes.join(digest);
        self.noted.insert(block, digest);
    }
}

/// The settled tasks of a noted block that have an own id.
pub(super) fn names_of(kv: &dyn KeyValue, block: Block) -> Result<Vec<Named>, StoreError> {
    let key = block.note_key();
    let damaged = |source| misread(&Key::new(block.tenant, RowId::Spec(block.task(0))), source);
    let value = kv.get(&key)?.ok_or_else(|| damaged(Misread::Part))?;
    let names = checked(&key, &value).map_err(damaged)?;
    let (names, rest) = names.as_chunks::<NAME_BYTES>();
    if !rest.is_empty() {
        return Err(damaged(Misread::Checksum));
    }
    let print =
        |bytes: &[u8]| Fingerprint(u128::from_le_bytes(bytes.try_into().expect("sixteen bytes")));
    let named = |[nth, prints @ ..]: &[u8; NAME_BYTES]| Named {
        task: block.task(*nth),
        name: (print(&prints[..16]), print(&prints[16..])),
    };
    Ok(names.iter().map(named).collect())
}

fn write_note(key: &[u8], names: &[Named]) -> Vec<u8> {
    let mut value = Vec::with_capacity(names.len() * NAME_BYTES + values::CHECKSUM_BYTES);
    for Named { task, name: (id, content) } in names {
        value.push(u8::try_from(task.number.0 % BLOCK_TASKS).expect("a block has 256 tasks"));
        value.extend_from_slice(&id.0.to_le_bytes());
        value.extend_from_slice(&content.0.to_le_bytes());
    }
    sealed(key, value)
}

fn read_head(value: &Bytes) -> Result<(RowsDigest, RowsDigest), Misread> {
    let bytes = checked(&[NOTES], value)?;
    let (digests, _) = bytes.as_chunks::<16>();
    match digests {
        [rows, notes] => Ok((RowsDigest::from_bytes(*rows), RowsDigest::from_bytes(*notes))),
        _ => Err(Misread::Checksum),
    }
}

/// Own ids of a block whose tasks are all settled at `at`, by the rows in the store;
/// `None`: some are not, or there are none.
fn settled_names(
    kv: &dyn KeyValue,
    block: Block,
    at: EngineTime,
) -> Result<Option<Vec<Named>>, StoreError> {
    let (mut ended, mut is_settled) = (Vec::new(), true);
    each(kv, block, Tag::Task, &mut |key, value| {
        let task = task_of(key)?;
        let record: TaskRecord = read(key, value, |m| values::read_record(task, m))?;
        is_settled &= !record.state.is_open();
        ended.push(task);
        Ok(is_settled)
    })?;
    if ended.is_empty() || !is_settled {
        return Ok(None);
    }
    let mut names = Vec::new();
    let mut ended = ended.into_iter();
    each(kv, block, Tag::Spec, &mut |key, value| {
        let task = task_of(key)?;
        let spec: SpecRow = read(key, value, |m| values::read_spec_row(task, m))?;
        is_settled &= ended.next() == Some(task);
        names.extend(spec.name.map(|name| Named { task, name }));
        Ok(is_settled)
    })?;
    if !is_settled || ended.next().is_some() {
        return Ok(None);
    }
    each(kv, block, Tag::Lease, &mut |key, value| {
        let id = lease_of(key)?;
        let lease: Lease = read(key, value, |m| values::read_lease(id, m))?;
        is_settled &= !lease.keeps_task(at);
        Ok(is_settled)
    })?;
    Ok(is_settled.then_some(names))
}

/// Rows of a block in the store, as long as `take` says true.
fn each(
    kv: &dyn KeyValue,
    block: Block,
    kind: Tag,
    take: &mut dyn FnMut(&Key, &Bytes) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let (from, below) = block.bounds(kind);
    scan(kv, &from, &below, &mut |Entry { key, held }| {
        let value = resolve(kv, &key, held)?.ok_or_else(|| misread(&key, Misread::Part))?;
        Ok(if take(&key, &value)? { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
}
