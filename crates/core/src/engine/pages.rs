//! Packed tasks, sixteen neighbours in number to a page: one piece of memory for all of
//! them, exactly as long as they are.
//!
//! The bytes are for this process alone: they are never written to a disk or a socket, so
//! they have no version.
//!
//! Not here: which tasks are packed (`tasks.rs`), rows in the tables (`piecework-storage`).

use crate::engine::rooms::Task;
use crate::lease::Lease;
use crate::matching::order::{PlaceKey, Spot};
use crate::task::TaskRecord;
use crate::{Position, TaskId, TaskNumber};

const PAGE_BITS: u32 = 4;
/// Before each task stand its slot (one byte) and how many bytes it has (four).
const HEAD: usize = 5;

/// The page of a task, by the number of its first, and where in it the task stands.
pub(crate) fn place(id: TaskId) -> (TaskId, u8) {
    let first = id.number.0 >> PAGE_BITS << PAGE_BITS;
    let slot = u8::try_from(id.number.0 - first).expect("a slot of a page");
    (TaskId { number: TaskNumber(first), ..id }, slot)
}

/// Some packed tasks.
#[derive(Debug, Default)]
pub(crate) struct Page(Box<[u8]>);

impl Page {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn holds(&self, slot: u8) -> bool {
        self.entries().any(|entry| entry.slot == slot)
    }

    pub(crate) fn get(&self, slot: u8) -> Option<Task> {
        self.entries().find(|entry| entry.slot == slot).map(|entry| unpack(entry.task))
    }

    pub(crate) fn take(&mut self, slot: u8) -> Option<Task> {
        let entry = self.entries().find(|entry| entry.slot == slot)?;
        let task = unpack(entry.task);
        let (start, end) = (entry.start, entry.start + HEAD + entry.task.len());
        self.0 = [&self.0[..start], &self.0[end..]].concat().into();
        Some(task)
    }

    /// Adds a task that is not there.
    pub(crate) fn put(&mut self, slot: u8, task: &Task) {
        let packed = pack(task);
        let len = u32::try_from(packed.len()).expect("leases of one task");
        let old = &self.0;
        self.0 = [&old[..], &[slot], &len.to_le_bytes(), &packed].concat().into();
    }

    /// Tasks in the order of their numbers; `first`: the number that the page has.
    pub(crate) fn ids(&self, first: TaskId) -> impl Iterator<Item = TaskId> {
        let mut slots: Vec<u8> = self.entries().map(|entry| entry.slot).collect();
        slots.sort_unstable();
        let id =
            move |slot| TaskId { number: TaskNumber(first.number.0 + u32::from(slot)), ..first };
        slots.into_iter().map(id)
    }

    /// All of them, for the invariant check.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = Task> + '_ {
        self.entries().map(|entry| unpack(entry.task))
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let (slot, rest) = self.0[start..].split_first()?;
            let (len, rest) = rest.split_first_chunk()?;
            let task = &rest[..u32::from_le_bytes(*len) as usize];
            let entry = Entry { start, slot: *slot, task };
            start += HEAD + task.len();
            Some(entry)
        })
    }
}

/// One task of a page.
struct Entry<'a> {
    start: usize,
    slot: u8,
    task: &'a [u8],
}

fn pack(task: &Task) -> Vec<u8> {
    let ready = match task.spot {
        Spot::Ready(_) => true,
        Spot::Nowhere => false,
        Spot::Resting(_) => unreachable!("a place that rests waits for its timer"),
    };
    postcard::to_allocvec(&(&task.record, &task.leases, ready)).expect("memory to write to")
}

fn unpack(packed: &[u8]) -> Task {
    let (record, leases, ready): (TaskRecord, Vec<Lease>, bool) =
        postcard::from_bytes(packed).expect("what was packed in this process");
    let key = || PlaceKey::new(record.id.number, &record.order, record.lapsed);
    let spot = if ready { Spot::Ready(key()) } else { Spot::Nowhere };
    // When an open task last changed matters to nobody.
    Task { record, leases, spot, changed: Position(0) }
}
