//! A start passes over blocks of settled tasks, and misses nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use piecework_core::change::Change;
use piecework_core::image::{ColdTask, ImageRow, SpecRow};
use piecework_core::lease::{Lease, LeaseState, ReturnReason};
use piecework_core::task::{TaskRecord, TaskState};
use piecework_core::{EngineTime, Fingerprint, LeaseId, Position, ProjectId, TaskId, TaskNumber};
use piecework_storage::{KeyValue as _, MemoryKeyValue, Progress, Store, StoreSettings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::samples::{Dice, at, body};

const DONE: TaskState = TaskState::Done { incomplete: false };

fn open(kv: &MemoryKeyValue) -> Store {
    Store::with_key_value(Arc::new(kv.clone()), &StoreSettings::default()).unwrap()
}

fn task(project: u32, number: u32) -> TaskId {
    TaskId { project: ProjectId(project), number: TaskNumber(number) }
}

/// Every third has an own id.
fn spec(task: TaskId) -> Change {
    let mut dice = Dice(u64::from(task.number.0));
    let mut spec = dice.spec(task);
    let text = format!("task-{}", task.number.0);
    spec.name =
        task.number.0.is_multiple_of(3).then(|| piecework_core::ClientId::new(&text).unwrap());
    spec.payload.truncate(20);
    Change::Specs(vec![Arc::new(spec)])
}

fn record(task: TaskId, state: TaskState) -> TaskRecord {
    TaskRecord { state, ..Dice(9).record(task) }
}

fn ended(task: TaskId) -> [Change; 2] {
    [spec(task), Change::Task(Box::new(record(task, DONE)))]
}

fn publish(store: &Store, changes: Vec<Change>) {
    let next = store.published().0 + 1;
    store.publish(&body(changes), Position(next), at(next)).unwrap();
}

/// As the checkpointer does it in a quiet hour.
fn note_all(store: &Store) {
    store.checkpoint_now().unwrap();
    assert_eq!(store.checkpoint_step().unwrap(), Progress::Idle);
    while store.note_step().unwrap() {}
}

/// What an engine would know of the tasks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    untouched: Vec<TaskId>,
    open: Vec<ColdTask>,
    /// Of settled tasks.
    names: BTreeMap<TaskId, (Fingerprint, Fingerprint)>,
}

/// What a start at `at` loads, and how many specs it read for it.
fn start(store: &Store, at: u64) -> (Known, usize) {
    let (mut known, mut specs) = (Known::default(), 0);
    let mut last: Option<SpecRow> = None;
    let touched = |known: &mut Known, last: Option<SpecRow>| {
        known.untouched.extend(last.map(|spec| spec.task));
    };
    store
        .load(EngineTime(at), &mut |row| match row {
            ImageRow::Spec(spec) => {
                specs += 1;
                touched(&mut known, last.replace(spec));
            }
            ImageRow::Task(cold) => {
                assert_eq!(last.take().unwrap().task, cold.record.id);
                known.open.push(*cold);
            }
            ImageRow::Settled(task) => {
                let spec = last.take().unwrap();
                assert_eq!(spec.task, task);
                known.names.extend(spec.name.map(|name| (task, name)));
            }
            ImageRow::SettledName { task, name } => {
                assert!(known.names.insert(task, name).is_none(), "once");
            }
            other => panic!("there is no {other:?}"),
        })
        .unwrap();
    touched(&mut known, last);
    (known, specs)
}

/// Two projects: 600 tasks that are done, 40 untouched; 10 done and one open.
fn two_projects() -> (MemoryKeyValue, Store) {
    let kv = MemoryKeyValue::new();
    let store = open(&kv);
    publish(&store, (1..=600).flat_map(|number| ended(task(1, number))).collect());
    publish(&store, (601..=640).map(|number| spec(task(1, number))).collect());
    publish(&store, (1..=10).flat_map(|number| ended(task(2, number))).collect());
    let open = record(task(2, 11), TaskState::Open);
    publish(&store, vec![spec(task(2, 11)), Change::Task(Box::new(open))]);
    (kv, store)
}

#[test]
fn blocks_of_settled_tasks_are_not_read_and_their_own_ids_are_known() {
    let (kv, store) = two_projects();
    let (known, specs) = start(&store, 9);
    assert_eq!((known.untouched.len(), known.open.len(), known.names.len()), (40, 1, 203));
    assert_eq!(specs, 651);
    note_all(&store);
    let (again, specs) = start(&open(&kv), 9);
    assert_eq!(again, known);
    // Of the first project numbers 1 to 511 are passed over: two blocks of 256, from 0 on.
    assert_eq!(specs, 651 - 511);
}

