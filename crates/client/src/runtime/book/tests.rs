//! Stories of one worker: what happens, and what is said and ordered because of it.

use piecework_proto::v1::{Receipt, Verdict};
use tonic::Code;

use super::*;
use crate::durations::to_proto;

const SECOND: Duration = Duration::from_secs(1);

struct Story {
    book: Book,
    now: Instant,
}

fn lease(name: &str) -> Lease {
    Lease {
        name: name.to_owned(),
        project: "projects/p".to_owned(),
        remaining: Some(to_proto(9 * SECOND)),
        hold_remaining: Some(to_proto(600 * SECOND)),
        state: LeaseState::Live.into(),
        ..Lease::default()
    }
}

fn leases(names: &[&str]) -> Vec<Lease> {
    names.iter().map(|name| lease(name)).collect()
}

fn answer() -> Work {
    Work::Answer("x".into())
}

fn refused(code: Code, reason: ErrorReason) -> Outcome {
    let mut refused = too_large(1, 1);
    (refused.code, refused.reason) = (code, reason.reason().to_owned());
    Outcome::Refused(Box::new(refused))
}

fn taken() -> Outcome {
    let receipt = Receipt { verdict: Verdict::Counted.into(), ..Receipt::default() };
    Outcome::Taken(Box::new(receipt))
}

impl Story {
    fn begin(change: impl FnOnce(&mut Terms)) -> Story {
        let worker = PresentWorker {
            worker: "workers/w".to_owned(),
            projects: vec!["projects/p".to_owned()],
            ..PresentWorker::default()
        };
        let mut terms =
            Terms { worker, concurrency: 1, task_within: None, at_most: None, only: None };
        change(&mut terms);
        let mut story = Story { book: Book::new(terms), now: Instant::now() };
        story.connect(&[]);
        story
    }

    /// A stream opens; the worker holds these.
    fn connect(&mut self, held: &[&str]) {
        let hello = self.book.hello();
        assert!(matches!(hello.frame, Some(Frame::Hello(_))) && hello.op_id == 0);
        self.book.welcome(20 * SECOND, 4 << 20);
        self.book.held(leases(held), self.now);
        self.book.synced(self.now);
    }

    fn pushed(&mut self, names: &[&str]) {
        self.book.granted(leases(names), true, self.now);
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
        self.book.tick(self.now);
    }

    /// What was said since the last look, by kind and lease.
    fn said(&mut self) -> Vec<String> {
        let frames = std::mem::take(&mut self.book.frames).into_iter();
        frames.map(|frame| said(&frame)).collect()
    }

    /// What was ordered since the last look.
    fn ordered(&mut self) -> Vec<String> {
        let orders = std::mem::take(&mut self.book.orders).into_iter();
        orders.map(|order| ordered(&order)).collect()
    }

    /// What was said and ordered so far does not matter.
    fn pass_over(&mut self) {
        self.book.frames.clear();
        self.book.orders.clear();
    }

    fn reply(&mut self, op_id: u64, outcome: Outcome) {
        self.book.reply(op_id, outcome, self.now);
    }
}

fn said(frame: &WorkRequest) -> String {
    let op = frame.op_id;
    match frame.frame.as_ref().expect("a frame") {
        Frame::Ack(ack) => format!("{op} ack {}", ack.leases.join(" ")),
        Frame::LifeSigns(signs) => format!("{op} alive {}", signs.leases.join(" ")),
        Frame::Submit(submit) => {
            format!("{op} submit {}", submit.answer.as_ref().expect("an answer").lease)
        }
        Frame::ReturnLease(back) => {
            let back = back.lease_return.as_ref().expect("a lease");
            format!("{op} return {} {}", back.lease, back.reason().as_str_name())
        }
        Frame::SetCapacity(set) => format!("{op} capacity {}", set.capacity),
        other => format!("{op} {other:?}"),
    }
}

fn ordered(order: &Order) -> String {
    match order {
        Order::Start(task) => format!("start {}", task.lease.name),
        Order::Cancel(name) => format!("cancel {name}"),
        Order::Report(finished) => {
            let end = match &finished.end {
                End::Done(receipt) => receipt.verdict().as_str_name().to_owned(),
                End::Refused(refused) => format!("refused {}", refused.reason),
                End::Returned(reason) => format!("returned {}", reason.as_str_name()),
                End::Ended(how) => format!("ended {how:?}"),
                End::Unanswered => "unanswered".to_owned(),
            };
            format!("{} {end}", finished.lease.name)
        }
    }
}

