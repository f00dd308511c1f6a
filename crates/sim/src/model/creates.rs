//! Creates that a retry finds again, and what they make.
//!
//! A thing with a name of its own is found by its name: with the same content the
//! same thing, with another content refused. Without one it is found by (parent,
//! request id), from the first create until its time is over, in a table that is
//! never larger than its limit.

use std::collections::BTreeMap;

use piecework_core::change::{CreateKeyId, CreateKeyRow, Parent};
use piecework_core::command::{
    CreateKey, CreateProject, CreateRequester, CreateWorker, UpdateRequester,
};
use piecework_core::project::{Project, ProjectState, ProjectTally};
use piecework_core::requester::Requester;
use piecework_core::worker::{Worker, WorkerRecord, WorkerSpec, WorkerState};
use piecework_core::{
    ClientId, EngineTime, Kind, Outcome, ProjectId, Refusal, RequesterId, Revision, Sequence,
    TaskNumber, TenantId, WorkerId,
};

use super::written::RowKey;
use super::{Model, Person, Venture};

/// The name that the daemon gives: `~7`.
fn own_name(number: u32) -> ClientId {
    ClientId::new(&format!("~{number}")).expect("a tilde and digits")
}

impl Model {
    /// What an earlier create of this key made, item by item.
    pub(super) fn made(
        &self,
        tenant: TenantId,
        parent: Parent,
        key: Option<&CreateKey>,
    ) -> Result<Option<Vec<u32>>, Refusal> {
        let Some(key) = key else { return Ok(None) };
        let id = CreateKeyId { tenant, parent, request_id: key.request_id.clone() };
        let (keys, limit) = (self.keys.len(), self.limits.create_keys_max);
        match self.keys.get(&id) {
            Some(row) if row.content == key.content => Ok(Some(row.made.clone())),
            Some(_) => Err(Refusal::RequestIdReused { request_id: key.request_id.clone() }),
            None if keys >= limit => Err(Refusal::TooManyCreateKeys { keys, limit }),
            None => Ok(None),
        }
    }

    /// Remembers what a create made; a retry that made more does not make it last longer.
    pub(super) fn remember(
        &mut self,
        tenant: TenantId,
        parent: Parent,
        key: Option<&CreateKey>,
        made: Vec<u32>,
    ) {
        let Some(key) = key else { return };
        let id = CreateKeyId { tenant, parent, request_id: key.request_id.clone() };
        self.touch(RowKey::CreateKey(id.clone()));
        let fresh = self.now.engine + self.limits.create_keys_kept;
        let until = self.keys.get(&id).map_or(fresh, |row| row.until);
        let row = CreateKeyRow { id: id.clone(), content: key.content, until, made };
        self.keys.insert(id, row);
    }

    pub(super) fn create_requester(
        &mut self,
        tenant: TenantId,
        cmd: &CreateRequester,
    ) -> Result<Outcome, Refusal> {
        let known = cmd.name.as_ref().and_then(|name| self.find_requester(tenant, name).ok());
        if let Some(known) = known.map(|id| &self.requesters[&id]) {
            let same = known.display_name == cmd.display_name
                && known.labels == cmd.labels
                && (known.weight, known.tier_ceiling) == (cmd.weight, cmd.tier_ceiling)
                && known.grants_per_minute == cmd.grants_per_minute
                && known.blocked_workers == cmd.blocked_workers
                && known.allowed_workers == cmd.allowed_workers;
            if !same {
                return Err(Refusal::NameTaken { kind: Kind::Requester, name: known.name.clone() });
            }
            return Ok(Outcome::Requester(Box::new(known.clone())));
        }
        let key = cmd.key.as_ref().filter(|_| cmd.name.is_none());
        if let Some(made) = self.made(tenant, Parent::Requesters, key)? {
            let known = self.requesters[&RequesterId(made[0])].clone();
            return Ok(Outcome::Requester(Box::new(known)));
        }
        self.touch(RowKey::Partition);
        self.partition.last_requester += 1;
        let id = RequesterId(self.partition.last_requester);
        self.touch(RowKey::Requester(id));
        let requester = Requester {
            id,
            tenant,
            name: cmd.name.clone().unwrap_or_else(|| own_name(id.0)),
            display_name: cmd.display_name.clone(),
            labels: cmd.labels.clone(),
            weight: cmd.weight,
            tier_ceiling: cmd.tier_ceiling,
            grants_per_minute: cmd.grants_per_minute,
            blocked_workers: cmd.blocked_workers.clone(),
            allowed_workers: cmd.allowed_workers.clone(),
            created: self.now.wall,
            version: 1,
        };
        self.requesters.insert(id, requester.clone());
        self.remember(tenant, Parent::Requesters, key, vec![id.0]);
        Ok(Outcome::Requester(Box::new(requester)))
    }

    /// An etag that was sent must be the one that is; a change that changes nothing
    /// makes no version.
    pub(super) fn update_requester(
        &mut self,
        tenant: TenantId,
        cmd: &UpdateRequester,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_requester(tenant, &cmd.requester)?;
        let mut other = self.requesters[&id].clone();
        if let Some(sent) = cmd.etag.filter(|sent| *sent != other.version) {
            let (name, is) = (other.name, other.version);
            return Err(Refusal::EtagMismatch { kind: Kind::Requester, name, sent, is });
        }
        if let Some(display_name) = &cmd.display_name {
            other.display_name.clone_from(display_name);
        }
        if let Some(labels) = &cmd.labels {
            other.labels.clone_from(labels);
        }
        other.weight = cmd.weight.unwrap_or(other.weight);
        other.tier_ceiling = cmd.tier_ceiling.unwrap_or(other.tier_ceiling);
        other.grants_per_minute = cmd.grants_per_minute.unwrap_or(other.grants_per_minute);
        if let Some(workers) = &cmd.blocked_workers {
            other.blocked_workers.clone_from(workers);
        }
        if let Some(workers) = &cmd.allowed_workers {
            other.allowed_workers.clone_from(workers);
        }
        if other != self.requesters[&id] {
            self.touch(RowKey::Requester(id));
            other.version += 1;
            self.requesters.insert(id, other.clone());
            self.throttle_all(id);
        }
        Ok(Outcome::Requester(Box::new(other)))
    }

