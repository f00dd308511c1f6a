//! Requests for leases, for more time, and returns.

use std::time::Duration;

use piecework_core::command::{LeaseTasks, ReturnItem, SaveDraft, TaskRef};
use piecework_core::lease::ReturnReason;
use piecework_core::wishes::Wishes;
use piecework_core::{ClientId, Fingerprint, LeaseId, Millis, limits};
use piecework_proto::v1;

use crate::wire::bulk::Sifted;
use crate::wire::failure::Failure;
use crate::wire::from_wire::wishes;
use crate::wire::{field, invalid, names};

/// What a worker asks for, and how long it waits for the first.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The command.
    pub(crate) lease: LeaseTasks,
    /// How long to wait where there is none.
    pub(crate) wait: Duration,
}

/// A `Lease` call.
pub(crate) fn wish(request: &v1::LeaseRequest) -> Result<Wish, Failure> {
    let task = match request.task.as_str() {
        "" => None,
        name => Some(names::task("task", name)?),
    };
    if task.is_some() && request.count > 1 {
        return Err(invalid::range("count", request.count, 0, "1 with a named task"));
    }
    if let Some(wish) = wishes::named(request.into()).filter(|_| task.is_some()) {
        return Err(invalid::field(wish, "says something, though a task is named"));
    }
    let (wishes, basics) = (
        wishes::read("", request)?,
        Basics {
            worker: names::worker("worker", &request.worker)?,
            count: request.count,
            wait: request.wait,
            request_id: &request.request_id,
        },
    );
    of("", basics, wishes, task)
}

/// The `next` of a `SubmitAnswers`.
pub(crate) fn next(worker: &ClientId, next: &v1::NextLease) -> Result<Wish, Failure> {
    let basics = Basics {
        worker: worker.clone(),
        count: next.count,
        wait: next.wait,
        request_id: &next.request_id,
    };
    of("next.", basics, wishes::read("next.", next)?, None)
}

/// How long an `ExtendLeases` asks for.
pub(crate) fn extension(
    duration: Option<prost_types::Duration>,
) -> Result<Option<Millis>, Failure> {
    duration.map(|time| field::positive("duration", time, limits::LEASE_MAX)).transpose()
}

/// The leases of an `ExtendLeases`, each checked by itself.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn leases(list: &[String]) -> Result<Sifted<LeaseId>, Failure> {
    field::items("leases", list.len())?;
    let read =
        |(index, name): (usize, &String)| names::lease(format_args!("leases[{index}]"), name);
    Ok(Sifted::new(list.iter().enumerate().map(read)))
}

/// The items of a `ReturnLeases`, each checked by itself.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn returns(messages: Vec<v1::LeaseReturn>) -> Result<Sifted<ReturnItem>, Failure> {
    field::items("returns", messages.len())?;
    let read = |(index, message)| return_item(&format!("returns[{index}]"), message);
    Ok(Sifted::new(messages.into_iter().enumerate().map(read)))
}

/// Who asks for how much, and for how long.
struct Basics<'a> {
    worker: ClientId,
    count: u32,
    wait: Option<prost_types::Duration>,
    request_id: &'a str,
}

fn of(
    path: &str,
    basics: Basics<'_>,
    wishes: Wishes,
    task: Option<TaskRef>,
) -> Result<Wish, Failure> {
    let Basics { worker, count, wait, request_id } = basics;
    let at = |name: &str| format!("{path}{name}");
    let count_max = u32::try_from(limits::ITEMS_PER_CALL_MAX).unwrap_or(u32::MAX);
    if count > count_max {
        return Err(invalid::range(&at("count"), count, 0, count_max));
    }
    let wait = match wait {
        Some(wait) => field::duration(&at("wait"), wait, limits::WAIT_MAX)?,
        None => Millis(0),
    };
    let mut lease = LeaseTasks {
        count: count.max(1),
        wishes,
        task,
        request_id: names::optional_id(&at("request_id"), request_id)?,
        ..LeaseTasks::any(worker)
    };
    lease.content = content_of(&lease);
    Ok(Wish { lease, wait: Duration::from_millis(wait.0) })
}

/// Of what is asked for: how long the worker would wait is no part of it.
fn content_of(lease: &LeaseTasks) -> Fingerprint {
    let count = lease.count.to_le_bytes();
    let task = lease.task.as_ref().map(names::of_task_ref).unwrap_or_default();
    let mut parts = vec![lease.worker.as_str().as_bytes(), &count, task.as_bytes()];
    parts.extend(lease.wishes.projects.iter().map(|project| project.as_str().as_bytes()));
    let wishes = wishes::content(&lease.wishes);
    parts.extend(wishes.iter().map(Vec::as_slice));
    Fingerprint::of(&parts)
}

