//! Other specs of a project, where it is steered, and its sweep.

use piecework_core::change::Change;
use piecework_core::command::{Steer, SteerProject, UpdateProject};
use piecework_core::event::Log;
use piecework_core::lease::Revocation;
use piecework_core::project::{ProjectState, Sweep};
use piecework_core::{
    Kind, LeaseId, Outcome, ProjectId, Refusal, Revision, TaskId, TaskNumber, TenantId,
};

use super::Model;
use super::written::RowKey;

impl Model {
    /// Made for the version that is; the schema gains optional fields at its end only.
    /// Other terms are a new revision. What changes nothing makes no version.
    pub(super) fn update_project(
        &mut self,
        tenant: TenantId,
        cmd: &UpdateProject,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_project(tenant, &cmd.project)?;
        let mut project = self.projects[&id].project.clone();
        if cmd.etag != project.version {
            let (name, sent, is) = (project.name, cmd.etag, project.version);
            return Err(Refusal::EtagMismatch { kind: Kind::Project, name, sent, is });
        }
        let (old, new) = (&project.spec.terms.schema.fields, &cmd.spec.terms.schema.fields);
        let kept = new.len() >= old.len() && new[..old.len()] == old[..];
        if !kept || new[old.len()..].iter().any(|field| field.required) {
            return Err(Refusal::SchemaChange { project: project.name });
        }
        if project.spec == cmd.spec {
            return Ok(Outcome::Project(Box::new(project)));
        }
        let revision = Revision(project.revision.0 + 1);
        self.touch(RowKey::Project(id));
        self.touch(RowKey::Terms(id, revision));
        let other_terms = project.spec.terms != cmd.spec.terms;
        project.spec = cmd.spec.clone();
        project.version += 1;
        project.updated = self.now.wall;
        let venture = self.projects.get_mut(&id).expect("a project that was found");
        if other_terms {
            project.revision = revision;
            venture.terms.insert(revision, cmd.spec.terms.clone());
        }
        venture.project = project.clone();
        self.throttle(id);
        Ok(Outcome::Project(Box::new(project)))
    }

    /// Pause and resume while it is neither closed nor cancelled; close while it is
    /// not cancelled; cancel always, and a revoking cancel stays one; delete once it
    /// is closed or cancelled and nothing is open or live. Where it is already,
    /// nothing happens.
    pub(super) fn steer_project(
        &mut self,
        tenant: TenantId,
        cmd: &SteerProject,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_project(tenant, &cmd.project)?;
        let mut project = self.projects[&id].project.clone();
        let name = cmd.project.clone();
        if let Some(sent) = cmd.etag.filter(|sent| *sent != project.version) {
            let is = project.version;
            return Err(Refusal::EtagMismatch { kind: Kind::Project, name, sent, is });
        }
        let (closed, cancelled, revokes) = match project.state {
            ProjectState::Active | ProjectState::Paused => (false, false, false),
            ProjectState::Closed => (true, false, false),
            ProjectState::Cancelled { revoke_leases } => (false, true, revoke_leases),
            ProjectState::Deleting => return Err(Refusal::ProjectNotFound { project: name }),
        };
        let to = match cmd.to {
            Steer::Pause | Steer::Resume if closed => {
                return Err(Refusal::ProjectClosed { project: name });
            }
            Steer::Pause | Steer::Resume | Steer::Close if cancelled => {
                return Err(Refusal::ProjectCancelled { project: name });
            }
            Steer::Pause => ProjectState::Paused,
            Steer::Resume => ProjectState::Active,
            Steer::Close => ProjectState::Closed,
            Steer::Cancel { revoke_leases } => {
                ProjectState::Cancelled { revoke_leases: revoke_leases || revokes }
            }
            Steer::Delete => {
                let tally = self.tally(id).expect("a project that was found");
                let (open, live) = (tally.open, tally.live);
                if !(closed || cancelled) || open + live > 0 {
                    return Err(Refusal::ProjectNotDrained { project: name, open, live });
                }
                ProjectState::Deleting
            }
        };
        if to == project.state {
            return Ok(Outcome::Project(Box::new(project)));
        }
        self.touch(RowKey::Project(id));
        project.state = to;
        project.version += 1;
        project.updated = self.now.wall;
        self.projects.get_mut(&id).expect("a project that was found").project = project.clone();
        self.throttle(id);
        let is_deleted = to == ProjectState::Deleting;
        if is_deleted || matches!(to, ProjectState::Cancelled { .. }) {
            self.touch(RowKey::Sweep(id));
            let sweep = Sweep { project: id, next: TaskNumber(1), since: self.now.engine };
            self.sweeps.insert(id, sweep);
        }
        let outcome = Outcome::Project(Box::new(project));
        Ok(if is_deleted { Outcome::ProjectDeleted } else { outcome })
    }

    /// One step of a sweep. A step covers a thousand tasks: all of them, in these runs.
    pub(super) fn sweep(&mut self, id: ProjectId) -> Outcome {
        let Some(sweep) = self.sweeps.get(&id).copied() else {
            return Outcome::Swept { finished: true };
        };
        self.touch(RowKey::Sweep(id));
        let finished = match self.projects[&id].project.state {
            ProjectState::Cancelled { revoke_leases } => {
                self.cancel_all(id, revoke_leases);
                true
            }
            ProjectState::Deleting => self.delete(id, sweep),
            ProjectState::Active | ProjectState::Paused | ProjectState::Closed => true,
        };
        if finished {
            self.sweeps.remove(&id);
        }
        Outcome::Swept { finished }
    }

    /// Every open task is cancelled; a revoking cancel takes the live leases of tasks
    /// that are over already, too.
    fn cancel_all(&mut self, project: ProjectId, revoke: bool) {
        let tasks: Vec<TaskId> = self.tasks_of(project).map(|(id, _)| id).collect();
        for id in tasks {
            if self.tasks[&id].record.state.is_open() {
                self.cancel_task(id, revoke);
            } else if revoke {
                self.revoke_all(id, Revocation::TaskCancelled);
            }
        }
    }

    /// First all rows of tasks, then the project's own. Returns whether it is over.
    fn delete(&mut self, id: ProjectId, sweep: Sweep) -> bool {
        let last = self.projects[&id].last_task;
        if sweep.next <= last {
            let gone = Change::TasksGone { project: id, first: sweep.next, last };
            self.new.insert(RowKey::TasksGone(id), gone);
            let counts = self.tally(id).expect("a project with a sweep");
            let tasks: Vec<TaskId> = self.tasks_of(id).map(|(id, _)| id).collect();
            for task in tasks {
                self.tasks.remove(&task);
                self.results.remove(&task);
            }
            let drafts: Vec<LeaseId> =
                self.drafts.keys().filter(|lease| lease.task.project == id).copied().collect();
            for lease in drafts {
                self.touch(RowKey::Draft(lease));
                self.drafts.remove(&lease);
            }
            self.projects.get_mut(&id).expect("a project with a sweep").gone = counts;
            self.sweeps.insert(id, Sweep { next: TaskNumber(last.0 + 1), ..sweep });
            return false;
        }
        let (log, through) = (Log::Project(id), self.projects[&id].last_sequence);
        self.new.insert(RowKey::EventsGone(log), Change::EventsGone { log, through });
        self.new.insert(RowKey::ProjectGone(id), Change::ProjectGone(id));
        for person in self.workers.values_mut() {
            person.answers.remove(&id);
            person.p75_ms.remove(&id);
        }
        self.projects.remove(&id);
        true
    }
}
