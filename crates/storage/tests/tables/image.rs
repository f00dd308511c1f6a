//! What a start loads, and in which order.

use std::sync::Arc;

use piecework_core::change::Change;
use piecework_core::image::{ColdTask, ImageRow, SpecRow};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::task::TaskState;
use piecework_core::{
    ClientId, EngineTime, Fingerprint, LeaseId, Position, ProjectId, TaskId, TaskNumber,
};
use piecework_storage::{Store, StoreError, StoreSettings};

use crate::samples::{Dice, at, body};

fn store() -> Store {
    Store::in_memory(&StoreSettings::default())
}

fn task(project: u32, number: u32) -> TaskId {
    TaskId { project: ProjectId(project), number: TaskNumber(number) }
}

fn load(store: &Store, at: u64) -> Vec<ImageRow> {
    let mut rows = Vec::new();
    store.load(EngineTime(at), &mut |row| rows.push(row)).unwrap();
    rows
}

fn lease(dice: &mut Dice, task: TaskId, number: u32, state: LeaseState) -> Lease {
    Lease { state, ..dice.lease(LeaseId { task, number }) }
}

#[test]
fn every_spec_is_followed_by_what_became_of_it() {
    let store = store();
    let mut dice = Dice(8);
    let mut changes = Vec::new();
    let mut expected = Vec::new();
    // Project 2 first: the image still comes by project and number.
    for project in [2, 1] {
        let ids: Vec<TaskId> = (1..=3).map(|number| task(project, number)).collect();
        let specs: Vec<_> = ids.iter().map(|&id| Arc::new(dice.spec(id))).collect();
        let mut record = dice.record(ids[1]);
        record.state = TaskState::Open;
        let open = ColdTask {
            record,
            leases: (1..=2).map(|n| lease(&mut dice, ids[1], n, LeaseState::Live)).collect(),
        };
        let mut done = dice.record(ids[2]);
        done.state = TaskState::Done { incomplete: false };
        changes.push(Change::Task(Box::new(done)));
        changes.push(Change::Task(Box::new(open.record.clone())));
        changes.extend(open.leases.iter().map(|l| Change::Lease(Box::new(l.clone()))));
        changes.push(Change::Specs(specs.clone()));
        let mut rows: Vec<ImageRow> = Vec::new();
        for spec in &specs {
            let key = |name: &ClientId| Fingerprint::of(&[name.as_str().as_bytes()]);
            rows.push(ImageRow::Spec(SpecRow {
                task: spec.id,
                order: spec.order,
                name: spec.name.as_ref().map(|name| (key(name), spec.content)),
            }));
        }
        rows.insert(2, ImageRow::Task(Box::new(open)));
        rows.push(ImageRow::Settled(ids[2]));
        rows.append(&mut expected);
        expected = rows;
    }
    store.publish(&body(changes), Position(1), at(1)).unwrap();
    assert_eq!(load(&store, 0), expected);
    store.checkpoint_now().unwrap();
    assert_eq!(load(&store, 0), expected);
}

#[test]
fn kinds_come_in_the_order_of_the_image() {
    let store = store();
    let mut dice = Dice(23);
    for position in 1..=400 {
        let change = loop {
            // Only rows that need no task.
            match dice.change() {
                Change::Specs(_)
                | Change::Task(_)
                | Change::Lease(_)
                | Change::TasksGone { .. }
                | Change::ProjectGone(_) => {}
                change => break change,
            }
        };
        store.publish(&body([change]), Position(position), at(position)).unwrap();
        if position % 90 == 0 {
            store.checkpoint_now().unwrap();
        }
    }
    let rank = |row: &ImageRow| match row {
        ImageRow::Partition(_) | ImageRow::Tenant(_) => 0,
        ImageRow::Requester(_) => 1,
        ImageRow::Project(_) => 2,
        ImageRow::Terms(_) => 3,
        ImageRow::ProjectTally(_) => 4,
        ImageRow::Worker(_) => 5,
        ImageRow::WorkerRecord(_) => 6,
        ImageRow::SkillRating(_) => 7,
        ImageRow::LeaseRequest(_) => 8,
        ImageRow::WorkTally(_) => 9,
        ImageRow::CreateKey(_) => 10,
        ImageRow::Sweep(_) => 11,
        ImageRow::Spec(_)
        | ImageRow::Task(_)
        | ImageRow::Settled(_)
        | ImageRow::SettledName { .. } => 12,
    };
    let ranks: Vec<u32> = load(&store, 0).iter().map(rank).collect();
    assert!(ranks.is_sorted());
    assert_eq!((0..=11).filter(|rank| !ranks.contains(rank)).count(), 0, "{ranks:?}");
}

#[test]
fn a_final_task_is_settled_once_no_answer_can_come() {
    let window = |released| LeaseState::Expired {
        rests_until: EngineTime(50),
        window_ends: EngineTime(100),
        released,
    };
    for (state, at_ms, settled) in [
        (LeaseState::Live, 0, false),
        (window(false), 99, false),
        (window(false), 100, true),
        (window(true), 0, true),
    ] {
        let store = store();
        let mut dice = Dice(2);
        let id = task(1, 1);
        let mut record = dice.record(id);
        record.state = TaskState::Cancelled;
        let changes = [
            Change::Specs(vec![Arc::new(dice.spec(id))]),
            Change::Task(Box::new(record)),
            Change::Lease(Box::new(lease(&mut dice, id, 1, state.clone()))),
        ];
        store.publish(&body(changes), Position(1), at(1)).unwrap();
        let is_settled = matches!(load(&store, at_ms)[1], ImageRow::Settled(_));
        assert_eq!(is_settled, settled, "{state:?} at {at_ms}");
    }
}

#[test]
fn a_touched_task_without_a_spec_is_damage() {
    let store = store();
    let record = Dice(1).record(task(1, 5));
    store.publish(&body([Change::Task(Box::new(record))]), Position(1), at(1)).unwrap();
    let error = store.load(EngineTime(0), &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::Orphan { .. }), "{error:?}");
    assert!(error.is_damage());
}

#[test]
fn many_tasks_load_in_order_from_pages_and_overlay_alike() {
    let store = store();
    let mut dice = Dice(4);
    for position in 1..=30_u64 {
        let first = u32::try_from(position).unwrap() * 400;
        let specs = (first..first + 400).map(|number| {
            let mut spec = dice.spec(task(1, number));
            spec.payload.truncate(40);
            Arc::new(spec)
        });
        let specs = specs.collect();
        store.publish(&body([Change::Specs(specs)]), Position(position), at(position)).unwrap();
        if position == 17 {
            store.checkpoint_now().unwrap();
        }
    }
    let numbers = load(&store, 0).into_iter().map(|row| match row {
        ImageRow::Spec(spec) => spec.task.number.0,
        other => panic!("{other:?}"),
    });
    assert!(numbers.eq(400..31 * 400));
}
