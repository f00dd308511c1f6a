//! What readers ask, from the overlay and from pages alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use piecework_core::change::{Change, PinnedTerms};
use piecework_core::event::Log;
use piecework_core::image::ColdTask;
use piecework_core::worker::WorkerRecord;
use piecework_core::{
    EngineTime, LeaseId, Position, ProjectId, Revision, Sequence, TaskId, TaskNumber, TenantId,
    WorkerId,
};
use piecework_storage::{Direction, Room, Store, StoreSettings, View};

use crate::samples::{Dice, TENANT, at, body, changed, header};

/// Looks twice: at published rows, and at the same ones after a checkpoint.
fn with(changes: impl IntoIterator<Item = Change>, look: impl Fn(&View)) {
    let store = Store::in_memory(&StoreSettings::default());
    store.publish(&body(changes), Position(1), at(1)).unwrap();
    look(&store.view(TENANT));
    store.checkpoint_now().unwrap();
    look(&store.view(TENANT));
    assert_eq!(store.view(TenantId(2)).project(ProjectId(1)).unwrap(), None);
}

fn task(number: u32) -> TaskId {
    TaskId { project: ProjectId(1), number: TaskNumber(number) }
}

#[test]
fn every_noun_comes_back_as_it_was() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let (requester, project, worker) = (dice.requester(), dice.project(), dice.worker());
        let (tally, behaviour, terms) = (dice.tally(), dice.worker_record(), dice.terms());
        let (spec, record) = (dice.spec(task(1)), dice.record(task(1)));
        let name = LeaseId { task: task(1), number: 1 };
        let (mut lease, submission) = (dice.lease(name), dice.submission(name));
        (lease.claim_by, lease.draft) = (Some(EngineTime(seed)), true);
        let draft = dice.draft(name);
        let pinned =
            PinnedTerms { project: project.id, revision: Revision(2), terms: terms.clone() };
        let changes = [
            Change::Requester(Box::new(requester.clone())),
            Change::Project(Box::new(project.clone())),
            Change::Worker(Box::new(worker.clone())),
            Change::ProjectTally(tally),
            Change::WorkerRecord(behaviour),
            Change::Terms(Box::new(pinned)),
            Change::Specs(vec![Arc::new(spec.clone())]),
            Change::Task(Box::new(record.clone())),
            Change::Lease(Box::new(lease.clone())),
            Change::Submission(Box::new(submission.clone())),
            Change::Draft(Box::new(draft.clone())),
        ];
        with(changes, |view| {
            assert_eq!(view.requester(requester.id).unwrap().as_ref(), Some(&requester));
            assert_eq!(view.requester_named(&requester.name).unwrap().as_ref(), Some(&requester));
            assert_eq!(view.project(project.id).unwrap().as_ref(), Some(&project));
            assert_eq!(view.project_named(&project.name).unwrap().as_ref(), Some(&project));
            assert_eq!(view.worker(worker.id).unwrap().as_ref(), Some(&worker));
            assert_eq!(view.worker_named(&worker.name).unwrap().as_ref(), Some(&worker));
            assert_eq!(view.project_tally(tally.project).unwrap(), Some(tally));
            assert_eq!(view.worker_record(behaviour.worker).unwrap(), Some(behaviour));
            assert_eq!(view.terms(project.id, Revision(2)).unwrap().as_ref(), Some(&terms));
            assert_eq!(view.terms(project.id, Revision(3)).unwrap(), None);
            assert_eq!(view.spec(task(1)).unwrap().as_ref(), Some(&spec));
            assert_eq!(view.task(task(1)).unwrap().as_ref(), Some(&record));
            assert_eq!(view.lease(name).unwrap().as_ref(), Some(&lease));
            assert_eq!(view.submission(name).unwrap().as_ref(), Some(&submission));
            assert_eq!(view.draft(name).unwrap().as_ref(), Some(&draft));
            assert_eq!(view.draft(LeaseId { number: 2, ..name }).unwrap(), None);
            assert_eq!(view.submissions(task(1)).unwrap(), vec![submission.clone()]);
            let cold = ColdTask { record: record.clone(), leases: vec![lease.clone()] };
            assert_eq!(view.cold_task(task(1)).unwrap(), Some(cold));
            assert_eq!(view.cold_task(task(2)).unwrap(), None);
        });
    }
}

