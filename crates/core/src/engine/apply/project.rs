//! `nothing → active ⇄ paused → closed | cancelled → deleted`, and other specs.
//!
//! A flag works at once; what it means for many tasks follows in a sweep.

use crate::change::{Change, Parent, PinnedTerms};
use crate::command::{CreateProject, Steer, SteerProject, UpdateProject};
use crate::engine::apply::create_keys;
use crate::engine::{Changes, State, Stop, project_room};
use crate::limits::PROJECTS_MAX;
use crate::project::{Project, ProjectState, Sweep};
use crate::{Kind, Outcome, ProjectId, Refusal, Revision, TaskNumber, TenantId};
use std::sync::Arc;

/// A create with the name of a project of the same content finds it again.
pub(super) fn create(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &CreateProject,
) -> Result<Outcome, Stop> {
    let requester = state.requester(tenant, &cmd.requester)?;
    if let Some(name) = &cmd.name
        && let Ok(room) = state.project(tenant, name)
    {
        let old = &room.project;
        let same = old.version == 1 && old.requester == requester && old.spec == cmd.spec;
        // After the first change the first content is not known any more: a
        // retry that comes so late meets a project that somebody works with.
        if !same {
            return Err(Refusal::NameTaken { kind: Kind::Project, name: name.clone() }.into());
        }
        return Ok(Outcome::Project(Box::new(old.clone())));
    }
    let key = cmd.key.as_ref().filter(|_| cmd.name.is_none());
    if let Some(made) = create_keys::made(state, tenant, Parent::Projects, key)?
        && let Some(room) = made.first().and_then(|n| state.projects.get(&ProjectId(*n)))
    {
        return Ok(Outcome::Project(Box::new(room.project.clone())));
    }
    if state.projects.len() >= PROJECTS_MAX {
        let (projects, limit) = (state.projects.len(), PROJECTS_MAX);
        return Err(Refusal::TooManyProjects { projects, limit }.into());
    }
    state.partition.last_project += 1;
    let id = ProjectId(state.partition.last_project);
    changes.partition();
    let project = Project {
        id,
        tenant,
        requester,
        name: cmd.name.clone().unwrap_or_else(|| create_keys::own_name(id.0)),
        spec: cmd.spec.clone(),
        revision: Revision(1),
        state: ProjectState::Active,
        created: changes.now.wall,
        updated: changes.now.wall,
        version: 1,
    };
    state.tenant_mut(tenant).projects.insert(project.name.clone(), id);
    let room = project_room(project.clone());
    changes.push(tenant, Change::Project(Box::new(project.clone())));
    changes.push(tenant, Change::ProjectTally(room.tally));
    changes.push(tenant, pinned(&project));
    state.projects.insert(id, room);
    state.enroll(id);
    state.throttle(id, changes);
    create_keys::remember(state, changes, tenant, Parent::Projects, key, vec![id.0]);
    Ok(Outcome::Project(Box::new(project)))
}

/// `project → project`: a new revision where the terms differ.
pub(super) fn update(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &UpdateProject,
) -> Result<Outcome, Stop> {
    let mut project = state.project(tenant, &cmd.project)?.project.clone();
    if cmd.etag != project.version {
        let (sent, is) = (cmd.etag, project.version);
        let name = project.name;
        return Err(Refusal::EtagMismatch { kind: Kind::Project, name, sent, is }.into());
    }
    if !project.spec.terms.schema.grows_into(&cmd.spec.terms.schema) {
        return Err(Refusal::SchemaChange { project: project.name }.into());
    }
    if project.spec == cmd.spec {
        return Ok(Outcome::Project(Box::new(project)));
    }
    let new_terms = project.spec.terms != cmd.spec.terms;
    project.spec = cmd.spec.clone();
    project.version += 1;
    project.updated = changes.now.wall;
    if new_terms {
        project.revision = Revision(project.revision.0 + 1);
        let terms = Arc::new(project.spec.terms.clone());
        let room = state.project_room_mut(project.id);
        room.terms.insert(project.revision, terms);
        changes.push(tenant, pinned(&project));
    }
    put(state, changes, &project);
    Ok(Outcome::Project(Box::new(project)))
}

/// Along the arrows of a project; where it already is, nothing happens.
pub(super) fn steer(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &SteerProject,
) -> Result<Outcome, Stop> {
    let room = state.project(tenant, &cmd.project)?;
    let mut project = room.project.clone();
    if let Some(sent) = cmd.etag.filter(|sent| *sent != project.version) {
        let (name, is) = (project.name, project.version);
        return Err(Refusal::EtagMismatch { kind: Kind::Project, name, sent, is }.into());
    }
    let name = || project.name.clone();
    let is = project.state;
    let to = match (cmd.to, is) {
        (Steer::Pause, ProjectState::Active | ProjectState::Paused) => ProjectState::Paused,
        (Steer::Resume, ProjectState::Active | ProjectState::Paused) => ProjectState::Active,
        (Steer::Close, ProjectState::Active | ProjectState::Paused | ProjectState::Closed) => {
            ProjectState::Closed
        }
        (Steer::Pause | Steer::Resume, ProjectState::Closed) => {
            return Err(Refusal::ProjectClosed { project: name() }.into());
        }
        (Steer::Cancel { revoke_leases }, ProjectState::Cancelled { revoke_leases: was }) => {
            ProjectState::Cancelled { revoke_leases: revoke_leases || was }
        }
        (Steer::Cancel { revoke_leases }, _) => ProjectState::Cancelled { revoke_leases },
        (Steer::Delete, ProjectState::Closed | ProjectState::Cancelled { .. })
            if room.tally.open == 0 && room.tally.live == 0 =>
        {
            ProjectState::Deleting
        }
        (Steer::Delete, _) => {
            let (open, live) = (room.tally.open, room.tally.live);
            return Err(Refusal::ProjectNotDrained { project: name(), open, live }.into());
        }
        (Steer::Pause | Steer::Resume | Steer::Close, _) => {
            return Err(Refusal::ProjectCancelled { project: name() }.into());
        }
    };
    if to == is {
        return Ok(Outcome::Project(Box::new(project)));
    }
    project.state = to;
    project.version += 1;
    project.updated = changes.now.wall;
    if matches!(to, ProjectState::Cancelled { .. } | ProjectState::Deleting) {
        sweep(state, changes, &project);
    }
    if to == ProjectState::Deleting {
        state.tenant_mut(tenant).projects.remove(&project.name);
    }
    put(state, changes, &project);
    Ok(match to {
        ProjectState::Deleting => Outcome::ProjectDeleted,
        _ => Outcome::Project(Box::new(project)),
    })
}

fn sweep(state: &mut State, changes: &mut Changes, project: &Project) {
    let since = changes.now.engine;
    let sweep = Sweep { project: project.id, next: TaskNumber(1), since };
    state.sweeps.insert(project.id, sweep);
    changes.push(project.tenant, Change::Sweep(sweep));
}

fn put(state: &mut State, changes: &mut Changes, project: &Project) {
    let room = state.project_room_mut(project.id);
    let old = std::mem::replace(&mut room.project, project.clone());
    let gone = project.state != old.state && project.state == ProjectState::Deleting;
    if old.spec != project.spec || gone {
        state.rules_change(project.id, &old.spec);
    }
    state.throttle(project.id, changes);
    state.stir(project.id);
    changes.push(project.tenant, Change::Project(Box::new(project.clone())));
}

fn pinned(project: &Project) -> Change {
    let terms = project.spec.terms.clone();
    Change::Terms(Box::new(PinnedTerms { project: project.id, revision: project.revision, terms }))
}
