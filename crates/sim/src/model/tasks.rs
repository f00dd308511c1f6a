//! New tasks, other orders for them, and their end by request.

use std::sync::Arc;

use piecework_core::change::Parent;
use piecework_core::command::{CancelTasks, CreateTasks, NewTask, TaskRef, UpdateTask};
use piecework_core::lease::Revocation;
use piecework_core::outcome::{ChangedTask, CreatedTask};
use piecework_core::project::ProjectState;
use piecework_core::task::{TaskOrder, TaskRecord, TaskSpec, TaskState};
use piecework_core::{EngineTime, Kind, Outcome, ProjectId, Refusal, TaskId, TaskNumber, TenantId};

use super::lookup::text;
use super::wishes::bits;
use super::written::RowKey;
use super::{Model, Task};

impl Model {
    /// Item by item: a task of the same name and content is found; one that the
    /// call's request id remembers is found; anything else is made, unless the
    /// project takes no new tasks. When nothing of a call is found and nothing can
    /// be made, the call itself is refused.
    pub(super) fn create_tasks(
        &mut self,
        tenant: TenantId,
        cmd: &CreateTasks,
    ) -> Result<Outcome, Refusal> {
        let project = self.find_project(tenant, &cmd.project)?;
        let key = cmd.key.as_ref().filter(|_| cmd.tasks.iter().any(|t| t.name.is_none()));
        let made = self.made(tenant, Parent::Tasks(project), key)?;
        let closed = match self.projects[&project].project.state {
            ProjectState::Active | ProjectState::Paused => None,
            ProjectState::Closed => Some(Refusal::ProjectClosed { project: cmd.project.clone() }),
            ProjectState::Cancelled { .. } | ProjectState::Deleting => {
                Some(Refusal::ProjectCancelled { project: cmd.project.clone() })
            }
        };
        let found = cmd.tasks.iter().any(|task| self.named(project, task).is_some());
        if let Some(refusal) = closed.clone().filter(|_| made.is_none() && !found) {
            return Err(refusal);
        }
        let mut outcomes = Vec::new();
        for (index, task) in cmd.tasks.iter().enumerate() {
            let number = made.as_ref().and_then(|m| m.get(index).copied()).unwrap_or(0);
            outcomes.push(if let Some(found) = self.named(project, task) {
                found
            } else if number > 0 {
                let task = TaskId { project, number: TaskNumber(number) };
                Ok(CreatedTask { task, name: None, existed: true })
            } else if let Some(refusal) = closed.clone() {
                Err(refusal)
            } else {
                self.add_task(project, task)
            });
        }
        let number = |(task, outcome): (&NewTask, &Result<CreatedTask, Refusal>)| match outcome {
            Ok(created) if task.name.is_none() => created.task.number.0,
            _ => 0,
        };
        let numbers: Vec<u32> = cmd.tasks.iter().zip(&outcomes).map(number).collect();
        if numbers.iter().any(|n| *n > 0) && made.as_ref() != Some(&numbers) {
            self.remember(tenant, Parent::Tasks(project), key, numbers);
        }
        self.look_at_rota(project);
        Ok(Outcome::TasksCreated(outcomes))
    }

    /// The task of that name, or that the name is taken by another content.
    fn named(&self, project: ProjectId, new: &NewTask) -> Option<Result<CreatedTask, Refusal>> {
        let name = new.name.as_ref()?;
        let known = self.tasks_of(project).find(|(_, t)| t.spec.name.as_ref() == Some(name));
        let (task, known) = known?;
        Some(if known.spec.content == new.content {
            Ok(CreatedTask { task, name: Some(name.clone()), existed: true })
        } else {
            Err(Refusal::NameTaken { kind: Kind::Task, name: name.clone() })
        })
    }

    fn add_task(&mut self, project: ProjectId, new: &NewTask) -> Result<CreatedTask, Refusal> {
        let venture = self.projects.get(&project).expect("a project that was found");
        let (bytes, limit) = (new.payload.len(), venture.project.spec.payload_bytes_max);
        if bytes > limit as usize {
            let project = venture.project.name.clone();
            return Err(Refusal::PayloadTooLarge { project, bytes, limit });
        }
        let overlap = venture.project.spec.overlap;
        // A task that says how many answers it wants gets as many.
        let dynamic = venture.project.spec.dynamic.filter(|_| new.overlap.is_none());
        self.touch(RowKey::ProjectTally(project));
        let venture = self.projects.get_mut(&project).expect("a project that was found");
        venture.last_task.0 += 1;
        let id = TaskId { project, number: venture.last_task };
        self.touch(RowKey::Spec(id));
        let order = TaskOrder {
            priority: new.priority,
            deadline: new.deadline,
            wanted: new.overlap.unwrap_or(overlap),
            most: dynamic.map_or(0, |dynamic| dynamic.max),
            ready_at: self.now.engine,
            size_class: bits(bytes as u64),
            duration_class: new.expected.map_or(0, |expected| bits(expected.0)),
        };
        let spec = TaskSpec {
            id,
            name: new.name.clone(),
            payload: new.payload.clone(),
            content_type: new.content_type.clone(),
            labels: new.labels.clone(),
            expected: new.expected,
            order,
            content: new.content,
            created: self.now.wall,
        };
        let record = TaskRecord {
            id,
            order,
            state: TaskState::Open,
            last_lease: 0,
            last_answer: 0,
            expiries: 0,
            lapsed: false,
            attempts: Vec::new(),
            broken: Vec::new(),
            result: None,
            result_revision: 0,
            said: None,
            resolved: false,
        };
        let spec = Arc::new(spec);
        let (touched, leases, looked) = (false, Vec::new(), EngineTime(0));
        self.tasks.insert(id, Task { spec, record, touched, leases, looked });
        Ok(CreatedTask { task: id, name: new.name.clone(), existed: false })
    }

