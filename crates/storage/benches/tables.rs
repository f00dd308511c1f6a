//! Instructions from a group of commands to rows that lie in the store, and back.
//!
//! The group is 32 times an answer and the next lease, on what `piecework bench` makes
//! (`crates/core/benches/ground`). `cargo xtask instructions` runs it beside the others
//! and compares with the committed baseline; crates/README.md says what it needs.
//!
//! Not here: disks, threads, sled; the journal and the store are those in memory.

#![expect(missing_docs, reason = "gungraun's macros write items of their own")]

#[path = "../../core/benches/ground/mod.rs"]
mod ground;

use std::hint::black_box;

use bytes::Bytes;
use gungraun::prelude::*;
use piecework_core::lease::Grant;
use piecework_core::task::TaskSpec;
use piecework_core::{Now, Position, ProjectId, TaskId, TaskNumber, TenantId};
use piecework_storage::{
    CommandHeader, Group, GroupBody, Journal as _, JournalId, MemoryJournal, MemoryStore, Progress,
    Store, StoreSettings, Ticket, View,
};

use ground::{Decided, Ground, tidied};

/// Workers that answer and lease in one group: twice as many commands.
const PAIRS: usize = 32;
/// Groups before a checkpoint: more rows than one batch of it takes.
const GROUPS: usize = 40;
/// Specs read, far apart.
const READS: usize = 100;

/// A body, and where and when its group ends.
struct Encoded {
    body: Bytes,
    count: usize,
    last: Position,
    now: Now,
}

#[library_benchmark]
#[bench::group(tidied(group_of_commands()))]
fn encode(group: Vec<Decided>) -> (Vec<Decided>, Vec<u8>) {
    let body = body_of(black_box(&group));
    (group, body)
}

#[library_benchmark]
#[bench::group(tidied(journal_and_group()))]
fn append((mut journal, group): (MemoryJournal, Group)) -> (MemoryJournal, Ticket) {
    let ticket = journal.append(black_box(group)).expect("memory is there");
    (journal, ticket)
}

#[library_benchmark(teardown = is_published)]
#[bench::group(tidied(store_and_group()))]
fn publish((store, group): (Store, Encoded)) -> (Store, Encoded) {
    store.publish_own(black_box(&group.body), group.last, group.now).expect("rows of our own");
    (store, group)
}

#[library_benchmark(teardown = is_working)]
#[bench::batch(tidied(checkpoint_begun()))]
fn checkpoint(store: Store) -> (Store, Progress) {
    let progress = store.checkpoint_step().expect("memory is there");
    (store, progress)
}

#[library_benchmark(teardown = are_found)]
#[bench::specs(tidied(view_and_tasks()))]
fn read((view, tasks): (View, Vec<TaskId>)) -> (View, Vec<Option<TaskSpec>>) {
    let read = |task: &TaskId| view.spec(black_box(*task)).expect("rows of our own");
    let specs = tasks.iter().map(read).collect();
    (view, specs)
}

fn group_of_commands() -> Vec<Decided> {
    let mut ground = Ground::warm();
    let mut held: Vec<_> = (0..PAIRS).map(|worker| ground.lease(worker, 1)).collect();
    ground.history.clear();
    next_group(&mut ground, &mut held)
}

fn journal_and_group() -> (MemoryJournal, Group) {
    let commands = group_of_commands();
    let store = MemoryStore::new(JournalId(9));
    let journal = MemoryJournal::open(&store, Box::new(|_| {}));
    let count = u32::try_from(commands.len()).expect("64");
    let body = body_of(&commands).into();
    (journal, Group { first: Position(1), count, now: Now::default(), body })
}

fn store_and_group() -> (Store, Encoded) {
    let (store, mut groups) = checkpointed(1);
    (store, groups.remove(0))
}

/// Its rows are frozen; the next step writes a batch of them.
fn checkpoint_begun() -> Store {
    let (store, groups) = checkpointed(GROUPS);
    for group in groups {
        store.publish(&group.body, group.last, group.now).expect("rows of our own");
    }
    assert_eq!(store.checkpoint_step().expect("memory is there"), Progress::Working);
    store
}

fn view_and_tasks() -> (View, Vec<TaskId>) {
    let (store, _) = checkpointed(0);
    let apart = (1..).step_by(10 * ground::TASKS / READS).map(TaskNumber);
    let task = |number| TaskId { project: ProjectId(1), number };
    (store.view(TenantId::DEFAULT), apart.take(READS).map(task).collect())
}

/// Tables in which all lies that was before the next `groups`.
fn checkpointed(groups: usize) -> (Store, Vec<Encoded>) {
    let mut ground = Ground::warm();
    let mut held: Vec<_> = (0..PAIRS).map(|worker| ground.lease(worker, 1)).collect();
    let store = Store::in_memory(&StoreSettings::default());
    let before = std::mem::take(&mut ground.history);
    store.publish(&body_of(&before).into(), ground.position, ground.now).expect("our own rows");
    store.checkpoint_now().expect("memory is there");
    let next = |_| {
        let group = next_group(&mut ground, &mut held);
        let (count, body) = (group.len(), body_of(&group).into());
        Encoded { body, count, last: ground.position, now: ground.now }
    };
    (store, (0..groups).map(next).collect())
}

/// Every one of them answers what it holds and leases the next.
fn next_group(ground: &mut Ground, held: &mut [Vec<Grant>]) -> Vec<Decided> {
    for (worker, held) in held.iter_mut().enumerate() {
        ground.submit(worker, held);
        *held = ground.lease(worker, 1);
    }
    let group = std::mem::take(&mut ground.history);
    assert_eq!(group.len(), 2 * PAIRS, "each command changes something");
    group
}

fn body_of(group: &[Decided]) -> Vec<u8> {
    let mut body = GroupBody::default();
    for Decided { request, changes } in group {
        let header = CommandHeader {
            tenant: request.tenant,
            kind: request.command.kind(),
            actor: request.command.actor(),
            request_id: request.command.request_id(),
            refusal: None,
        };
        body.push(&header, changes);
    }
    body.finish()
}

fn is_published((store, group): (Store, Encoded)) {
    assert_eq!((store.published(), group.count), (group.last, 2 * PAIRS));
}

/// And had more to write than it took.
fn is_working((store, progress): (Store, Progress)) {
    assert_eq!(progress, Progress::Working);
    assert!(store.applied() < store.published());
}

fn are_found((_, specs): (View, Vec<Option<TaskSpec>>)) {
    assert_eq!(specs.iter().flatten().count(), READS);
}

library_benchmark_group!(name = tables, benchmarks = [encode, append, publish, checkpoint, read]);
main!(library_benchmark_groups = tables);