#[test]
fn a_block_is_read_again_once_any_of_its_rows_changed() {
    let lease =
        Lease { state: LeaseState::Live, ..Dice(1).lease(LeaseId { task: task(1, 5), number: 1 }) };
    for change in [
        Change::Task(Box::new(record(task(1, 5), TaskState::Open))),
        Change::Lease(Box::new(lease)),
        spec(task(1, 0)),
    ] {
        let (kv, store) = two_projects();
        note_all(&store);
        publish(&store, vec![change.clone()]);
        let (known, specs) = start(&store, 9);
        // The other block of 256 is passed over still.
        let expected = 651 - 256 + usize::from(matches!(change, Change::Specs(_)));
        assert_eq!(specs, expected, "{change:?}");
        while !matches!(store.checkpoint_step().unwrap(), Progress::Done(_)) {}
        assert_eq!(start(&open(&kv), 9).0, known, "{change:?}");
        // And noted again only if it is settled still.
        note_all(&store);
        let (again, specs) = start(&open(&kv), 9);
        assert_eq!(again, known, "{change:?}");
        assert_eq!(specs, expected, "{change:?}: one open or new task keeps its block");
    }
}

#[test]
fn a_lease_that_keeps_its_task_keeps_the_block() {
    let window = |window_ends, released| LeaseState::Expired {
        rests_until: EngineTime(0),
        window_ends: EngineTime(window_ends),
        released,
    };
    for (state, draft, is_noted) in [
        (LeaseState::Live, false, false),
        (window(100, false), false, false),
        (window(1, false), false, true),
        (window(100, true), false, true),
        (window(1, false), true, false),
    ] {
        let (kv, store) = two_projects();
        let id = LeaseId { task: task(1, 5), number: 1 };
        let lease = Lease { state: state.clone(), draft, ..Dice(1).lease(id) };
        publish(&store, vec![Change::Lease(Box::new(lease))]);
        note_all(&store);
        let (known, specs) = start(&open(&kv), 9);
        let expected = if is_noted { 651 - 511 } else { 651 - 256 };
        assert_eq!(specs, expected, "{state:?}, a draft: {draft}");
        assert_eq!(known.open.len(), if is_noted { 1 } else { 2 }, "{state:?}, a draft: {draft}");
    }
}

#[test]
fn new_tasks_behind_settled_ones_are_found() {
    let kv = MemoryKeyValue::new();
    let store = open(&kv);
    publish(&store, (1..=3).flat_map(|number| ended(task(1, number))).collect());
    note_all(&store);
    assert_eq!(start(&open(&kv), 9).1, 0, "a block need not be full");
    publish(&store, vec![spec(task(1, 4))]);
    assert_eq!(start(&store, 9).0.untouched, [task(1, 4)]);
    store.checkpoint_now().unwrap();
    assert_eq!(start(&open(&kv), 9).0.untouched, [task(1, 4)]);
}

#[test]
fn what_was_settled_before_there_were_notes_is_noted_after_a_start() {
    let (kv, store) = two_projects();
    store.checkpoint_now().unwrap();
    let store = open(&kv);
    assert!(!store.is_note_due());
    assert_eq!(start(&store, 9).1, 651);
    while store.note_step().unwrap() {}
    assert_eq!(start(&open(&kv), 9).1, 651 - 511);
}

#[test]
fn new_tasks_alone_are_not_looked_at() {
    let store = open(&MemoryKeyValue::new());
    publish(&store, (1..=600).map(|number| spec(task(1, number))).collect());
    store.checkpoint_now().unwrap();
    assert_eq!(store.checkpoint_step().unwrap(), Progress::Idle);
    assert!(!store.is_note_due());
    publish(&store, vec![Change::Task(Box::new(record(task(1, 1), DONE)))]);
    store.checkpoint_now().unwrap();
    assert!(!store.is_note_due(), "it was written a moment before");
    assert_eq!(store.checkpoint_step().unwrap(), Progress::Idle);
    assert!(store.is_note_due());
}

fn notes(kv: &MemoryKeyValue) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let keys = kv.keys().into_iter().filter(|key| key[0] == b's');
    keys.map(|key| (key.clone(), Some(kv.get(&key).unwrap().unwrap().to_vec()))).collect()
}