#[test]
fn a_lease_is_acknowledged_begun_kept_submitted_and_told() {
    let mut story = Story::begin(|_| {});
    story.pushed(&["a"]);
    assert_eq!(story.said(), ["1 ack a"]);
    assert_eq!(story.ordered(), ["start a"]);
    story.after(SECOND);
    assert!(story.said().is_empty(), "no sign before it is due");
    story.after(2 * SECOND);
    assert_eq!(story.said(), ["2 alive a"]);
    let extension = LeaseExtension {
        lease: "a".to_owned(),
        remaining: Some(to_proto(9 * SECOND)),
        ..LeaseExtension::default()
    };
    story.reply(2, Outcome::Extended(vec![extension]));
    assert_eq!(story.book.wake(), Some(story.now + 3 * SECOND));
    story.book.worked("a", answer(), story.now);
    assert_eq!(story.said(), ["3 submit a"]);
    assert!(story.ordered().is_empty(), "it is told when the daemon has it");
    story.reply(3, taken());
    assert_eq!(story.ordered(), ["a VERDICT_COUNTED"]);
    assert_eq!(story.book.wake(), None);
}

#[test]
fn after_a_reconnect_running_work_goes_on_and_answers_are_said_again() {
    let mut story = Story::begin(|terms| terms.concurrency = 2);
    story.pushed(&["a", "b"]);
    story.book.worked("a", answer(), story.now);
    story.pass_over();
    story.book.disconnected();
    story.book.worked("b", answer(), story.now);
    story.after(600 * SECOND);
    assert!(story.said().is_empty(), "nobody is there");
    story.connect(&["b", "c", "d", "e"]);
    assert_eq!(story.said(), ["1 submit a", "2 submit b"], "one was perhaps taken already");
    assert_eq!(story.ordered(), ["start c", "start d"]);
    story.reply(1, taken());
    story.reply(2, refused(Code::FailedPrecondition, ErrorReason::LeaseSuperseded));
    assert_eq!(story.ordered(), ["a VERDICT_COUNTED", "b refused LEASE_SUPERSEDED"]);
}

#[test]
fn a_lease_that_is_gone_when_the_connection_is_back_may_still_be_answered_late() {
    let mut story = Story::begin(|_| {});
    story.pushed(&["a"]);
    story.book.disconnected();
    story.pass_over();
    story.connect(&[]);
    assert!(story.ordered().is_empty(), "the handler goes on");
    story.after(30 * SECOND);
    assert!(story.said().is_empty(), "nothing is left to extend");
    story.book.worked("a", answer(), story.now);
    assert_eq!(story.said(), ["1 submit a"]);
    story.reply(1, taken());
    assert_eq!(story.ordered(), ["a VERDICT_COUNTED"]);
}

#[test]
fn a_revoked_lease_cancels_its_handler_and_an_expired_one_in_the_queue_is_given_up() {
    let mut story = Story::begin(|_| {});
    story.pushed(&["a", "b"]);
    story.pass_over();
    story.book.ended("b", Ended::Expired, story.now);
    assert_eq!(story.said(), ["2 return b RETURN_REASON_UNSTARTED"]);
    story.book.ended("a", Ended::Revoked("suspended".to_owned()), story.now);
    assert_eq!(story.ordered(), ["cancel a", "a ended Revoked(\"suspended\")"]);
    story.book.worked("a", answer(), story.now);
    story.reply(2, Outcome::Ok);
    assert_eq!(story.ordered(), ["b ended Expired"]);
    assert!(story.said().is_empty(), "what the handler says later is not heard");
}

#[test]
fn the_hard_deadline_cancels_and_returns_out_of_time() {
    let mut story = Story::begin(|terms| terms.task_within = Some(30 * SECOND));
    story.pushed(&["a", "b"]);
    story.pass_over();
    for _ in 0..29 {
        story.after(SECOND);
    }
    assert!(story.ordered().is_empty());
    story.said();
    story.after(SECOND);
    assert_eq!(story.ordered(), ["cancel a", "start b"]);
    let said = story.said();
    assert!(
        said.iter().any(|said| said.ends_with("return a RETURN_REASON_OUT_OF_TIME")),
        "{said:?}"
    );
}

