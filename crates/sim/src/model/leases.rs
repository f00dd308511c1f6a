//! Who gets what: the pick order by brute force, and a retried call.

use std::collections::BTreeMap;

use piecework_core::command::{LeaseTasks, TaskRef};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::limits::LEASE_REQUESTS_KEPT;
use piecework_core::outcome::{Leased, NoWork};
use piecework_core::project::{Assignment, ProjectState};
use piecework_core::task::TaskState;
use piecework_core::worker::LeaseRequest;
use piecework_core::{
    LeaseId, Outcome, ProjectId, Refusal, RequesterId, TaskId, TenantId, WorkerId,
};

use super::Model;
use super::lookup::text;
use super::rules::Been;
use super::written::RowKey;

impl Model {
    /// A retry under a request id that is remembered gets the same leases, as they are
    /// now. A worker with no room, or that cools down, gets an empty answer; one that
    /// is suspended is refused.
    pub(super) fn lease_tasks(
        &mut self,
        tenant: TenantId,
        cmd: &LeaseTasks,
    ) -> Result<Outcome, Refusal> {
        let who = self.find_worker(tenant, &cmd.worker)?;
        if let Some(again) = self.asked_before(tenant, who, cmd)? {
            return Ok(again);
        }
        let mut wished = Vec::new();
        for name in &cmd.wishes.projects {
            wished.push(self.find_project(tenant, name)?);
        }
        let room = self.room(who);
        let mut leases = Vec::new();
        if let Some(task) = &cmd.task {
            let task = self.named_task(tenant, who, task, room)?;
            leases.push(self.grant(who, task, cmd));
        } else {
            let most = match room {
                Ok(most) => most,
                Err(Refusal::CapacityReached { .. }) => {
                    return Ok(nothing(vec![(NoWork::CapacityReached, 0)]));
                }
                Err(Refusal::CoolingDown { .. }) => {
                    return Ok(nothing(vec![(NoWork::CoolingDown, 0)]));
                }
                Err(refusal) => return Err(refusal),
            };
            for _ in 0..cmd.count.min(most) {
                let Some(task) = self.pick(tenant, who, &wished) else { break };
                leases.push(self.grant(who, task, cmd));
            }
        }
        if leases.is_empty() {
            return Ok(nothing(self.why_none(tenant, who, &wished)));
        }
        self.remember_request(who, cmd, leases.iter().map(|l| l.id).collect());
        let grants = leases.iter().map(|l| self.grant_of(l)).collect();
        Ok(Outcome::Leased(Leased { grants, ..Leased::default() }))
    }

    fn asked_before(
        &self,
        tenant: TenantId,
        who: WorkerId,
        cmd: &LeaseTasks,
    ) -> Result<Option<Outcome>, Refusal> {
        let Some(request_id) = &cmd.request_id else { return Ok(None) };
        let mut requests = self.workers[&who].requests.values();
        let Some(request) = requests.find(|r| r.request_id == *request_id) else {
            return Ok(None);
        };
        if request.content != cmd.content {
            return Err(Refusal::RequestIdReused { request_id: request_id.clone() });
        }
        let leases = request.leases.iter().filter_map(|id| self.lease_for(tenant, *id));
        let grants = leases.map(|lease| self.grant_of(lease)).collect();
        Ok(Some(Outcome::Leased(Leased { grants, ..Leased::default() })))
    }

    /// The smallest of: places that rest after all others; the requester served
    /// longest ago; its project served longest ago; first-lapsed places; the higher
    /// priority; the earlier deadline bucket (2¹⁶ ms); who is ready for longer; the
    /// smaller number. Among those that the hard rules leave.
    fn pick(&self, tenant: TenantId, who: WorkerId, wished: &[ProjectId]) -> Option<TaskId> {
        let mut times: BTreeMap<RequesterId, u64> = BTreeMap::new();
        for venture in self.projects.values() {
            let time = times.entry(venture.project.requester).or_default();
            *time = (*time).max(venture.virtual_time);
        }
        let mut best = None;
        for (id, venture) in &self.projects {
            let about = &venture.project;
            let asked = wished.is_empty() || wished.contains(id);
            let grants = about.tenant == tenant && about.spec.assignment == Assignment::ServerPicks;
            if !asked || !grants || self.unfit(who, *id).is_some() {
                continue;
            }
            let requester = about.requester;
            let turn = (times[&requester], requester, venture.virtual_time, *id);
            for (task, facts) in self.tasks_of(*id) {
                let Some(rests) = self.place(task) else { continue };
                let order = &facts.record.order;
                let deadline = order.deadline.map_or(u64::MAX, |at| at.0 / 65_536);
                let place = (
                    !facts.record.lapsed,
                    -i16::from(order.priority),
                    deadline,
                    order.ready_at,
                    task.number,
                );
                let key = (rests, turn, place);
                if best.as_ref().is_none_or(|(least, _)| key < *least)
                    && self.been(who, task).is_none()
                {
                    best = Some((key, task));
                }
            }
        }
        best.map(|(_, task)| task)
    }

