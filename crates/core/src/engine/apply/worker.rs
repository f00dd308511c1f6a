//! `nothing → worker`, other data for one, and its skills.

use crate::change::{Change, Parent};
use crate::command::{CreateWorker, GrantSkill, UpdateWorker};
use crate::engine::apply::{create_keys, finish, inspect};
use crate::engine::{Changes, State, Stop, worker_room};
use crate::event::WorkerEvent;
use crate::limits::SKILLS_PER_WORKER_MAX;
use crate::worker::{Skill, SkillSource, Worker, WorkerSpec, WorkerState};
use crate::{ClientId, Kind, Outcome, Refusal, TenantId, WorkerId};

/// A create with the name of a worker of the same content finds it again.
pub(super) fn create(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &CreateWorker,
) -> Result<Outcome, Stop> {
    let spec = resolve(state, tenant, &cmd.spec, cmd.requester.as_ref())?;
    if let Some(name) = &cmd.name
        && let Ok(room) = state.worker(tenant, name)
    {
        if room.worker.spec != spec {
            return Err(Refusal::NameTaken { kind: Kind::Worker, name: name.clone() }.into());
        }
        return Ok(seen(state, changes, room.worker.id));
    }
    let key = cmd.key.as_ref().filter(|_| cmd.name.is_none());
    if let Some(made) = create_keys::made(state, tenant, Parent::Workers, key)?
        && let Some(number) = made.first().filter(|n| state.workers.contains_key(&WorkerId(**n)))
    {
        return Ok(seen(state, changes, WorkerId(*number)));
    }
    let id = add(state, changes, tenant, cmd.name.clone(), spec);
    create_keys::remember(state, changes, tenant, Parent::Workers, key, vec![id.0]);
    Ok(seen(state, changes, id))
}

fn add(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    name: Option<ClientId>,
    spec: WorkerSpec,
) -> WorkerId {
    state.partition.last_worker += 1;
    let id = WorkerId(state.partition.last_worker);
    changes.partition();
    let worker = Worker {
        id,
        tenant,
        name: name.unwrap_or_else(|| create_keys::own_name(id.0)),
        spec,
        skills: std::collections::BTreeMap::new(),
        state: WorkerState::Active,
        created: changes.now.wall,
        version: 1,
    };
    state.tenant_mut(tenant).workers.insert(worker.name.clone(), id);
    let mut room = worker_room(worker.clone());
    room.record.idle_since = changes.now.engine;
    state.workers.insert(id, room);
    changes.push(tenant, Change::Worker(Box::new(worker)));
    changes.worker(id);
    id
}

/// `worker → worker`; without a version to change, `nothing → worker`.
pub(super) fn update(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &UpdateWorker,
) -> Result<Outcome, Stop> {
    let spec = resolve(state, tenant, &cmd.spec, cmd.requester.as_ref())?;
    let found = state.worker(tenant, &cmd.worker);
    let id = match (found, cmd.etag) {
        (Ok(room), Some(sent)) if sent == room.worker.version => room.worker.id,
        (Ok(room), sent) => {
            let (name, is) = (cmd.worker.clone(), room.worker.version);
            let sent = sent.unwrap_or_default();
            return Err(Refusal::EtagMismatch { kind: Kind::Worker, name, sent, is }.into());
        }
        (Err(_), None) => {
            let id = add(state, changes, tenant, Some(cmd.worker.clone()), spec);
            return Ok(seen(state, changes, id));
        }
        (Err(refusal), Some(_)) => return Err(refusal.into()),
    };
    let mut worker = state.worker_room(id).worker.clone();
    if worker.spec.identity_cluster != spec.identity_cluster {
        // Rare, and true of every account of both clusters: nobody stands anywhere.
        state.projects.values_mut().for_each(|room| room.order.forget_cursors());
    }
    worker.spec = spec;
    put(state, changes, worker);
    Ok(seen(state, changes, id))
}

/// The worker has the skill at this level from now on.
pub(super) fn grant_skill(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &GrantSkill,
) -> Result<Outcome, Stop> {
    let mut worker = state.worker(tenant, &cmd.worker)?.worker.clone();
    let id = worker.id;
    let (skills, limit) = (worker.skills.len(), SKILLS_PER_WORKER_MAX);
    if skills >= limit && !worker.skills.contains_key(&cmd.skill) {
        return Err(Refusal::TooManySkills { worker: worker.name, skills, limit }.into());
    }
    let skill = Skill { level: cmd.level, source: SkillSource::Granted, expires: cmd.expires };
    if worker.skills.insert(cmd.skill.clone(), skill.clone()) != Some(skill) {
        put(state, changes, worker);
        let what = WorkerEvent::SkillGranted { skill: cmd.skill.clone(), level: cmd.level };
        finish::tell_worker(state, changes, tenant, id, what);
    }
    Ok(seen(state, changes, id))
}

/// The worker has the skill no more; live leases go on.
pub(super) fn revoke_skill(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    name: &ClientId,
    skill: &str,
) -> Result<Outcome, Stop> {
    let mut worker = state.worker(tenant, name)?.worker.clone();
    let id = worker.id;
    if worker.skills.remove(skill).is_none() {
        let (worker, skill) = (name.clone(), skill.to_owned());
        return Err(Refusal::SkillNotFound { worker, skill }.into());
    }
    put(state, changes, worker);
    let what = WorkerEvent::SkillRevoked { skill: skill.to_owned() };
    finish::tell_worker(state, changes, tenant, id, what);
    Ok(seen(state, changes, id))
}

/// Writes a worker with its next version, where it differs.
pub(super) fn put(state: &mut State, changes: &mut Changes, mut worker: Worker) {
    let room = state.worker_room_mut(worker.id);
    if room.worker == worker {
        return;
    }
    worker.version += 1;
    room.worker = worker.clone();
    state.wake(worker.id);
    state.stands_anew(worker.id);
    changes.push(worker.tenant, Change::Worker(Box::new(worker)));
}

/// The worker as it is now.
pub(super) fn seen(state: &State, changes: &Changes, id: WorkerId) -> Outcome {
    Outcome::Worker(Box::new(inspect::view(state, changes.now, id)))
}

fn resolve(
    state: &State,
    tenant: TenantId,
    spec: &WorkerSpec,
    requester: Option<&ClientId>,
) -> Result<WorkerSpec, Refusal> {
    let requester = requester.map(|name| state.requester(tenant, name)).transpose()?;
    Ok(WorkerSpec { requester, ..spec.clone() })
}
