//! Rows of many ids read together are those of single reads, whatever happened before.

use std::sync::Arc;

use piecework_core::change::Change;
use piecework_core::{LeaseId, Position, ProjectId, TaskId, TaskNumber};
use piecework_storage::{GivenAnswer, Store, StoreSettings, TaskTitle, View};
use proptest::prelude::*;

use crate::samples::{Dice, TENANT, at, body};

/// Tasks of a project there may be.
const TASKS: u32 = 200;

#[derive(Debug, Clone)]
enum Step {
    /// A group of rows made from the seed.
    Publish { seed: u64, changes: u32 },
    /// Tasks go.
    Gone { first: u32, count: u32 },
    /// A piece of a checkpoint.
    Piece,
    /// A whole one.
    Checkpoint,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u64>(), 0..60_u32).prop_map(|(seed, changes)| Step::Publish { seed, changes }),
        1 => (1..=TASKS, 0..20_u32).prop_map(|(first, count)| Step::Gone { first, count }),
        6 => Just(Step::Piece),
        1 => Just(Step::Checkpoint),
    ]
}

fn take(store: &Store, position: u64, step: &Step) {
    let changes: Vec<Change> = match *step {
        Step::Publish { seed, changes } => {
            let mut dice = Dice(seed);
            (0..changes).map(|_| change(&mut dice)).collect()
        }
        Step::Gone { first, count } => {
            let (first, last) = (TaskNumber(first), TaskNumber(first + count));
            vec![Change::TasksGone { project: ProjectId(1), first, last }]
        }
        Step::Piece => {
            store.checkpoint_step().unwrap();
            return;
        }
        Step::Checkpoint => {
            store.checkpoint_now().unwrap();
            return;
        }
    };
    store.publish(&body(changes), Position(position), at(position)).unwrap();
}

fn change(dice: &mut Dice) -> Change {
    match dice.below(3) {
        0 => {
            let task = dice.task();
            Change::Specs(vec![Arc::new(dice.spec(task))])
        }
        1 => {
            let task = dice.task();
            Change::Task(Box::new(dice.record(task)))
        }
        _ => {
            let lease = dice.lease_id();
            Change::Submission(Box::new(dice.submission(lease)))
        }
    }
}

/// Tasks of three projects and of none, every `nth` of them.
fn tasks(nth: usize) -> Vec<TaskId> {
    let of = |project| {
        let number = move |number| TaskId { project, number: TaskNumber(number) };
        (0..=TASKS + 9).map(number)
    };
    (0..=4).map(ProjectId).flat_map(of).step_by(nth).collect()
}

fn check(view: &View, nth: usize) {
    let tasks = tasks(nth);
    let leases = tasks.iter().flat_map(|&task| (1..=5).map(move |number| LeaseId { task, number }));
    let leases: Vec<LeaseId> = leases.collect();
    for (task, title) in tasks.iter().zip(view.titles(&tasks, usize::MAX).unwrap()) {
        let spec = view.spec(*task).unwrap();
        let single = spec.map(|spec| TaskTitle { name: spec.name, labels: spec.labels });
        assert_eq!(title, single, "{task:?}");
    }
    for (task, revision) in tasks.iter().zip(view.newest_revisions(&tasks).unwrap()) {
        let single = view.task(*task).unwrap().map(|record| record.result_revision);
        assert_eq!(revision, single, "{task:?}");
    }
    let answers = view.answers(&leases, usize::MAX).unwrap();
    let whole = view.submissions_under(&leases, usize::MAX).unwrap();
    assert_eq!((answers.len(), whole.len()), (leases.len(), leases.len()));
    for ((lease, answer), whole) in leases.iter().zip(answers).zip(whole) {
        let single = view.submission(*lease).unwrap();
        assert_eq!(whole, single, "{lease:?}");
        let given = single.map(|single| GivenAnswer {
            revision: single.revision,
            bytes: single.answer.bytes,
            content_type: single.answer.content_type,
        });
        assert_eq!(answer, given, "{lease:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn rows_read_together_are_those_of_single_reads(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let settings = StoreSettings { overlay_bytes: 4096, ..StoreSettings::default() };
        let store = Store::in_memory(&settings);
        for (position, step) in (1..).zip(&steps) {
            take(&store, position, step);
            check(&store.view(TENANT), 1 + steps.len() % 40);
        }
        check(&store.view(TENANT), 1);
        store.checkpoint_now().unwrap();
        check(&store.view(TENANT), 1);
        check(&store.view(TENANT), 23);
    }
}

#[test]
fn no_more_is_read_than_was_asked_for() {
    let store = Store::in_memory(&StoreSettings::default());
    let ids: Vec<TaskId> = tasks(1).into_iter().filter(|task| task.project.0 == 1).collect();
    let specs = ids.iter().map(|id| {
        let mut spec = Dice(u64::from(id.number.0)).spec(*id);
        spec.payload = vec![0; 1_000];
        Arc::new(spec)
    });
    store.publish(&body([Change::Specs(specs.collect())]), Position(1), at(1)).unwrap();
    for _ in 0..2 {
        let view = store.view(TENANT);
        assert_eq!(view.titles(&[], 9).unwrap(), vec![]);
        assert_eq!(view.titles(&ids, 1).unwrap().len(), 1);
        assert!((10..=20).contains(&view.titles(&ids, 20_000).unwrap().len()));
        assert_eq!(view.titles(&ids, usize::MAX).unwrap().len(), ids.len());
        store.checkpoint_now().unwrap();
    }
}