#[test]
fn draining_finishes_what_runs_and_returns_what_has_not_begun() {
    let mut story = Story::begin(|_| {});
    story.pushed(&["a", "b"]);
    story.pass_over();
    story.book.drain(story.now);
    assert_eq!(story.said(), ["2 return b RETURN_REASON_UNSTARTED", "3 capacity 0"]);
    // Granted before the daemon heard of it.
    story.pushed(&["c"]);
    assert_eq!(story.said(), ["4 ack c", "5 return c RETURN_REASON_UNSTARTED"]);
    story.reply(2, Outcome::Ok);
    story.reply(5, Outcome::Ok);
    story.reply(3, Outcome::Ok);
    assert!(!story.book.is_over(), "one runs");
    story.book.worked("a", answer(), story.now);
    story.reply(6, taken());
    assert!(story.book.is_over());
    let told: Vec<String> = story.ordered();
    let unstarted = |name: &str| format!("{name} returned RETURN_REASON_UNSTARTED");
    assert_eq!(told, [unstarted("b"), unstarted("c"), "a VERDICT_COUNTED".to_owned()]);
}

#[test]
fn a_hurry_cancels_what_runs() {
    let mut story = Story::begin(|_| {});
    story.pushed(&["a"]);
    story.pass_over();
    story.book.hurry(story.now);
    assert_eq!(story.ordered(), ["cancel a"]);
    assert_eq!(story.said(), ["2 capacity 0", "3 return a RETURN_REASON_OUT_OF_TIME"]);
}

#[test]
fn after_as_many_tasks_as_it_may_do_it_ends() {
    let mut story = Story::begin(|terms| (terms.concurrency, terms.at_most) = (2, Some(3)));
    story.pushed(&["a", "b"]);
    story.book.worked("a", answer(), story.now);
    story.reply(2, taken());
    story.pushed(&["c", "d"]);
    story.said();
    assert_eq!(story.ordered(), ["start a", "start b", "a VERDICT_COUNTED", "start c"]);
    story.book.worked("b", Work::Return(ReturnReason::BrokenTask), story.now);
    assert_eq!(story.said(), ["4 capacity 1", "5 return b RETURN_REASON_BROKEN_TASK"]);
    story.reply(5, Outcome::Ok);
    story.book.worked("c", answer(), story.now);
    assert_eq!(story.said(), ["6 capacity 0", "7 submit c"], "no lease is to follow it");
    story.reply(7, taken());
    assert_eq!(story.said(), ["8 return d RETURN_REASON_UNSTARTED"]);
}

#[test]
fn an_answer_that_is_no_answer_gives_the_lease_to_others_and_an_overload_passes() {
    let mut story = Story::begin(|_| {});
    story.pushed(&["a"]);
    story.book.worked("a", answer(), story.now);
    story.pass_over();
    let Outcome::Refused(mut busy) = refused(Code::ResourceExhausted, ErrorReason::Overloaded)
    else {
        unreachable!("it is a refusal")
    };
    busy.retry_after = Some(SECOND);
    story.reply(2, Outcome::Refused(busy));
    assert!(story.said().is_empty());
    story.after(SECOND);
    assert_eq!(story.said(), ["3 submit a"]);
    story.reply(3, refused(Code::InvalidArgument, ErrorReason::AnswerInvalid));
    assert_eq!(story.said(), ["4 return a RETURN_REASON_NOT_FOR_ME"]);
    story.reply(4, Outcome::Ok);
    assert_eq!(story.ordered(), ["a refused ANSWER_INVALID"]);
    story.pushed(&["b"]);
    story.book.worked("b", Work::Answer(vec![0; 5 << 20].into()), story.now);
    let said = story.said();
    assert_eq!(said.last().map(String::as_str), Some("6 return b RETURN_REASON_NOT_FOR_ME"));
}

#[test]
fn leases_of_other_projects_are_left_alone() {
    let mut story = Story::begin(|_| {});
    story.book.disconnected();
    story.book.hello();
    let foreign = Lease { project: "projects/q".to_owned(), ..lease("z") };
    story.book.held(vec![foreign], story.now);
    story.book.synced(story.now);
    story.after(600 * SECOND);
    assert!(story.said().is_empty() && story.ordered().is_empty());
    assert!(story.book.idle_since().is_some());
}

#[test]
fn nothing_is_said_to_a_daemon_that_is_about_to_end() {
    let mut story = Story::begin(|terms| terms.concurrency = 2);
    story.pushed(&["a", "b"]);
    story.book.worked("a", answer(), story.now);
    story.pass_over();
    story.book.paused();
    story.book.worked("b", answer(), story.now);
    assert!(story.said().is_empty());
    story.reply(2, taken());
    assert_eq!(story.ordered(), ["a VERDICT_COUNTED"], "what it owes is still heard");
    story.book.disconnected();
    story.connect(&["b"]);
    assert_eq!(story.said(), ["1 submit b"]);
}
