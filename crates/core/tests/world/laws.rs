//! What holds of rows in every history, whoever wrote it.
//!
//! Written against the domain's rules and the rows alone; no code is shared with
//! the engine. `keep` looks at what changes, `hold` at what is then there.

use std::collections::{BTreeMap, BTreeSet};

use piecework_core::change::{Change, Changed};
use piecework_core::event::{Event, Log};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::project::ProjectTally;
use piecework_core::submission::Verdict;
use piecework_core::task::TaskState;
use piecework_core::worker::WorkerRecord;
use piecework_core::{LeaseId, ProjectId, TaskId, WorkerId};

use super::Rows;

/// Every row may become what these changes make of it.
pub(crate) fn keep(rows: &Rows, changes: &[Changed]) {
    let mut last_lease: BTreeMap<TaskId, u32> = BTreeMap::new();
    let mut last_event = BTreeMap::new();
    for changed in changes {
        match &changed.change {
            Change::Lease(lease) => {
                if let Some(old) = rows.leases.get(&lease.id) {
                    lease_arrow(old, lease);
                } else {
                    new_lease(rows, lease, &mut last_lease);
                }
            }
            Change::Task(task) => {
                let was = rows.tasks.get(&task.id).map_or(TaskState::Open, |t| t.state);
                task_arrow(task.id, was, task.state);
            }
            Change::Event(event) => dense(rows, event, &mut last_event),
            Change::Submission(s) => {
                assert!(!rows.submissions.contains_key(&s.lease), "{} answered twice", s.lease);
            }
            Change::Specs(specs) => {
                for spec in specs {
                    assert!(!rows.specs.contains_key(&spec.id), "{} written twice", spec.id);
                }
            }
            _ => {}
        }
    }
}

/// P3: a lease's name is new, and the next one of its task.
fn new_lease(rows: &Rows, lease: &Lease, last: &mut BTreeMap<TaskId, u32>) {
    let task = lease.id.task;
    let known = rows.leases_of(task).last().map_or(0, |l| l.id.number);
    let last = last.entry(task).or_insert(known);
    // Two changes of one lease in a command are one lease.
    assert!(lease.id.number == *last + 1 || lease.id.number == *last, "{} is not next", lease.id);
    *last = lease.id.number;
}

/// A lease goes along its arrows; what has ended stays ended.
fn lease_arrow(old: &Lease, new: &Lease) {
    let same = (old.worker, old.request, old.revision, old.granted)
        == (new.worker, new.request, new.revision, new.granted);
    assert!(same, "{} became another lease: {old:?} {new:?}", new.id);
    assert!(old.deadline <= new.deadline, "{} was shortened", new.id);
    let fine = match (&old.state, &new.state) {
        (LeaseState::Live, _) => true,
        (LeaseState::Expired { released: was, .. }, LeaseState::Expired { released: is, .. }) => {
            *is || !*was
        }
        (LeaseState::Expired { .. }, LeaseState::Submitted(s)) => s.verdict != Verdict::Counted,
        (LeaseState::Submitted(was), LeaseState::Submitted(is)) => {
            let mut judged = was.clone();
            judged.judged.clone_from(&is.judged);
            judged == *is
        }
        (LeaseState::Returned { .. } | LeaseState::Revoked { .. }, _) => old.state == new.state,
        (LeaseState::Expired { .. } | LeaseState::Submitted(_), _) => false,
    };
    assert!(fine, "{} went from {:?} to {:?}", new.id, old.state, new.state);
    assert!(old.is_live() || old.deadline == new.deadline, "{} ended and was extended", new.id);
}

/// P5: a task goes along its arrows.
fn task_arrow(task: TaskId, was: TaskState, is: TaskState) {
    let fine = match (was, is) {
        (TaskState::Open, _) => true,
        (TaskState::Done { .. } | TaskState::Failed { .. }, TaskState::Open) => true,
        // Reopened and decided again in one command.
        (TaskState::Done { .. }, TaskState::Done { .. }) => true,
        (was, is) => was == is,
    };
    assert!(fine, "{task} went from {was:?} to {is:?}");
}

/// P9: sequences are dense in their log.
fn dense(rows: &Rows, event: &Event, last: &mut BTreeMap<Log, piecework_core::Sequence>) {
    let newest = || rows.events.keys().filter(|(log, _)| *log == event.log).map(|(_, s)| *s).max();
    let last = last.entry(event.log).or_insert_with(|| newest().unwrap_or_default());
    assert_eq!(event.sequence, last.next(), "a gap or an overlap in {:?}", event.log);
    *last = event.sequence;
}

/// Every touched task and project is sound.
pub(crate) fn hold(rows: &Rows, changes: &[Changed], clusters_stay: bool) {
    let mut projects = BTreeSet::new();
    let mut tasks = BTreeSet::new();
    for changed in changes {
        match &changed.change {
            Change::Task(task) => _ = tasks.insert(task.id),
            Change::Lease(lease) => _ = tasks.insert(lease.id.task),
            Change::ProjectTally(tally) => _ = projects.insert(tally.project),
            Change::WorkerRecord(record) => remembered(rows, record),
            Change::Specs(specs) => projects.extend(specs.iter().map(|s| s.id.project)),
            _ => {}
        }
    }
    for changed in changes {
        if let Change::Lease(lease) = &changed.change {
            kept_draft(rows, lease.id);
        }
    }
    for task in tasks {
        projects.insert(task.project);
        sound_task(rows, task, clusters_stay);
    }
    for project in projects {
        counts(rows, project);
    }
}

