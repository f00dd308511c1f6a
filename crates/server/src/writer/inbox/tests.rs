//! Lanes that are held, refused and opened again; what one turn takes.

use std::thread;

use piecework_core::command::{CreateTasks, LeaseTasks, SubmitAnswers};
use piecework_core::{ClientId, TenantId};
use tokio::sync::mpsc;

use super::*;
use crate::writer::{Mail, MailSlot};

const LIMITS: LaneLimits = LaneLimits { requests: 2, bytes: 1024 };
const HELD: Gates = Gates { intake: Gate::Held, lease: Gate::Open };

type Answers = oneshot::Receiver<Result<Answer, Unanswered>>;

fn waiting(command: Command) -> (Waiting, Answers) {
    Waiting::call(Request { tenant: TenantId::DEFAULT, command }, Duration::ZERO)
}

fn intake() -> (Waiting, Answers) {
    let project = ClientId::new("p").unwrap();
    waiting(Command::CreateTasks(CreateTasks { project, tasks: Vec::new(), key: None }))
}

fn submit() -> Waiting {
    let worker = ClientId::new("w").unwrap();
    waiting(Command::Submit(SubmitAnswers { worker, items: Vec::new() })).0
}

fn lease(count: u32) -> Waiting {
    let worker = ClientId::new("w").unwrap();
    waiting(Command::Lease(LeaseTasks { count, ..LeaseTasks::any(worker) })).0
}

/// With a call to create tasks that is held.
fn holding() -> (Inbox, Answers) {
    let inbox = Inbox::new(LIMITS);
    inbox.set_gates(HELD);
    let (create, created) = intake();
    inbox.put(create).unwrap();
    (inbox, created)
}

/// Kinds of what a turn is given without waiting.
fn taken(inbox: &Inbox) -> Vec<&'static str> {
    let mut into = Vec::new();
    inbox.take(&mut into, 16, 16, Duration::ZERO);
    into.iter().map(|waiting| waiting.request.command.kind()).collect()
}

#[test]
fn what_is_held_waits_in_its_lane_while_answers_go_by() {
    let (inbox, mut created) = holding();
    inbox.put(submit()).unwrap();
    assert_eq!(taken(&inbox), ["submit"]);
    assert!(created.try_recv().is_err(), "nobody answers it yet");
    inbox.put(intake().0).unwrap();
    let third = inbox.put(intake().0).unwrap_err();
    assert_eq!(third, Unanswered::Overloaded { waiting: 2, limit: 2 }, "the lane is bounded");
    inbox.set_gates(Gates::default());
    assert_eq!(taken(&inbox), ["create_tasks", "create_tasks"]);
}

#[test]
fn what_was_held_is_refused_when_nothing_makes_room() {
    let (inbox, mut created) = holding();
    inbox.set_gates(Gates { intake: Gate::Refused, lease: Gate::Open });
    assert_eq!(created.try_recv().unwrap().unwrap_err(), Unanswered::StorageFull);
    assert_eq!(inbox.put(intake().0).unwrap_err(), Unanswered::StorageFull);
}

#[test]
fn what_is_held_is_answered_when_the_daemon_drains() {
    let (inbox, _created) = holding();
    inbox.drain();
    assert_eq!(taken(&inbox), ["create_tasks"]);
}

#[test]
fn the_writer_looks_again_soon_while_something_is_held() {
    let (inbox, _created) = holding();
    let hour = Duration::from_secs(3_600);
    let looked = thread::spawn(move || inbox.take(&mut Vec::new(), 16, 16, hour));
    looked.join().unwrap();
}

/// A turn that took all of it would keep everybody waiting who was first.
#[test]
fn a_turn_ends_with_the_request_that_makes_it_heavy() {
    let inbox = Inbox::new(LaneLimits { requests: 9, bytes: 9_000 });
    for count in [9, 9, 1, 1] {
        inbox.put(lease(count)).unwrap();
    }
    inbox.put(submit()).unwrap();
    let turn = || {
        let mut into = Vec::new();
        inbox.take(&mut into, 10, 16, Duration::ZERO);
        into.iter().map(|waiting| waiting.weight).collect::<Vec<_>>()
    };
    assert_eq!((turn(), turn(), turn()), (vec![1, 9], vec![9, 1], vec![1]));
}

#[test]
fn beside_a_sync_sixteen_answers_and_leases_are_worth_a_turn_whoever_asks_for_them() {
    let inbox = Inbox::new(LaneLimits { requests: 99, bytes: 99_000 });
    let is_worth_it = || inbox.lock().is_worth_a_turn();
    inbox.put(lease(1)).unwrap();
    assert!(is_worth_it(), "nothing is on its way");
    inbox.syncing();
    assert!(!is_worth_it());
    inbox.put(lease(14)).unwrap();
    assert!(!is_worth_it());
    inbox.put(submit()).unwrap();
    assert!(is_worth_it());
    assert_eq!(taken(&inbox).len(), 3);
    assert!(!is_worth_it());
    inbox.put(submit()).unwrap();
    inbox.synced();
    assert!(is_worth_it());
}

#[test]
fn only_a_small_group_that_nobody_waits_beside_is_written_alone() {
    let inbox = Inbox::new(LaneLimits { requests: 9, bytes: 9_000 });
    assert!(inbox.is_quiet_beside(16));
    assert!(!inbox.is_quiet_beside(17));
    for waiting in [submit(), lease(1), intake().0] {
        inbox.put(waiting).unwrap();
        assert!(!inbox.is_quiet_beside(1));
        assert_eq!(taken(&inbox).len(), 1);
        assert!(inbox.is_quiet_beside(1));
    }
}

/// A stream hears of a refusal where it hears of everything else.
#[test]
fn what_a_stream_asks_for_together_is_one_turn_and_refusals_come_by_mail() {
    let inbox = Inbox::new(LaneLimits { requests: 1, bytes: 9_000 });
    let (to, mut mail) = mpsc::unbounded_channel();
    let asked = [submit(), lease(1), lease(1)].into_iter().zip(1..).map(|(waiting, number)| {
        let slot = MailSlot::new(to.clone(), number, Arc::default());
        Waiting::mail(waiting.request, Duration::ZERO, slot)
    });
    inbox.post(asked);
    let refused = mail.try_recv().expect("a refusal");
    let Mail::Answer(3, refused) = refused else { panic!("{refused:?}") };
    assert!(
        matches!(*refused, Err(Unanswered::Overloaded { waiting: 1, limit: 1 })),
        "{refused:?}"
    );
    assert_eq!(taken(&inbox).len(), 2);
}
