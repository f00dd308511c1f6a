//! Frames of the `Work` stream.

use std::collections::BTreeSet;

use piecework_core::wishes::Wishes;
use piecework_core::{ClientId, LeaseId, limits};
use piecework_proto::v1::work_request as pb;

use crate::wire::failure::Failure;
use crate::wire::from_wire::wishes;
use crate::wire::{field, invalid, names};

/// A worker for whom a stream speaks.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    pub(crate) worker: ClientId,
    /// Leases it wants to hold.
    pub(crate) capacity: u32,
    /// What it asks of them.
    pub(crate) wishes: Wishes,
}

/// The first frame.
///
/// # Errors
/// Nobody, too many, somebody twice, or a wish that cannot be.
pub(crate) fn hello(message: pb::Hello) -> Result<Vec<Presence>, Failure> {
    let workers = message.workers;
    if workers.is_empty() {
        return Err(invalid::field("hello.workers", "is empty, it must name at least one worker"));
    }
    field::count("hello.workers", workers.len(), limits::WORKERS_PER_STREAM_MAX, "entries")?;
    let mut named = BTreeSet::new();
    let read = |(index, message): (usize, pb::PresentWorker)| {
        let at = |name: &str| format!("hello.workers[{index}].{name}");
        let worker = names::worker(&at("worker"), &message.worker)?;
        if !named.insert(worker.clone()) {
            return Err(invalid::field(at("worker"), "is named twice"));
        }
        let capacity = capacity(&at("capacity"), message.capacity)?;
        let wishes = wishes::read(&at(""), &message)?;
        Ok(Presence { worker, capacity, wishes })
    };
    workers.into_iter().enumerate().map(read).collect()
}

/// Leases that a worker wants to hold at a time.
pub(crate) fn capacity(path: &str, capacity: u32) -> Result<u32, Failure> {
    if capacity > limits::CAPACITY_AI_MAX {
        return Err(invalid::range(path, capacity, 0, limits::CAPACITY_AI_MAX));
    }
    Ok(capacity)
}

/// The leases of a frame, each once. `path`: the field that holds them.
pub(crate) fn leases(path: &str, list: &[String]) -> Result<BTreeSet<LeaseId>, Failure> {
    field::count(path, list.len(), limits::ITEMS_PER_CALL_MAX, "entries")?;
    let read = |(index, name): (usize, &String)| names::lease(format!("{path}[{index}]"), name);
    list.iter().enumerate().map(read).collect()
}

/// The workers of a frame, each once. `path`: the field that holds them.
pub(crate) fn workers(path: &str, list: &[String]) -> Result<BTreeSet<ClientId>, Failure> {
    field::count(path, list.len(), limits::ITEMS_PER_CALL_MAX, "entries")?;
    let read = |(index, name): (usize, &String)| names::worker(&format!("{path}[{index}]"), name);
    list.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann(capacity: u32) -> pb::PresentWorker {
        let worker = "workers/ann".to_owned();
        pb::PresentWorker { worker, capacity, ..pb::PresentWorker::default() }
    }

    fn wrong(workers: Vec<pb::PresentWorker>) -> String {
        let failure = hello(pb::Hello { workers }).unwrap_err();
        failure.field().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_hello_names_everybody_once_and_within_bounds() {
        assert_eq!(wrong(Vec::new()), "hello.workers");
        assert_eq!(wrong(vec![ann(1), ann(2)]), "hello.workers[1].worker");
        // What -1 becomes where numbers have no sign.
        assert_eq!(wrong(vec![ann(u32::MAX)]), "hello.workers[0].capacity");
        let projects = vec!["projects/cats".to_owned(), "cats".to_owned()];
        let wish = pb::PresentWorker { projects, ..ann(1) };
        assert_eq!(wrong(vec![wish]), "hello.workers[0].projects[1]");
        assert_eq!(hello(pb::Hello { workers: vec![ann(3)] }).unwrap()[0].capacity, 3);
    }

    #[test]
    fn a_frame_names_at_most_a_thousand() {
        let names = vec!["leases/1-1-1".to_owned(); 1_001];
        assert_eq!(leases("ack.leases", &names).unwrap_err().field(), Some("ack.leases"));
        assert_eq!(leases("ack.leases", &names[1..]).unwrap().len(), 1);
    }
}
