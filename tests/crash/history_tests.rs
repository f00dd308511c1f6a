//! The checker finds what is broken in small histories, and nothing in good ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::{End, History, Kept, Logged};
use super::record::{Called, Counts, Held, Outage, Taken, Told};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A call from `from` to `to`, in milliseconds, at a position.
fn called(from: u64, to: u64, position: u64, told: Told) -> Called {
    let position = Some(format!("01010000{position:016x}00000000"));
    Called { from: ms(from), lost: None, to: ms(to), position, told }
}

fn granted(worker: &str, request: &str, lease: &str, left: u64) -> Told {
    let lease = Held {
        name: lease.to_owned(),
        payload: "cat 1".to_owned(),
        left: Some(ms(left)),
        expired: false,
    };
    Told::Granted { worker: worker.to_owned(), request: request.to_owned(), leases: vec![lease] }
}

fn answered(worker: &str, lease: &str, taken: Result<&str, &str>) -> Told {
    let taken = taken.map(|verdict| Taken { verdict: verdict.to_owned(), whole: lease.to_owned() });
    Told::Answered {
        worker: worker.to_owned(),
        lease: lease.to_owned(),
        label: "a".to_owned(),
        taken: taken.map_err(str::to_owned),
    }
}

fn kept(worker: &str, lease: &str) -> Kept {
    Kept {
        lease: lease.to_owned(),
        worker: worker.to_owned(),
        task: "t1".to_owned(),
        label: "a".to_owned(),
        verdict: "COUNTED".to_owned(),
    }
}

fn entry(sequence: u64, subject: &str) -> Logged {
    let (subject, whole) = (subject.to_owned(), format!("{sequence} {subject}"));
    Logged { sequence, previous: sequence - 1, subject, whole }
}

/// One task, one lease that ran out, its successor, one answer.
fn good() -> History {
    let counts = Counts { task: "t1".to_owned(), counted: 1, live: 0, overlap: 1 };
    let log = vec![entry(1, "submission l2"), entry(2, "result t1 1")];
    History {
        called: vec![
            called(0, 9, 1, Told::Created { payload: "cat 1".to_owned(), name: "t1".to_owned() }),
            called(10, 20, 2, granted("ann", "r1", "l1", 100)),
            called(115, 130, 4, granted("bob", "r1", "l2", 100)),
            called(140, 150, 4, answered("ann", "l1", Err("LEASE_SUPERSEDED"))),
            called(150, 160, 5, answered("bob", "l2", Ok("COUNTED"))),
            called(170, 180, 5, answered("bob", "l2", Ok("COUNTED"))),
        ],
        watched: vec![("cats".to_owned(), log.clone())],
        end: End {
            tasks: vec![("cat 1".to_owned(), counts)],
            submissions: vec![kept("bob", "l2")],
            logs: BTreeMap::from([("cats".to_owned(), log)]),
            ..End::default()
        },
        ..History::default()
    }
}

#[track_caller]
fn breaks(promise: &str, spoil: impl FnOnce(&mut History)) {
    let mut history = good();
    spoil(&mut history);
    let broken = history.broken();
    assert!(broken.iter().any(|(p, _)| *p == promise), "{promise} holds, only {broken:?}");
}

#[test]
fn a_good_history_passes_and_is_counted() {
    let history = good();
    assert_eq!(history.broken(), []);
    let faced = history.faced();
    assert_eq!((faced.acknowledged, faced.expired, faced.late, faced.reassigned), (5, 1, 1, 1));
}

#[test]
fn what_is_lost_is_found() {
    breaks("P1", |h| h.end.tasks.clear());
    breaks("P1", |h| h.end.submissions.clear());
    breaks("P1", |h| h.end.submissions[0].label = "b".to_owned());
    let cancelled = Told::Cancelled { name: "t1".to_owned(), refused: None };
    breaks("P1", |h| h.called.push(called(200, 210, 6, cancelled)));
}

#[test]
fn what_is_doubled_is_found() {
    let again = Told::Created { payload: "cat 1".to_owned(), name: "t2".to_owned() };
    breaks("P2", |h| h.called.push(called(200, 210, 6, again)));
    breaks("P2", |h| h.end.submissions.push(kept("bob", "l3")));
    breaks("P2", |h| h.end.submissions.push(kept("bob", "l2")));
    breaks("P2", |h| h.called.push(called(200, 210, 6, granted("bob", "r1", "l9", 100))));
    let other = Told::Answered {
        worker: "bob".to_owned(),
        lease: "l2".to_owned(),
        label: "a".to_owned(),
        taken: Ok(Taken { verdict: "COUNTED".to_owned(), whole: "another".to_owned() }),
    };
    breaks("P2", |h| h.called.push(called(200, 210, 6, other)));
}

#[test]
fn a_lease_that_should_not_be_is_found() {
    breaks("P3", |h| h.called.push(called(200, 210, 6, granted("cid", "r1", "l2", 100))));
    breaks("P3", |h| h.called.push(called(200, 210, 6, granted("bob", "r2", "l3", 100))));
    breaks("P6", |h| h.end.live.push("l7".to_owned()));
}

#[test]
fn more_than_a_task_wants_is_found() {
    let seen = Counts { task: "t1".to_owned(), counted: 1, live: 1, overlap: 1 };
    breaks("P4", |h| h.called.push(called(200, 210, 6, Told::Seen(seen))));
    // Two leases certainly lived at a time, although nobody looked.
    breaks("P4", |h| h.called.push(called(30, 40, 6, granted("cid", "r1", "l8", 100))));
    breaks("P4", |h| h.called.push(called(170, 180, 6, granted("cid", "r1", "l8", 100))));
}

#[test]
fn a_refusal_without_its_reason_is_found() {
    breaks("P5", |h| h.called.push(called(200, 210, 6, answered("ann", "l1", Err("LEASE_ENDED")))));
    let unknown = answered("ann", "l1", Err("LEASE_NOT_FOUND"));
    breaks("P5", |h| h.called.push(called(200, 210, 6, unknown)));
}

#[test]
fn a_gap_in_a_log_or_stream_is_found() {
    breaks("P9", |h| {
        h.watched[0].1.remove(0);
    });
    breaks("P9", |h| {
        h.watched[0].1.pop();
    });
    breaks("P9", |h| h.watched[0].1[1].whole = "gone after a crash".to_owned());
    breaks("P9", |h| h.end.logs.get_mut("cats").expect("it").remove(0).sequence = 2);
}

#[test]
fn a_position_that_goes_back_is_found() {
    breaks("P10", |h| h.called.push(called(200, 210, 4, Told::Nothing)));
    let mut overlapping = good();
    overlapping.called.push(called(155, 210, 4, Told::Nothing));
    assert_eq!(overlapping.broken(), [], "calls at the same time have no order");
}

#[test]
fn an_early_expiry_is_found_also_across_an_outage() {
    breaks("P12", |h| h.called[1].told = granted("ann", "r1", "l1", 500));
    let outage = |grows| Outage { from: ms(30), to: ms(100), grows: ms(grows) };
    breaks("P12", |h| h.outages.push(outage(20)));
    let mut short = good();
    short.outages.push(outage(70));
    assert_eq!(short.broken(), [], "a short stop may pass as time");
}
