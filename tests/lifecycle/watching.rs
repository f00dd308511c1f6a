//! Streams of events: their types, their order, and resuming them.

use piecework_client::proto::v1::event::Payload;
use piecework_client::proto::v1::watch_events_response::Frame;
use piecework_client::proto::v1::worker_event::Change;
use piecework_client::proto::v1::{
    CancelTasksRequest, Event, EventType, GrantSkillRequest, Project, ReinstateWorkerRequest,
    RevokeSkillRequest, SuspendWorkerRequest, WatchEventsRequest, WatchEventsResponse,
};
use tonic::Streaming;

use crate::harness::{Daemon, Platform, in_time, next_result};

async fn watch(
    platform: &Platform,
    parent: &str,
    types: &[EventType],
    token: &str,
) -> Streaming<WatchEventsResponse> {
    let request = WatchEventsRequest {
        parent: parent.to_owned(),
        types: types.iter().map(|kind| (*kind).into()).collect(),
        resume_token: token.to_owned(),
    };
    platform.client.events().watch_events(request).await.expect("a stream").into_inner()
}

async fn next(stream: &mut Streaming<WatchEventsResponse>) -> Event {
    loop {
        let message = in_time("an event comes", stream.message()).await;
        let message = message.expect("the stream goes on");
        match message.expect("the stream goes on").frame.expect("a frame") {
            Frame::Event(event) => return event,
            Frame::Heartbeat(_) => {}
        }
    }
}

async fn next_of(stream: &mut Streaming<WatchEventsResponse>, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        events.push(next(stream).await);
    }
    events
}

fn kind(event: &Event) -> &'static str {
    match event.payload.as_ref().expect("a payload") {
        Payload::Result(_) => "result",
        Payload::Submission(_) => "submission",
        Payload::TaskEnded(_) => "ended",
        Payload::WorkerEvent(_) => "worker",
    }
}

/// Each names the one before it, from none.
fn is_chain(events: &[Event]) -> bool {
    let before = std::iter::once(0).chain(events.iter().map(|event| event.sequence));
    events.iter().zip(before).all(|(event, before)| event.previous_sequence == before)
}

/// Two answers to each of three tasks, the fourth one cancelled: ten events.
async fn some_events(platform: &Platform) -> String {
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let tasks = platform.numbered_tasks(&project, 4).await;
    let request = CancelTasksRequest {
        parent: project.clone(),
        names: vec![tasks[3].clone()],
        revoke_leases: false,
    };
    platform.client.tasks().cancel_tasks(request).await.expect("cancelled");
    for id in ["ann", "bob"] {
        let worker = platform.worker(id).await;
        assert_eq!(platform.work_off(&worker, &project, "a").await, 3);
    }
    project
}

#[tokio::test]
async fn sequences_are_dense_and_each_type_is_a_chain_of_its_own() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = some_events(&platform).await;
    let all = next_of(&mut watch(&platform, &project, &[], "").await, 10).await;
    assert_eq!(all.iter().map(|e| e.sequence).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert!(is_chain(&all));
    let kinds: Vec<_> = all.iter().map(kind).collect();
    let expected = [
        "ended",
        "submission",
        "submission",
        "submission",
        "submission",
        "result",
        "submission",
        "result",
        "submission",
        "result",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(platform.events(&project).await, all, "listed as they are streamed");

    let types = [
        ("result", EventType::Result, 3),
        ("submission", EventType::Submission, 6),
        ("ended", EventType::TaskEnded, 1),
    ];
    for (name, wanted, count) in types {
        let some = next_of(&mut watch(&platform, &project, &[wanted], "").await, count).await;
        assert!(is_chain(&some) && some.iter().all(|event| kind(event) == name), "{name}");
    }
    let both = [EventType::Result, EventType::TaskEnded];
    assert!(is_chain(&next_of(&mut watch(&platform, &project, &both, "").await, 4).await));
}

#[tokio::test]
async fn a_stream_resumes_after_any_event_without_gap_or_repeat() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = some_events(&platform).await;
    let types = [EventType::Result, EventType::Submission];
    let all = next_of(&mut watch(&platform, &project, &types, "").await, 9).await;
    daemon.restart().await;
    let platform = daemon.platform();
    for (index, event) in all.iter().enumerate().take(8) {
        let mut stream = watch(&platform, &project, &types, &event.resume_token).await;
        let rest = next_of(&mut stream, all.len() - index - 1).await;
        assert_eq!(rest, all[index + 1..], "after {}", event.sequence);
    }
    // What happens next goes on where it stopped.
    let mut stream = watch(&platform, &project, &types, &all[8].resume_token).await;
    platform.tasks(&project, &["t5"]).await;
    platform.answer_one("workers/ann", &project, "a").await;
    let event = next(&mut stream).await;
    assert_eq!((event.sequence, event.previous_sequence), (11, all[8].sequence));
}

#[tokio::test]
async fn results_alone_are_the_result_events() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = some_events(&platform).await;
    let mut stream = platform.watch(&project, "").await;
    let events = next_of(&mut watch(&platform, &project, &[EventType::Result], "").await, 3).await;
    for event in events {
        let watched = next_result(&mut stream).await;
        assert_eq!(watched.previous_sequence, event.previous_sequence);
        assert_eq!(watched.resume_token, event.resume_token);
        assert_eq!(event.payload, Some(Payload::Result(watched.result.unwrap())));
    }
}

#[tokio::test]
async fn the_workers_log_tells_what_changed_for_whom() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let mut stream = watch(&platform, "workers/-", &[], "").await;
    let ann = platform.worker("ann").await;
    let mut workers = platform.client.workers();
    let skill = "lang:fi".to_owned();
    let request = GrantSkillRequest {
        name: ann.clone(),
        skill: skill.clone(),
        level: 70,
        ..GrantSkillRequest::default()
    };
    workers.grant_skill(request).await.expect("granted");
    let request = RevokeSkillRequest { name: ann.clone(), skill };
    workers.revoke_skill(request).await.expect("revoked");
    let request = SuspendWorkerRequest { name: ann.clone(), reason: "too fast".to_owned() };
    workers.suspend_worker(request).await.expect("suspended");
    let request = ReinstateWorkerRequest { name: ann.clone() };
    workers.reinstate_worker(request).await.expect("reinstated");

    let events = next_of(&mut stream, 4).await;
    assert!(is_chain(&events));
    let change = |event: &Event| match event.payload.clone().expect("a payload") {
        Payload::WorkerEvent(told) => {
            assert_eq!(told.worker, ann);
            told.change.expect("a change")
        }
        other => panic!("{other:?}"),
    };
    let [granted, revoked, suspended, reinstated] =
        events.iter().map(change).collect::<Vec<_>>().try_into().expect("four");
    assert!(matches!(granted, Change::SkillGranted(skill) if skill.level == 70));
    assert!(matches!(revoked, Change::SkillRevoked(skill) if skill.skill == "lang:fi"));
    assert!(matches!(suspended, Change::Suspended(why) if why.reason == "too fast"));
    assert!(matches!(reinstated, Change::Reinstated(_)));
}
