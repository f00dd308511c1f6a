//! Requests about workers and their skills.

use piecework_core::command::{CreateWorker, GrantSkill, UpdateWorker};
use piecework_core::requester::Labels;
use piecework_core::worker::{WorkerKind, WorkerSpec};
use piecework_core::{ClientId, Millis, WallTime, limits};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::from_wire::{create_key, etag};
use crate::wire::mask::Mask;
use crate::wire::{field, invalid, names};

const FIELDS: [&str; 5] = ["region", "capacity", "identity_cluster", "requester", "labels"];
const FIXED: [&str; 10] = [
    "name",
    "kind",
    "skills",
    "state",
    "suspend_reason",
    "rating",
    "live_leases",
    "create_time",
    "update_time",
    "etag",
];
/// Longest that a skill may count: a hundred years.
const SKILL_MAX: Millis = Millis::from_mins(100 * 365 * 24 * 60);

/// What an update merges into: the spec, and its requester account by name.
pub(crate) type Merged = (WorkerSpec, Option<ClientId>);

/// An update before it is merged: what to merge into comes from the tables.
#[derive(Debug, Clone)]
pub(crate) struct WorkerUpdate {
    /// Whom.
    pub(crate) worker: ClientId,
    /// The version that the caller saw.
    pub(crate) etag: Option<u32>,
    /// Create the worker if there is none.
    pub(crate) allow_missing: bool,
    message: v1::Worker,
    mask: Mask,
}

/// A worker to be.
pub(crate) fn create(request: v1::CreateWorkerRequest) -> Result<CreateWorker, Failure> {
    let key = create_key(&request.request_id, &request)?;
    let name = names::new_id("worker_id", &request.worker_id)?;
    let message = request.worker.unwrap_or_default();
    let (spec, requester) = merge(blank(&message)?, message, &every_field()?)?;
    Ok(CreateWorker { name, spec, requester, key })
}

/// What to change in a worker.
pub(crate) fn update(request: v1::UpdateWorkerRequest) -> Result<WorkerUpdate, Failure> {
    let mask = Mask::new("update_mask", request.update_mask, &FIELDS, &FIXED)?;
    let message = request.worker.unwrap_or_default();
    let worker = names::worker("worker.name", &message.name)?;
    let etag = etag::read("worker.etag", &message.etag)?;
    Ok(WorkerUpdate { worker, etag, allow_missing: request.allow_missing, message, mask })
}

impl WorkerUpdate {
    /// The command, merged into `base` at `version`.
    pub(crate) fn merged(&self, base: Merged, version: u32) -> Result<UpdateWorker, Failure> {
        let (spec, requester) = merge(base, self.message.clone(), &self.mask)?;
        Ok(UpdateWorker { worker: self.worker.clone(), spec, requester, etag: Some(version) })
    }

    /// The command where there is no such worker: all fields count.
    pub(crate) fn created(&self) -> Result<UpdateWorker, Failure> {
        let worker = names::new_id("worker.name", self.worker.as_str())?;
        let worker = worker.unwrap_or_else(|| self.worker.clone());
        let message = self.message.clone();
        let (spec, requester) = merge(blank(&message)?, message, &every_field()?)?;
        Ok(UpdateWorker { worker, spec, requester, etag: None })
    }
}

/// A skill at a level. `now`: what `expire_in` counts from.
pub(crate) fn grant_skill(
    request: &v1::GrantSkillRequest,
    now: WallTime,
) -> Result<GrantSkill, Failure> {
    let read = |time| field::positive("expire_in", time, SKILL_MAX);
    let expire_in = request.expire_in.map(read).transpose()?;
    Ok(GrantSkill {
        worker: names::worker("name", &request.name)?,
        skill: skill(&request.skill)?,
        level: field::level("level", request.level)?,
        expires: expire_in.map(|time| WallTime(now.0.saturating_add(time.0))),
    })
}

/// The id of a skill.
pub(crate) fn skill(skill: &str) -> Result<String, Failure> {
    names::id("skill", skill).map(|id| id.as_str().to_owned())
}

/// A person or a model; the client must say which.
pub(crate) fn kind(path: &str, value: i32) -> Result<WorkerKind, Failure> {
    match field::said(path, value)? {
        v1::WorkerKind::Human => Ok(WorkerKind::Human),
        v1::WorkerKind::Ai => Ok(WorkerKind::Ai),
        v1::WorkerKind::Unspecified => Err(invalid::field(path, "is not set")),
    }
}