    /// Why there is nothing, counted over the tenant's projects.
    fn why_none(
        &self,
        tenant: TenantId,
        who: WorkerId,
        wished: &[ProjectId],
    ) -> Vec<(NoWork, u32)> {
        let mut counts = BTreeMap::new();
        for (id, venture) in &self.projects {
            let about = &venture.project;
            let asked = wished.is_empty() || wished.contains(id);
            if about.tenant != tenant || !asked || about.state == ProjectState::Deleting {
                continue;
            }
            let why = if about.spec.assignment == Assignment::WorkerPicks {
                NoWork::WorkerPicks
            } else {
                self.unfit(who, *id).map_or(NoWork::NothingReady, |(why, _)| why)
            };
            *counts.entry(why).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// A task that the worker named: it must be where workers pick, not have been
    /// there, the task open with a free place, the worker fit, with room; refused by
    /// the first of these that is not so.
    fn named_task(
        &self,
        tenant: TenantId,
        who: WorkerId,
        reference: &TaskRef,
        room: Result<u32, Refusal>,
    ) -> Result<TaskId, Refusal> {
        let id = self.find_task(tenant, reference)?;
        let about = &self.projects[&id.project].project;
        let (project, worker) = (about.name.clone(), self.workers[&who].worker.name.clone());
        if about.spec.assignment == Assignment::ServerPicks {
            return Err(Refusal::ServerPicks { project });
        }
        let name = text(&reference.task);
        match self.been(who, id) {
            Some(Been::There(how)) => {
                return Err(Refusal::AlreadyThere { project, worker, task: name, how });
            }
            Some(Been::Barred(remaining)) => {
                return Err(Refusal::Barred { project, worker, task: name, remaining });
            }
            None => {}
        }
        let task = &self.tasks[&id];
        match task.record.state {
            TaskState::Open if !task.is_full() && !self.is_exhausted(id) => {}
            TaskState::Open => {
                let wanted = task.record.order.wanted;
                return Err(Refusal::TaskFull { project, task: name, wanted });
            }
            TaskState::Done { .. } => return Err(Refusal::TaskDone { project, task: name }),
            TaskState::Failed { .. } => return Err(Refusal::TaskFailed { project, task: name }),
            TaskState::Cancelled => return Err(Refusal::TaskCancelled { project, task: name }),
        }
        if let Some((_, refusal)) = self.unfit(who, id.project) {
            return Err(refusal);
        }
        room.map(|_| id)
    }

    /// The lease pins the project's revision and gets the task's next number. The
    /// project's virtual time becomes the tenant's next grant; a lapsed place is one
    /// like others again; idle time restarts. A task that is full now releases what
    /// its expired leases hold.
    fn grant(&mut self, who: WorkerId, task: TaskId, cmd: &LeaseTasks) -> Lease {
        let now = self.now;
        let person = &self.workers[&who];
        let request = cmd.request_id.as_ref().map_or(0, |_| person.record.last_request + 1);
        self.edit(task);
        let tenant = self.projects[&task.project].project.tenant;
        let own = self.projects.values().filter(|v| v.project.tenant == tenant);
        let newest = own.map(|v| v.virtual_time).max().unwrap_or(0);
        let venture = self.projects.get_mut(&task.project).expect("a task's project");
        venture.virtual_time = newest + 1;
        venture.granted += 1;
        let (revision, policy) = (venture.project.revision, venture.project.spec.terms.lease);
        let record = &mut self.edit(task).record;
        record.last_lease += 1;
        record.lapsed = false;
        let id = LeaseId { task, number: record.last_lease };
        self.touch(RowKey::Lease(id));
        let lease = Lease {
            id,
            worker: who,
            request,
            revision,
            granted: now.engine,
            granted_wall: now.wall,
            deadline: now.engine + policy.duration,
            state: LeaseState::Live,
            claim_by: None,
            draft: false,
        };
        self.edit(task).leases.push(lease.clone());
        self.release_if_full(task);
        self.record(who).idle_since = now.engine;
        lease
    }

    /// A granting call with a request id is remembered: the last sixteen in any case,
    /// older ones while one of their leases lives; looked at with each new one.
    fn remember_request(&mut self, who: WorkerId, cmd: &LeaseTasks, leases: Vec<LeaseId>) {
        let Some(request_id) = cmd.request_id.clone() else { return };
        let record = self.record(who);
        record.last_request += 1;
        let number = record.last_request;
        self.touch(RowKey::LeaseRequest(who, number));
        let request =
            LeaseRequest { worker: who, number, request_id, content: cmd.content, leases };
        let requests = &self.workers[&who].requests;
        let kept = u32::try_from(LEASE_REQUESTS_KEPT).expect("sixteen");
        let lives = |id: &LeaseId| self.lease(*id).is_some_and(Lease::is_live);
        let old = requests.values().filter(|r| r.number + kept <= number);
        let dead = old.filter(|r| !r.leases.iter().any(lives));
        let dead: Vec<u32> = dead.map(|r| r.number).collect();
        for number in &dead {
            self.touch(RowKey::LeaseRequest(who, *number));
        }
        let person = self.workers.get_mut(&who).expect("a worker that was found");
        person.requests.retain(|number, _| !dead.contains(number));
        person.requests.insert(number, request);
    }
}

fn nothing(none_because: Vec<(NoWork, u32)>) -> Outcome {
    Outcome::Leased(Leased { none_because, ..Leased::default() })
}