#[test]
fn notes_that_are_not_what_was_written_are_not_believed() {
    let (kv, store) = two_projects();
    note_all(&store);
    let (known, _) = start(&open(&kv), 9);
    let whole = notes(&kv);
    assert_eq!(whole.len(), 3);
    for (key, value) in &whole {
        let value = value.as_ref().unwrap();
        let bits = (0..value.len() * 8).step_by(61).map(|bit| {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            Some(damaged)
        });
        for damaged in bits.chain([None, Some(Vec::new())]) {
            kv.apply_batch(&vec![(key.clone(), damaged)]).unwrap();
            assert_eq!(start(&open(&kv), 9), (known_again(&known), 651));
            assert_eq!(notes(&kv).len(), 0, "they are taken away");
            kv.apply_batch(&whole).unwrap();
        }
    }
    assert_eq!(start(&open(&kv), 9).1, 651 - 511);
}

fn known_again(known: &Known) -> Known {
    Known {
        untouched: known.untouched.clone(),
        open: known.open.clone(),
        names: known.names.clone(),
    }
}

#[test]
fn notes_of_another_moment_are_not_believed() {
    let (kv, store) = two_projects();
    note_all(&store);
    let before = notes(&kv);
    // An earlier release knows nothing of notes: it changes rows and leaves them.
    kv.apply_batch(&before.iter().map(|(key, _)| (key.clone(), None)).collect()).unwrap();
    let earlier = open(&kv);
    publish(&earlier, vec![Change::Task(Box::new(record(task(1, 7), TaskState::Open)))]);
    earlier.checkpoint_now().unwrap();
    kv.apply_batch(&before).unwrap();
    let (known, specs) = start(&open(&kv), 9);
    assert_eq!(
        known.open.iter().map(|cold| cold.record.id).collect::<Vec<_>>(),
        [task(1, 7), task(2, 11)]
    );
    assert_eq!(specs, 651);
}

/// What may happen to tasks.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many new tasks, all done or all untouched.
    Create {
        project: u32,
        tasks: u32,
        done: bool,
    },
    /// What becomes of a task, and of a lease of it.
    Touch {
        project: u32,
        nth: u32,
        open: bool,
        lease: u64,
        draft: bool,
    },
    /// So many tasks from one on are over.
    End {
        project: u32,
        nth: u32,
        tasks: u32,
    },
    /// A piece of a checkpoint.
    Piece,
    /// A whole one.
    Checkpoint,
    /// Some blocks are looked at.
    Note,
    Flush,
    Crash {
        kept: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let project = 1..3_u32;
    prop_oneof![
        2 => (project.clone(), 1..400_u32, any::<bool>())
            .prop_map(|(project, tasks, done)| Step::Create { project, tasks, done }),
        4 => (project.clone(), any::<u32>(), any::<bool>(), 0..3_u64, any::<bool>())
            .prop_map(|(project, nth, open, lease, draft)| {
                Step::Touch { project, nth, open, lease, draft }
            }),
        2 => (project, any::<u32>(), 1..600_u32)
            .prop_map(|(project, nth, tasks)| Step::End { project, nth, tasks }),
        4 => Just(Step::Piece),
        2 => Just(Step::Checkpoint),
        6 => Just(Step::Note),
        1 => Just(Step::Flush),
        2 => (0..4_usize).prop_map(|kept| Step::Crash { kept }),
    ]
}

struct World {
    kv: MemoryKeyValue,
    store: Store,
    journal: Vec<Vec<Change>>,
    tasks: BTreeMap<TaskId, (Change, Option<ColdTask>)>,
    created: [u32; 3],
}