#[test]
fn lists_go_by_number_from_behind_a_place_up_to_a_limit() {
    let mut dice = Dice(6);
    let specs: Vec<_> = (1..=500).map(|number| Arc::new(dice.spec(task(number)))).collect();
    with([Change::Specs(specs)], |view| {
        let numbers = |after, max| -> Vec<u32> {
            let specs = view.specs(ProjectId(1), TaskNumber(after), max).unwrap();
            specs.iter().map(|spec| spec.id.number.0).collect()
        };
        assert_eq!(numbers(0, 3), vec![1, 2, 3]);
        assert_eq!(numbers(499, 3), vec![500]);
        assert_eq!(numbers(500, 3), Vec::<u32>::new());
        assert_eq!(numbers(0, 0), Vec::<u32>::new());
        assert_eq!(numbers(0, 1000).len(), 500);
        assert_eq!(view.specs(ProjectId(2), TaskNumber(0), 9).unwrap(), vec![]);
        assert_eq!(view.tasks(ProjectId(1), TaskNumber(0), 9).unwrap(), vec![]);
    });
}

#[test]
fn leases_of_a_task_are_its_own_only() {
    let mut dice = Dice(9);
    let ids = (1..=40).flat_map(|t| (1..=6).map(move |number| LeaseId { task: task(t), number }));
    let leases: Vec<_> = ids.map(|id| dice.lease(id)).collect();
    with(leases.iter().map(|lease| Change::Lease(Box::new(lease.clone()))), |view| {
        for t in 1..=40 {
            let own: Vec<_> = leases.iter().filter(|l| l.id.task == task(t)).cloned().collect();
            assert_eq!(view.leases(task(t)).unwrap(), own);
        }
        assert_eq!(view.leases(task(41)).unwrap(), vec![]);
    });
}

#[test]
fn a_workers_answers_go_both_ways_and_leave_out_those_of_tasks_that_are_gone() {
    let mut dice = Dice(10);
    let mut changes: Vec<Change> = Vec::new();
    for nth in 1..=20 {
        let mut submission = dice.submission(LeaseId { task: task(nth), number: 1 });
        (submission.worker, submission.nth) = (WorkerId(3), nth);
        changes.push(Change::Submission(Box::new(submission)));
    }
    let (first, last) = (TaskNumber(4), TaskNumber(17));
    changes.push(Change::TasksGone { project: ProjectId(1), first, last });
    let (worker, answers) = (WorkerId(3), 20);
    changes.push(Change::WorkerRecord(WorkerRecord { worker, answers, ..WorkerRecord::default() }));
    with(changes, |view| {
        let nths = |nth, direction, max| -> Vec<u32> {
            let answers = view.submissions_of(WorkerId(3), nth, direction, max).unwrap();
            answers.iter().map(|answer| answer.nth).collect()
        };
        assert_eq!(nths(1, Direction::Ascending, 4), vec![1, 2, 3, 18]);
        assert_eq!(nths(0, Direction::Ascending, 100), vec![1, 2, 3, 18, 19, 20]);
        assert_eq!(nths(20, Direction::Descending, 4), vec![20, 19, 18, 3]);
        assert_eq!(nths(2, Direction::Descending, 9), vec![2, 1]);
        assert_eq!(nths(u32::MAX, Direction::Descending, 2), vec![20, 19]);
        assert_eq!(nths(0, Direction::Descending, 9), Vec::<u32>::new());
        assert_eq!(nths(21, Direction::Ascending, 9), Vec::<u32>::new());
        assert_eq!(view.submissions_of(WorkerId(4), 1, Direction::Ascending, 9).unwrap(), vec![]);
    });
}

