//! A watcher of the run: follows one log, comes back with its last token.

use std::collections::BTreeMap;
use std::time::Duration;

use piecework_client::proto::v1::event::Payload;
use piecework_client::proto::v1::watch_events_response::Frame;
use piecework_client::proto::v1::{Event, WatchEventsRequest};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::caller::Caller;
use super::history::Logged;

const BACK_AFTER: Duration = Duration::from_millis(50);

/// How long each log has become, once that is known.
pub(super) type Lengths = Option<BTreeMap<String, usize>>;

/// Follows `log` until it has seen all of it.
pub(super) async fn follow(
    caller: Caller,
    log: String,
    mut end: watch::Receiver<Lengths>,
) -> (String, Vec<Logged>) {
    let (mut seen, mut token) = (Vec::new(), String::new());
    let mut back = interval(BACK_AFTER);
    back.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        back.tick().await;
        let request = WatchEventsRequest {
            parent: log.clone(),
            types: Vec::new(),
            resume_token: token.clone(),
        };
        let Ok(stream) = caller.client.events().watch_events(request).await else { continue };
        let mut stream = stream.into_inner();
        let done = loop {
            let has_all =
                end.wait_for(|end| end.as_ref().is_some_and(|lengths| seen.len() >= lengths[&log]));
            let message = tokio::select! {
                _ = has_all => break true,
                message = stream.message() => message,
            };
            let Ok(Some(message)) = message else { break false };
            match message.frame.expect("a frame") {
                Frame::Event(event) => {
                    token.clone_from(&event.resume_token);
                    seen.push(logged(&event));
                }
                Frame::Heartbeat(heartbeat) => token = heartbeat.resume_token,
            }
        };
        if done {
            return (log, seen);
        }
    }
}

/// An event as the checker compares it.
pub(super) fn logged(event: &Event) -> Logged {
    let subject = match event.payload.as_ref().expect("a payload") {
        Payload::Result(result) => format!("result {} {}", result.task, result.revision),
        Payload::Submission(submission) => format!("submission {}", submission.lease),
        Payload::TaskEnded(ended) => format!("ended {}", ended.task),
        Payload::WorkerEvent(worker) => format!("worker {}", worker.worker),
    };
    Logged {
        sequence: event.sequence,
        previous: event.previous_sequence,
        subject,
        whole: format!("{event:?}"),
    }
}