pub(crate) fn return_item(path: &str, message: v1::LeaseReturn) -> Result<ReturnItem, Failure> {
    let at = |name: &str| format!("{path}.{name}");
    let lease = names::lease(at("lease"), &message.lease)?;
    // Checked now, so that a client hears of it before comments are kept.
    field::text(&at("comment"), message.comment)?;
    let reason = match field::said(&at("reason"), message.reason)? {
        v1::ReturnReason::Declined => ReturnReason::Declined,
        v1::ReturnReason::NotForMe => ReturnReason::NotForMe,
        v1::ReturnReason::OutOfTime => ReturnReason::OutOfTime,
        v1::ReturnReason::Unstarted => ReturnReason::Unstarted,
        v1::ReturnReason::BrokenTask => ReturnReason::BrokenTask,
        v1::ReturnReason::Unspecified => return Err(invalid::field(at("reason"), "is not set")),
    };
    Ok(ReturnItem { lease, reason })
}

/// A draft, and under which lease. `path`: what leads to both fields.
pub(crate) fn draft(
    path: &str,
    worker: ClientId,
    lease: &str,
    draft: &[u8],
) -> Result<SaveDraft, Failure> {
    let at = |name: &str| format!("{path}{name}");
    let lease = names::lease(at("lease"), lease)?;
    field::count(at("draft"), draft.len(), limits::DRAFT_BYTES_MAX, "bytes")?;
    Ok(SaveDraft { worker, lease, bytes: draft.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> v1::LeaseRequest {
        v1::LeaseRequest { worker: "workers/ann".to_owned(), ..v1::LeaseRequest::default() }
    }

    fn wrong(request: &v1::LeaseRequest) -> String {
        wish(request).unwrap_err().field().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_wish_asks_for_one_and_does_not_wait_unless_it_says_so() {
        let wish = wish(&ask()).unwrap();
        assert_eq!((wish.lease.count, wish.wait), (1, Duration::ZERO));
    }

    #[test]
    fn the_wrong_field_is_named() {
        let long = Some(prost_types::Duration { seconds: 60, nanos: 1 });
        assert_eq!(wrong(&v1::LeaseRequest { wait: long, ..ask() }), "wait");
        assert_eq!(wrong(&v1::LeaseRequest { count: 1001, ..ask() }), "count");
        assert_eq!(wrong(&v1::LeaseRequest { worker: "ann".to_owned(), ..ask() }), "worker");
        assert_eq!(
            wrong(&v1::LeaseRequest { projects: vec!["x".to_owned()], ..ask() }),
            "projects[0]"
        );
        let task = "projects/cats/tasks/a".to_owned();
        assert_eq!(wrong(&v1::LeaseRequest { task: task.clone(), count: 2, ..ask() }), "count");
        let projects = vec!["projects/cats".to_owned()];
        assert_eq!(wrong(&v1::LeaseRequest { task: task.clone(), projects, ..ask() }), "projects");
        let max_payload_bytes = 9;
        let wish = v1::LeaseRequest { task, max_payload_bytes, ..ask() };
        assert_eq!(wrong(&wish), "max_payload_bytes");
        let next = v1::NextLease { count: 1001, ..v1::NextLease::default() };
        let ann = ClientId::new("ann").unwrap();
        assert_eq!(super::next(&ann, &next).unwrap_err().field(), Some("next.count"));
    }

    #[test]
    fn the_same_wish_has_the_same_content_whatever_its_request_id() {
        let content = |request: v1::LeaseRequest| wish(&request).unwrap().lease.content;
        let named = v1::LeaseRequest { request_id: "r1".to_owned(), ..ask() };
        assert_eq!(content(ask()), content(named));
        assert_ne!(content(ask()), content(v1::LeaseRequest { count: 2, ..ask() }));
        assert_ne!(content(ask()), content(v1::LeaseRequest { max_payload_bytes: 9, ..ask() }));
    }

    #[test]
    fn a_return_says_why() {
        let message = v1::LeaseReturn { lease: "leases/1-1-1".to_owned(), ..Default::default() };
        assert_eq!(
            return_item("returns[0]", message).unwrap_err().field(),
            Some("returns[0].reason")
        );
    }
}