fn every_field() -> Result<Mask, Failure> {
    Mask::new("update_mask", None, &FIELDS, &FIXED)
}

fn blank(message: &v1::Worker) -> Result<Merged, Failure> {
    let spec = WorkerSpec {
        kind: kind("worker.kind", message.kind)?,
        region: String::new(),
        device: String::new(),
        capacity: None,
        identity_cluster: String::new(),
        // The engine finds it by its name.
        requester: None,
        labels: Labels::new(),
    };
    Ok((spec, None))
}

fn merge(base: Merged, message: v1::Worker, mask: &Mask) -> Result<Merged, Failure> {
    let (mut spec, mut requester) = base;
    if mask.has("region") {
        spec.region = field::short("worker.region", message.region)?;
    }
    if mask.has("capacity") {
        spec.capacity = capacity(message.capacity, spec.kind)?;
    }
    if mask.has("identity_cluster") {
        let cluster = message.identity_cluster;
        spec.identity_cluster = field::short("worker.identity_cluster", cluster)?;
    }
    if mask.has("requester") {
        requester = match message.requester.as_str() {
            "" => None,
            name => Some(names::requester("worker.requester", name)?),
        };
    }
    if mask.has("labels") {
        spec.labels = field::labels("worker.labels", message.labels)?;
    }
    Ok((spec, requester))
}

fn capacity(capacity: u32, kind: WorkerKind) -> Result<Option<u32>, Failure> {
    let max = match kind {
        WorkerKind::Human => limits::CAPACITY_HUMAN_MAX,
        WorkerKind::Ai => limits::CAPACITY_AI_MAX,
    };
    match capacity {
        0 => Ok(None),
        capacity if capacity > max => Err(invalid::range("worker.capacity", capacity, 1, max)),
        capacity => Ok(Some(capacity)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> v1::Worker {
        v1::Worker {
            name: "workers/ann".to_owned(),
            kind: v1::WorkerKind::Human.into(),
            region: "FI".to_owned(),
            ..v1::Worker::default()
        }
    }

    fn update_of(worker: v1::Worker, paths: &[&str]) -> WorkerUpdate {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        update(v1::UpdateWorkerRequest {
            worker: Some(worker),
            update_mask: Some(prost_types::FieldMask { paths }),
            allow_missing: true,
        })
        .unwrap()
    }

    #[test]
    fn a_worker_says_what_it_is() {
        let request = |kind| v1::CreateWorkerRequest {
            worker: Some(v1::Worker { kind, ..ann() }),
            ..v1::CreateWorkerRequest::default()
        };
        assert_eq!(create(request(0)).unwrap_err().field(), Some("worker.kind"));
        assert_eq!(create(request(9)).unwrap_err().field(), Some("worker.kind"));
        assert!(create(request(2)).is_ok());
    }

    #[test]
    fn a_model_may_hold_more_than_a_person() {
        assert_eq!(capacity(101, WorkerKind::Ai).unwrap(), Some(101));
        assert!(capacity(101, WorkerKind::Human).is_err());
        assert_eq!(capacity(0, WorkerKind::Human).unwrap(), None);
    }

    #[test]
    fn an_update_merges_and_a_creation_takes_everything() {
        let (before, _) = merge(blank(&ann()).unwrap(), ann(), &every_field().unwrap()).unwrap();
        let worker = v1::Worker { region: "SE".to_owned(), capacity: 2, ..ann() };
        let update = update_of(worker, &["capacity"]);
        let merged = update.merged((before, None), 4).unwrap();
        assert_eq!((merged.spec.region.as_str(), merged.spec.capacity), ("FI", Some(2)));
        assert_eq!(merged.etag, Some(4));
        let created = update.created().unwrap();
        assert_eq!((created.spec.region.as_str(), created.etag), ("SE", None));
    }

    #[test]
    fn a_skill_expires_from_now_on() {
        let request = v1::GrantSkillRequest {
            name: "workers/ann".to_owned(),
            skill: "lang:fi".to_owned(),
            level: 100,
            expire_in: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
        };
        let granted = grant_skill(&request, WallTime(1_000)).unwrap();
        assert_eq!(granted.expires, Some(WallTime(6_000)));
        let over = v1::GrantSkillRequest { level: 101, ..request };
        assert_eq!(grant_skill(&over, WallTime(0)).unwrap_err().field(), Some("level"));
    }
}