    pub(super) fn update_tasks(&mut self, tenant: TenantId, updates: &[UpdateTask]) -> Outcome {
        let items = updates.iter().map(|update| self.update_task(tenant, update));
        Outcome::TasksChanged(items.collect())
    }

    /// Open tasks take any change; of a done one only its overlap may be set, and a
    /// larger one opens it again, with new attempts and ready from now on. Never below
    /// the answers and leases there are. Failed and cancelled ones take none.
    fn update_task(
        &mut self,
        tenant: TenantId,
        update: &UpdateTask,
    ) -> Result<ChangedTask, Refusal> {
        let id = self.find_task(tenant, &update.task)?;
        let (project, name) = (update.task.project.clone(), text(&update.task.task));
        if self.is_cancelled(id.project) {
            return Err(Refusal::ProjectCancelled { project });
        }
        let task = &self.tasks[&id];
        let is_done = match task.record.state {
            TaskState::Failed { .. } => return Err(Refusal::TaskFailed { project, task: name }),
            TaskState::Cancelled => return Err(Refusal::TaskCancelled { project, task: name }),
            TaskState::Done { .. } => true,
            TaskState::Open => false,
        };
        if is_done && update.overlap.is_none() {
            return Err(Refusal::TaskDone { project, task: name });
        }
        let taken = u16::try_from(task.counted() + task.live()).expect("few places");
        if let Some(overlap) = update.overlap.filter(|overlap| *overlap < taken) {
            return Err(Refusal::OverlapTooLow { project, task: name, overlap, taken });
        }
        let now = self.now.engine;
        let record = &mut self.edit(id).record;
        if let Some(priority) = update.priority {
            record.order.priority = priority;
        }
        if let Some(deadline) = update.deadline {
            record.order.deadline = deadline;
        }
        if let Some(overlap) = update.overlap {
            if is_done && overlap > record.order.wanted {
                record.state = TaskState::Open;
                record.attempts.clear();
                record.order.ready_at = now;
                record.resolved = false;
            }
            record.order.wanted = overlap;
            record.order.most = 0;
        }
        self.release_if_full(id);
        self.conclude(id);
        self.look_at_rota(id.project);
        Ok(ChangedTask { task: id, state: self.tasks[&id].record.state })
    }

    pub(super) fn cancel_tasks(&mut self, tenant: TenantId, cmd: &CancelTasks) -> Outcome {
        let cancel = |task: &TaskRef| {
            let id = self.find_task(tenant, task)?;
            let (project, name) = (task.project.clone(), text(&task.task));
            match self.tasks[&id].record.state {
                TaskState::Done { .. } => return Err(Refusal::TaskDone { project, task: name }),
                TaskState::Failed { .. } => {
                    return Err(Refusal::TaskFailed { project, task: name });
                }
                // Cancelled already: nothing happens, not even to its leases.
                TaskState::Cancelled => {}
                TaskState::Open => {
                    self.cancel_task(id, cmd.revoke_leases);
                    self.look_at_rota(id.project);
                }
            }
            Ok(ChangedTask { task: id, state: TaskState::Cancelled })
        };
        Outcome::TasksChanged(cmd.tasks.iter().map(cancel).collect())
    }

    pub(super) fn revoke_all(&mut self, id: TaskId, why: Revocation) {
        let live = self.tasks[&id].leases.iter().filter(|l| l.is_live());
        let live: Vec<_> = live.map(|l| l.id).collect();
        for lease in live {
            self.revoke(lease, why);
        }
    }

    pub(super) fn requeue_tasks(&mut self, tenant: TenantId, tasks: &[TaskRef]) -> Outcome {
        let items = tasks.iter().map(|task| self.requeue(tenant, task));
        Outcome::TasksChanged(items.collect())
    }

    /// Only a failed task opens again: attempts, reports and lapses begin anew, it is
    /// ready from now on, and a deadline that has passed is taken off.
    fn requeue(&mut self, tenant: TenantId, task: &TaskRef) -> Result<ChangedTask, Refusal> {
        let id = self.find_task(tenant, task)?;
        let project = task.project.clone();
        if self.is_cancelled(id.project) {
            return Err(Refusal::ProjectCancelled { project });
        }
        let state = match self.tasks[&id].record.state {
            TaskState::Failed { .. } => None,
            TaskState::Open => Some("open"),
            TaskState::Done { .. } => Some("done"),
            TaskState::Cancelled => Some("cancelled"),
        };
        if let Some(state) = state {
            return Err(Refusal::TaskNotFailed { project, task: text(&task.task), state });
        }
        let now = self.now;
        let record = &mut self.edit(id).record;
        record.state = TaskState::Open;
        record.attempts.clear();
        record.broken.clear();
        record.expiries = 0;
        record.lapsed = false;
        record.order.ready_at = now.engine;
        if record.order.deadline.is_some_and(|at| at <= now.wall) {
            record.order.deadline = None;
        }
        self.look_at_rota(id.project);
        Ok(ChangedTask { task: id, state: TaskState::Open })
    }
}