impl World {
    fn new() -> World {
        let kv = MemoryKeyValue::new();
        let store = open(&kv);
        World { kv, store, journal: Vec::new(), tasks: BTreeMap::new(), created: [0; 3] }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Create { project, tasks, done } => {
                let last = &mut self.created[project as usize];
                let new = *last + 1..=*last + tasks;
                *last += tasks;
                for number in new.clone() {
                    self.tasks.insert(task(project, number), (spec(task(project, number)), None));
                }
                let specs = new.clone().map(|number| spec(task(project, number)));
                self.publish(specs.collect());
                if done {
                    self.end(project, new);
                }
            }
            Step::Touch { project, nth, open, lease, draft } => {
                let Some(number) = nth.checked_rem(self.created[project as usize]) else { return };
                self.touch(task(project, number + 1), open, lease, draft);
            }
            Step::End { project, nth, tasks } => {
                let created = self.created[project as usize];
                let Some(first) = nth.checked_rem(created) else { return };
                self.end(project, first + 1..=created.min(first + tasks));
            }
            Step::Piece => _ = self.store.checkpoint_step().unwrap(),
            Step::Checkpoint => _ = self.store.checkpoint_now().unwrap(),
            Step::Note => _ = self.store.note_step().unwrap(),
            Step::Flush => self.kv.flush().unwrap(),
            Step::Crash { kept } => {
                self.kv.crash(kept);
                self.store = open(&self.kv);
                let applied = usize::try_from(self.store.applied().0).unwrap();
                self.journal[applied..]
                    .iter()
                    .cloned()
                    .for_each(|group| publish(&self.store, group));
            }
        }
    }

    fn publish(&mut self, changes: Vec<Change>) {
        self.journal.push(changes.clone());
        publish(&self.store, changes);
    }

    fn end(&mut self, project: u32, numbers: impl Iterator<Item = u32>) {
        let mut changes = Vec::new();
        for number in numbers {
            let (_, cold) = self.tasks.get_mut(&task(project, number)).unwrap();
            let leases = cold.take().map_or(Vec::new(), |cold| cold.leases);
            let leases = leases.into_iter().map(|lease| Lease {
                state: LeaseState::Returned { reason: ReturnReason::Unstarted, at: EngineTime(0) },
                draft: false,
                ..lease
            });
            let leases: Vec<Lease> = leases.collect();
            let record = record(task(project, number), DONE);
            changes.push(Change::Task(Box::new(record.clone())));
            changes.extend(leases.iter().map(|lease| Change::Lease(Box::new(lease.clone()))));
            *cold = Some(ColdTask { record, leases });
        }
        self.publish(changes);
    }

    /// `lease`: 0: none; 1: live; 2: its window ends ten positions on.
    fn touch(&mut self, id: TaskId, open: bool, lease: u64, draft: bool) {
        let now = self.store.published().0;
        let (_, cold) = self.tasks.get_mut(&id).unwrap();
        let leases = cold.take().map_or(Vec::new(), |cold| cold.leases);
        let record = record(id, if open { TaskState::Open } else { TaskState::Cancelled });
        let mut cold_now = ColdTask { record, leases };
        let mut changes = vec![Change::Task(Box::new(cold_now.record.clone()))];
        if lease > 0 {
            let number = 1 + u32::try_from(cold_now.leases.len()).unwrap();
            let state = match lease {
                1 => LeaseState::Live,
                _ => LeaseState::Expired {
                    rests_until: EngineTime(now),
                    window_ends: EngineTime(now + 10),
                    released: false,
                },
            };
            let lease = Lease { state, draft, ..Dice(now).lease(LeaseId { task: id, number }) };
            changes.push(Change::Lease(Box::new(lease.clone())));
            cold_now.leases.push(lease);
        }
        *cold = Some(cold_now);
        self.publish(changes);
    }

    /// Every task that is not settled, and all own ids, as the model has them.
    fn check(&self) -> usize {
        let now = EngineTime(self.store.published().0);
        let mut known = Known::default();
        for (id, (spec, cold)) in &self.tasks {
            let Change::Specs(specs) = spec else { unreachable!("it is a spec") };
            match cold {
                None => known.untouched.push(*id),
                Some(cold) => {
                    let waits = |lease: &Lease| lease.takes_capacity(now) || lease.draft;
                    if cold.record.state.is_open() || cold.leases.iter().any(waits) {
                        known.open.push(cold.clone());
                    } else if let Some(name) = &specs[0].name {
                        let print = Fingerprint::of(&[name.as_str().as_bytes()]);
                        known.names.insert(*id, (print, specs[0].content));
                    }
                }
            }
        }
        let (found, specs) = start(&self.store, now.0);
        assert_eq!(found, known);
        self.tasks.len() - specs
    }
}

#[test]
fn whatever_happens_a_start_finds_every_task_that_is_not_settled() {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let passed_over = Cell::new(0);
    let steps = prop::collection::vec(step(), 1..50);
    let told = TestRunner::new(config).run(&steps, |steps| {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            if matches!(step, Step::Crash { .. }) {
                passed_over.set(passed_over.get() + world.check());
            }
        }
        world.check();
        world.take(Step::Crash { kept: usize::MAX });
        passed_over.set(passed_over.get() + world.check());
        Ok(())
    });
    told.unwrap();
    assert!(passed_over.get() > 0, "no start passed over anything");
}
