//! A call for work: what it gets, task by task, and a retried call.
//!
//! Not here: which task is next (`pick.rs`).

use piecework_core::command::{LeaseTasks, TaskRef};
use piecework_core::lease::{Lease, LeaseState};
use piecework_core::limits::LEASE_REQUESTS_KEPT;
use piecework_core::outcome::{Leased, NoWork, Overdue};
use piecework_core::project::Assignment;
use piecework_core::task::TaskState;
use piecework_core::worker::LeaseRequest;
use piecework_core::{LeaseId, Millis, Outcome, Refusal, TaskId, TenantId, WorkerId};

use super::Model;
use super::lookup::text;
use super::rules::Been;
use super::turns::RunnersUp;
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
        let mut wanted = self.wanted(tenant, &cmd.wishes)?;
        let room = self.room(who);
        let (mut leases, mut overdue, mut unfinished) = (Vec::new(), Vec::new(), false);
        self.believe(tenant);
        if let Some(task) = &cmd.task {
            let task = self.named_task(tenant, who, task, room)?;
            leases.push(self.grant(who, task, cmd, RunnersUp::default()));
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
                if let Some((granted, again)) = self.stopped
                    && leases.len() == granted
                    && self.is_much(tenant)
                {
                    unfinished = again;
                    break;
                }
                let said = self.said.get(leases.len()).copied();
                let Some(picked) = self.pick(tenant, who, &wanted, said) else { break };
                if let Overdue::StoodBack(project) = picked.overdue {
                    self.projects.get_mut(&project).expect("a candidate").passes += 1;
                }
                overdue.push(picked.overdue);
                if let Some(left) = &mut wanted.left {
                    let order = self.tasks[&picked.task].record.order;
                    let expected = self.expected(who, picked.task.project, &order);
                    *left = Millis(left.0 - expected.expect("the box admits what is known").0);
                }
                leases.push(self.grant(who, picked.task, cmd, picked.runners_up));
            }
            self.one_deadline(&mut leases, cmd.wishes.within);
        }
        if unfinished {
            return Ok(Outcome::Leased(Leased { unfinished, ..Leased::default() }));
        }
        if leases.is_empty() {
            return Ok(nothing(self.why_none(tenant, who, &wanted)));
        }
        self.remember_request(who, cmd, leases.iter().map(|l| l.id).collect());
        let grants = leases.iter().map(|l| self.grant_of(l)).collect();
        Ok(Outcome::Leased(Leased { grants, overdue, ..Leased::default() }))
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
        let step = self.step(who, id.project).map_err(|(_, refusal)| refusal)?;
        if !self.is_old_enough(id, step) {
            let own = &self.projects[&id.project].project.spec.requirements;
            let (_, refusal) = self.unfit(who, id.project, own).expect("it fits a later step");
            return Err(refusal);
        }
        room?;
        match self.throttled_for(id.project) {
            Some(remaining) => Err(Refusal::Throttled { project, remaining }),
            None => Ok(id),
        }
    }

    /// The lease pins the project's revision and gets the task's next number; a lapsed
    /// place is one like others again; idle time restarts. A task that is full now
    /// releases what its expired leases hold. A push is to be claimed.
    fn grant(
        &mut self,
        who: WorkerId,
        task: TaskId,
        cmd: &LeaseTasks,
        runners_up: RunnersUp,
    ) -> Lease {
        let now = self.now;
        let person = &self.workers[&who];
        let request = cmd.request_id.as_ref().map_or(0, |_| person.record.last_request + 1);
        self.edit(task);
        self.charge(task.project, runners_up);
        let venture = self.projects.get_mut(&task.project).expect("a task's project");
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
            claim_by: cmd.claim.then(|| now.engine + self.limits.claim_within),
            draft: false,
        };
        self.edit(task).leases.push(lease.clone());
        self.release_if_full(task);
        self.record(who).idle_since = now.engine;
        self.look_at_rota(task.project);
        lease
    }

    /// What one call grants has one deadline: that of the longest lease, within the
    /// shortest hold, and not later than the time box ends, with the shortest grace.
    fn one_deadline(&mut self, leases: &mut [Lease], within: Option<Millis>) {
        let policy = |lease: &Lease| self.terms(lease.id.task.project, lease.revision).lease;
        let longest = leases.iter().map(|l| policy(l).duration).max().unwrap_or_default();
        let hold = leases.iter().map(|l| policy(l).max_hold).min().unwrap_or_default();
        let grace = leases.iter().map(|l| policy(l).late_grace).min().unwrap_or_default();
        let boxed = within.map_or(Millis(u64::MAX), |within| Millis(within.0 + grace.0));
        for lease in leases {
            lease.deadline = self.now.engine + longest.min(hold).min(boxed);
            self.edit_lease(lease.id).deadline = lease.deadline;
        }
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