/// Rule 3: a worker's last sixteen granting calls are remembered, and every call of
/// which a lease lives.
fn remembered(rows: &Rows, record: &WorkerRecord) {
    let knows = |number| rows.requests.contains_key(&(record.worker, number));
    let newest = record.last_request;
    for number in newest.saturating_sub(15).max(1)..=newest {
        assert!(knows(number), "call {number} of {newest} of {:?} is forgotten", record.worker);
    }
    for lease in rows.leases.values().filter(|l| l.is_live() && l.worker == record.worker) {
        assert!(lease.request == 0 || knows(lease.request), "{} came of nothing", lease.id);
    }
}

/// A draft is kept where its lease says so, and only where an answer may still come;
/// what is left to claim is live.
fn kept_draft(rows: &Rows, id: LeaseId) {
    let Some(lease) = rows.leases.get(&id) else { return };
    assert_eq!(lease.draft, rows.drafts.contains_key(&id), "the draft of {id}");
    let ends = matches!(lease.state, LeaseState::Live | LeaseState::Expired { .. });
    assert!(ends || !lease.draft, "{id} has ended and keeps its draft");
    assert!(lease.is_live() || lease.claim_by.is_none(), "{id} has ended and may be claimed");
}

/// P4, and rule 10: one person, one answer.
fn sound_task(rows: &Rows, task: TaskId, clusters_stay: bool) {
    let Some(record) = rows.tasks.get(&task) else { return };
    let (counted, live) = rows.taken(task);
    let wanted = usize::from(record.order.wanted);
    assert!(counted + live <= wanted, "{task}: {counted} counted + {live} live > {wanted}");
    let mut there = BTreeSet::new();
    for lease in rows.leases_of(task).filter(|l| l.is_live() || l.counted().is_some()) {
        assert!(there.insert(person(rows, lease.worker, clusters_stay)), "{task}: {lease:?} twice");
    }
    if record.state == (TaskState::Done { incomplete: false }) && !record.resolved {
        // One that was sure waits for the leases that are out, and for no others.
        let out = if record.order.most > 0 { live } else { 0 };
        let has = counted + out;
        assert!(has >= wanted, "{task} is done with {counted} of {wanted} answers");
    }
}

/// Accounts of one cluster are one person.
fn person(rows: &Rows, worker: WorkerId, clusters_stay: bool) -> (String, WorkerId) {
    let cluster = &rows.workers[&worker].spec.identity_cluster;
    match cluster.is_empty() || !clusters_stay {
        true => (String::new(), worker),
        false => (cluster.clone(), WorkerId(0)),
    }
}

/// Maintained counts equal a recount.
fn counts(rows: &Rows, project: ProjectId) {
    let Some(tally) = rows.tallies.get(&project).copied() else { return };
    let deleting = piecework_core::project::ProjectState::Deleting;
    if rows.projects.get(&project).is_none_or(|p| p.state == deleting) {
        return;
    }
    let mut again = ProjectTally {
        project,
        last_sequence: tally.last_sequence,
        virtual_time: tally.virtual_time,
        requester_time: tally.requester_time,
        waiting_since: tally.waiting_since,
        p75_ms: tally.p75_ms,
        p50_ms: tally.p50_ms,
        expired: rows.ran_out.get(&project).copied().unwrap_or_default(),
        ..ProjectTally::default()
    };
    for spec in rows.specs_of(project) {
        again.last_task = spec.id.number;
        let state = rows.tasks.get(&spec.id).map_or(TaskState::Open, |t| t.state);
        *match state {
            TaskState::Open => &mut again.open,
            TaskState::Done { .. } => &mut again.done,
            TaskState::Failed { .. } => &mut again.failed,
            TaskState::Cancelled => &mut again.cancelled,
        } += 1;
        again.resolved += u64::from(rows.tasks.get(&spec.id).is_some_and(|t| t.resolved));
        rows.leases_of(spec.id).for_each(|lease| count_lease(&mut again, lease));
    }
    assert_eq!(tally, again, "counts of project {project}");
}

fn count_lease(tally: &mut ProjectTally, lease: &Lease) {
    tally.granted += 1;
    match &lease.state {
        LeaseState::Live => tally.live += 1,
        LeaseState::Expired { .. } => {}
        LeaseState::Returned { .. } => tally.returned += 1,
        LeaseState::Revoked { .. } => tally.revoked += 1,
        LeaseState::Submitted(s) => {
            *(if s.verdict.counts() { &mut tally.counted } else { &mut tally.kept }) += 1;
            tally.counted_late += u64::from(s.verdict == Verdict::CountedLate);
            tally.payable_micros += s.payable_micros;
        }
    }
}
