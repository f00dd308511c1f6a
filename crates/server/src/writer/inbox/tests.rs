//! Lanes that are held, refused and opened again.

use std::thread;

use piecework_core::command::{CreateTasks, SubmitAnswers};
use piecework_core::{ClientId, TenantId};

use super::*;

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