#[test]
fn a_log_is_read_from_behind_a_sequence_through_a_filter() {
    let mut dice = Dice(12);
    let log = Log::Project(ProjectId(1));
    let other = Log::Project(ProjectId(2));
    let workers = Log::Workers(TENANT);
    let mut changes = Vec::new();
    for sequence in 1..=60 {
        for log in [log, other, workers] {
            changes.push(Change::Event(Box::new(dice.event(log, Sequence(sequence)))));
        }
    }
    changes.push(Change::EventsGone { log, through: Sequence(10) });
    with(changes, |view| {
        for (log, earliest) in [(log, 11), (other, 1), (workers, 1)] {
            assert_eq!(view.earliest_event(log).unwrap(), Some(Sequence(earliest)));
            let all = view.events(log, Sequence(0), 1000, &mut |_| true).unwrap();
            let sequences = all.events.iter().map(|event| event.sequence.0);
            assert!(sequences.eq(earliest..=60));
            assert!(all.events.iter().all(|event| event.log == log));
            assert_eq!(all.through, Sequence(60));
        }
        let even = |event: &piecework_core::event::Event| event.sequence.0.is_multiple_of(2);
        let some = view.events(log, Sequence(50), 2, &mut |e| even(e)).unwrap();
        assert_eq!(some.events.len(), 2);
        assert_eq!(some.through, Sequence(54));
        let none = view.events(log, Sequence(60), 9, &mut |_| true).unwrap();
        assert_eq!((none.events.len(), none.through), (0, Sequence(60)));
        let filtered = view.events(log, Sequence(10), 9, &mut |_| false).unwrap();
        assert_eq!((filtered.events.len(), filtered.through), (0, Sequence(60)));
        assert_eq!(view.earliest_event(Log::Project(ProjectId(3))).unwrap(), None);
    });
}

#[test]
fn a_project_that_is_gone_takes_its_name_terms_and_tallies_along() {
    let mut dice = Dice(13);
    let mut project = dice.project();
    project.id = ProjectId(1);
    let pinned = PinnedTerms { project: project.id, revision: Revision(2), terms: dice.terms() };
    let changes = [
        Change::Project(Box::new(project.clone())),
        Change::Terms(Box::new(pinned)),
        Change::ProjectGone(project.id),
    ];
    with(changes, |view| {
        assert_eq!(view.project(project.id).unwrap(), None);
        assert_eq!(view.project_named(&project.name).unwrap(), None);
        assert_eq!(view.terms(project.id, Revision(2)).unwrap(), None);
    });
}

#[test]
fn large_answers_and_projects_come_back_whole() {
    let mut dice = Dice(14);
    let name = LeaseId { task: task(1), number: 1 };
    for bytes in [0, 1_023, 1_024, 16_383, 16_384, 65_536, 262_144, 4_000_000] {
        let mut submission = dice.submission(name);
        submission.answer.bytes = vec![5; bytes];
        with([Change::Submission(Box::new(submission.clone()))], |view| {
            assert_eq!(view.submission(name).unwrap().as_ref(), Some(&submission));
        });
    }
}

#[test]
fn a_publication_is_announced_and_a_group_without_rows_counts() {
    let store = Store::in_memory(&StoreSettings::default());
    let seen = Arc::new(AtomicU64::new(0));
    let hears = Arc::clone(&seen);
    store.subscribe(Box::new(move |at| hears.store(at.0, Ordering::Relaxed)));
    store.publish(&body([]), Position(4), at(9)).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 4);
    assert_eq!(store.published(), Position(4));
    assert_eq!(store.applied(), Position(0));
    assert_eq!(store.checkpoint_now().unwrap(), Position(4));
    assert_eq!(store.applied_now(), at(9));
}

#[test]
fn a_full_overlay_refuses_intake_first_and_a_checkpoint_makes_room() {
    let settings = StoreSettings { overlay_bytes: 100_000, ..StoreSettings::default() };
    let store = Store::in_memory(&settings);
    let mut rooms = Vec::new();
    for position in 1..=20 {
        let mut spec = Dice(position).spec(task(1));
        spec.payload = vec![0; 10_000];
        let change = Change::Specs(vec![Arc::new(spec)]);
        let mut body = Vec::new();
        piecework_storage::encode_command(&mut body, &header(), &[changed(change)]);
        store.publish(&body.into(), Position(position), at(position)).unwrap();
        rooms.push(store.room());
    }
    assert!(rooms.is_sorted());
    assert_eq!((rooms[0], rooms[11], rooms[19]), (Room::Free, Room::IntakeFull, Room::Full));
    // Frozen rows have left the active map: what comes now has room again.
    store.checkpoint_step().unwrap();
    assert_eq!(store.room(), Room::Free);
    store.checkpoint_now().unwrap();
    assert_eq!(store.room(), Room::Free);
}