    /// A project that was changed since is not the one that was created.
    pub(super) fn create_project(
        &mut self,
        tenant: TenantId,
        cmd: &CreateProject,
    ) -> Result<Outcome, Refusal> {
        let requester = self.find_requester(tenant, &cmd.requester)?;
        let known = cmd.name.as_ref().and_then(|name| self.find_project(tenant, name).ok());
        if let Some(known) = known.map(|id| &self.projects[&id].project) {
            let same = known.version == 1 && known.requester == requester && known.spec == cmd.spec;
            if !same {
                return Err(Refusal::NameTaken { kind: Kind::Project, name: known.name.clone() });
            }
            return Ok(Outcome::Project(Box::new(known.clone())));
        }
        let key = cmd.key.as_ref().filter(|_| cmd.name.is_none());
        if let Some(made) = self.made(tenant, Parent::Projects, key)? {
            // One that was deleted is made again.
            if let Some(known) = self.projects.get(&ProjectId(made[0])) {
                return Ok(Outcome::Project(Box::new(known.project.clone())));
            }
        }
        self.touch(RowKey::Partition);
        self.partition.last_project += 1;
        let id = ProjectId(self.partition.last_project);
        self.touch(RowKey::Project(id));
        self.touch(RowKey::ProjectTally(id));
        self.touch(RowKey::Terms(id, Revision(1)));
        let project = Project {
            id,
            tenant,
            requester,
            name: cmd.name.clone().unwrap_or_else(|| own_name(id.0)),
            spec: cmd.spec.clone(),
            revision: Revision(1),
            state: ProjectState::Active,
            created: self.now.wall,
            updated: self.now.wall,
            version: 1,
        };
        let venture = Venture {
            terms: BTreeMap::from([(Revision(1), cmd.spec.terms.clone())]),
            project: project.clone(),
            last_task: TaskNumber(0),
            last_sequence: Sequence(0),
            virtual_time: 0,
            requester_time: 0,
            waiting_since: EngineTime(0),
            in_rota: false,
            throttled: None,
            passes: 0,
            granted: 0,
            expired: 0,
            returned: 0,
            revoked: 0,
            p75_ms: 0,
            crowds: BTreeMap::new(),
            refined_through: EngineTime(0),
            p50_ms: 0,
            gone: ProjectTally::default(),
        };
        self.projects.insert(id, venture);
        self.throttle(id);
        self.remember(tenant, Parent::Projects, key, vec![id.0]);
        Ok(Outcome::Project(Box::new(project)))
    }

    /// The worker's own requester account comes by name and must be there.
    pub(super) fn with_requester(
        &self,
        tenant: TenantId,
        spec: &WorkerSpec,
        requester: Option<&ClientId>,
    ) -> Result<WorkerSpec, Refusal> {
        let mut spec = spec.clone();
        spec.requester = match requester {
            Some(name) => Some(self.find_requester(tenant, name)?),
            None => None,
        };
        Ok(spec)
    }

    pub(super) fn create_worker(
        &mut self,
        tenant: TenantId,
        cmd: &CreateWorker,
    ) -> Result<Outcome, Refusal> {
        let spec = self.with_requester(tenant, &cmd.spec, cmd.requester.as_ref())?;
        let known = cmd.name.as_ref().and_then(|name| self.find_worker(tenant, name).ok());
        if let Some(known) = known.map(|id| &self.workers[&id].worker) {
            if known.spec != spec {
                return Err(Refusal::NameTaken { kind: Kind::Worker, name: known.name.clone() });
            }
            return Ok(self.seen(known.id));
        }
        let key = cmd.key.as_ref().filter(|_| cmd.name.is_none());
        if let Some(made) = self.made(tenant, Parent::Workers, key)? {
            return Ok(self.seen(WorkerId(made[0])));
        }
        let id = self.add_worker(tenant, cmd.name.clone(), spec);
        self.remember(tenant, Parent::Workers, key, vec![id.0]);
        Ok(self.seen(id))
    }

    /// A new worker is idle from the beginning.
    pub(super) fn add_worker(
        &mut self,
        tenant: TenantId,
        name: Option<ClientId>,
        spec: WorkerSpec,
    ) -> WorkerId {
        self.touch(RowKey::Partition);
        self.partition.last_worker += 1;
        let id = WorkerId(self.partition.last_worker);
        self.touch(RowKey::Worker(id));
        self.touch(RowKey::WorkerRecord(id));
        let worker = Worker {
            id,
            tenant,
            name: name.unwrap_or_else(|| own_name(id.0)),
            spec,
            skills: BTreeMap::new(),
            state: WorkerState::Active,
            created: self.now.wall,
            version: 1,
        };
        let record =
            WorkerRecord { worker: id, idle_since: self.now.engine, ..WorkerRecord::default() };
        let (requests, answers) = (BTreeMap::new(), BTreeMap::new());
        let (p75_ms, areas) = (BTreeMap::new(), BTreeMap::new());
        self.workers.insert(id, Person { worker, record, areas, requests, answers, p75_ms });
        id
    }
}
