//! How leases go on and end without an answer: extended, returned, expired; what
//! a tick and a restart do.

use piecework_core::change::Change;
use piecework_core::command::{ExtendLeases, ReturnItem, ReturnLeases};
use piecework_core::lease::{Grant, Lease, LeaseState, ReturnReason};
use piecework_core::limits::BROKEN_REPORTS;
use piecework_core::project::Late;
use piecework_core::task::FailureCause;
use piecework_core::worker::WorkerRecord;
use piecework_core::{
    EngineTime, LeaseId, Millis, Outcome, Refusal, TaskId, TenantId, WallTime, WorkerId,
};

use super::Model;
use super::written::RowKey;

/// The longest that a place rests.
const REST_MAX: Millis = Millis::from_mins(10);

/// What is due at some time, of equal times the first one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Claim,
    Deadline,
    Draft,
    Rate,
}

impl Model {
    /// A worker's behaviour, to be changed.
    pub(super) fn record(&mut self, who: WorkerId) -> &mut WorkerRecord {
        self.touch(RowKey::WorkerRecord(who));
        &mut self.workers.get_mut(&who).expect("a worker that was found").record
    }

    pub(super) fn extend(
        &mut self,
        tenant: TenantId,
        cmd: &ExtendLeases,
    ) -> Result<Outcome, Refusal> {
        self.find_worker(tenant, &cmd.worker)?;
        let items = cmd.leases.iter().map(|lease| self.extend_one(tenant, cmd, *lease));
        Ok(Outcome::Extended(items.collect()))
    }

    /// Only a live lease: from now, by what is asked or by one lease, never beyond the
    /// longest hold of its terms, never earlier than it was. A push has arrived.
    fn extend_one(
        &mut self,
        tenant: TenantId,
        cmd: &ExtendLeases,
        id: LeaseId,
    ) -> Result<Grant, Refusal> {
        let lease = self.find_lease(tenant, &cmd.worker, id)?;
        let how = match lease.state {
            LeaseState::Live => None,
            LeaseState::Expired { .. } => Some("expired"),
            LeaseState::Submitted(_) => Some("answered"),
            LeaseState::Returned { .. } => Some("returned"),
            LeaseState::Revoked { .. } => Some("revoked"),
        };
        if let Some(how) = how {
            return Err(Refusal::LeaseEnded { lease: id, how });
        }
        let policy = self.terms(id.task.project, lease.revision).lease;
        let (now, last) = (self.now.engine, lease.granted + policy.max_hold);
        if now >= last {
            return Err(Refusal::HoldExceeded { lease: id, max: policy.max_hold });
        }
        let wished = now + cmd.by.unwrap_or(policy.duration);
        let lease = self.edit_lease(id);
        lease.deadline = lease.deadline.max(wished.min(last));
        lease.claim_by = None;
        let lease = lease.clone();
        Ok(self.grant_of(&lease))
    }

    pub(super) fn give_back(
        &mut self,
        tenant: TenantId,
        cmd: &ReturnLeases,
    ) -> Result<Outcome, Refusal> {
        self.find_worker(tenant, &cmd.worker)?;
        let items = cmd.items.iter().map(|item| self.return_one(tenant, cmd, item));
        Ok(Outcome::Returned(items.collect()))
    }

    /// A live lease ends; an expired one gives up what it holds. One that was
    /// returned, or holds nothing any more, is answered as if it were done now.
    fn return_one(
        &mut self,
        tenant: TenantId,
        cmd: &ReturnLeases,
        item: &ReturnItem,
    ) -> Result<LeaseId, Refusal> {
        let id = item.lease;
        let lease = self.find_lease(tenant, &cmd.worker, id)?;
        match lease.state {
            LeaseState::Submitted(_) => {
                return Err(Refusal::LeaseEnded { lease: id, how: "answered" });
            }
            LeaseState::Revoked { .. } => {
                return Err(Refusal::LeaseEnded { lease: id, how: "revoked" });
            }
            LeaseState::Returned { .. } | LeaseState::Expired { released: true, .. } => {}
            LeaseState::Expired { rests_until, window_ends, released: false } => {
                let lease = self.edit_lease(id);
                lease.state = LeaseState::Expired { rests_until, window_ends, released: true };
                self.drop_draft(id);
            }
            LeaseState::Live => self.hand_back(&lease, item.reason),
        }
        self.look_at_rota(id.task.project);
        Ok(id)
    }

    /// DECLINED late, or with a draft, is OUT_OF_TIME; so many declines in a row cool down, and the row
    /// begins anew after that. All but DECLINED and UNSTARTED are attempts. The third
    /// distinct worker's report of a broken task fails it.
    fn hand_back(&mut self, lease: &Lease, reason: ReturnReason) {
        let (now, id, who) = (self.now.engine, lease.id, lease.worker);
        let late = now - lease.granted > self.limits.decline_within || lease.draft;
        let reason = match reason {
            ReturnReason::Declined if late => ReturnReason::OutOfTime,
            reason => reason,
        };
        self.edit_lease(id).state = LeaseState::Returned { reason, at: now };
        let venture = self.projects.get_mut(&id.task.project).expect("a lease's project");
        venture.returned += 1;
        let (most, cooldown) = (self.limits.declines_in_a_row, self.limits.decline_cooldown);
        let record = self.record(who);
        record.idle_since = now;
        if reason == ReturnReason::Declined {
            let row = if record.declines_in_a_row >= most { 0 } else { record.declines_in_a_row };
            record.declines_in_a_row = row + 1;
            if record.declines_in_a_row >= most {
                record.cool_until = now + cooldown;
            }
        }
        let task = &mut self.edit(id.task).record;
        if reason == ReturnReason::BrokenTask && !task.broken.contains(&who) {
            task.broken.push(who);
        }
        let free = matches!(reason, ReturnReason::Declined | ReturnReason::Unstarted);
        if !free && !task.attempts.contains(&who) {
            task.attempts.push(who);
        }
        if task.broken.len() >= BROKEN_REPORTS && task.state.is_open() {
            self.fail(id.task, FailureCause::BrokenTask);
        }
        self.conclude(id.task);
    }

    /// In the order of their times: pushes that nobody claimed go back unstarted, live
    /// leases at their deadline expire, drafts go with the late window, rates allow grants again, rests end,
    /// creates are forgotten; then tasks at their deadline by the wall clock. Before
    /// the grace after a restart is over only the wall clock rings. (At most a
    /// thousand at once: these runs never have so many.)
    pub(super) fn tick(&mut self) -> Outcome {
        let (now, mut expired) = (self.now.engine, 0);
        if now >= self.partition.grace_until {
            let due = self.due();
            // A rest ends before or after an expiry of the same tick to the same effect:
            // an expiry looks at its task anew.
            for task in self.tasks.values_mut() {
                let ends = |l: &piecework_core::lease::Lease| match l.state {
                    LeaseState::Expired { rests_until, released, .. } => {
                        !released && rests_until > task.looked && rests_until <= now
                    }
                    _ => false,
                };
                if task.leases.iter().any(ends) {
                    task.looked = now;
                }
            }
            for (_, due, id) in due {
                if due == Due::Rate {
                    self.throttle(id.task.project);
                    continue;
                }
                let lease = self.lease(id).expect("a lease that was due").clone();
                match due {
                    Due::Claim if lease.is_live() => {
                        self.hand_back(&lease, ReturnReason::Unstarted);
                        self.look_at_rota(id.task.project);
                    }
                    Due::Deadline if lease.is_live() => {
                        self.expire(id);
                        expired += 1;
                    }
                    // Nothing comes late any more: its end takes the draft away.
                    Due::Draft => _ = self.edit_lease(id),
                    Due::Claim | Due::Deadline | Due::Rate => {}
                }
            }
            let over = self.keys.values().filter(|row| row.until <= now);
            let over: Vec<_> = over.map(|row| row.id.clone()).collect();
            for key in over {
                self.touch(RowKey::CreateKey(key.clone()));
                self.keys.remove(&key);
            }
        }
        let open = self.tasks.iter().filter(|(_, t)| t.record.state.is_open());
        let due = open.filter_map(|(id, t)| Some((t.record.order.deadline?, *id)));
        let mut due: Vec<(WallTime, TaskId)> = due.filter(|(at, _)| *at <= self.now.wall).collect();
        due.sort();
        for (_, task) in due {
            self.edit(task);
            self.end_short(task, FailureCause::Deadline);
            self.look_at_rota(task.project);
        }
        Outcome::Ticked { timers: 0, expired }
    }

    /// Leases and rates that are due, in the order in which they ring. A push that
    /// nobody claimed goes back before it can expire.
    fn due(&self) -> Vec<(EngineTime, Due, LeaseId)> {
        let mut due = Vec::new();
        for lease in self.leases() {
            let claim = lease.claim_by.filter(|_| lease.is_live());
            let deadline = lease.is_live().then_some(lease.deadline);
            let late = match lease.state {
                LeaseState::Expired { window_ends, .. } if lease.draft => Some(window_ends),
                _ => None,
            };
            due.extend(claim.map(|at| (at, Due::Claim, lease.id)));
            due.extend(deadline.map(|at| (at, Due::Deadline, lease.id)));
            due.extend(late.map(|at| (at, Due::Draft, lease.id)));
        }
        for (id, venture) in &self.projects {
            let first = LeaseId { task: TaskId { project: *id, ..TaskId::default() }, number: 0 };
            due.extend(venture.throttled.map(|at| (at, Due::Rate, first)));
        }
        due.retain(|(at, ..)| *at <= self.now.engine);
        due.sort();
        due
    }

    /// `live → expired`: an attempt, one more lapse of the worker in a row, its idle
    /// time restarts. The place rests for the grace of its terms, twice as long with
    /// every lapse after the second; the first lapse puts the task before others.
    /// Where the task is over, or nothing may come late, the lease holds nothing.
    fn expire(&mut self, id: LeaseId) {
        let now = self.now.engine;
        let lease = self.lease(id).expect("a lease that was due").clone();
        let policy = self.terms(id.task.project, lease.revision).lease;
        let window = match policy.late {
            Late::UntilReplaced => policy.late_window,
            Late::Refuse => Millis(0),
        };
        let record = &mut self.edit(id.task).record;
        record.expiries += 1;
        let times = record.expiries;
        if times == 1 {
            record.lapsed = true;
        }
        if !record.attempts.contains(&lease.worker) {
            record.attempts.push(lease.worker);
        }
        let over = !record.state.is_open();
        let rest = (2..times).take(16).fold(policy.late_grace.0, |rest, _| rest * 2);
        self.edit_lease(id).state = LeaseState::Expired {
            rests_until: now + Millis(rest).min(REST_MAX),
            window_ends: now + window,
            released: over || window == Millis(0),
        };
        let venture = self.projects.get_mut(&id.task.project).expect("a lease's project");
        venture.expired += 1;
        let behaviour = self.record(lease.worker);
        behaviour.expiries_in_a_row += 1;
        behaviour.idle_since = now;
        self.conclude(id.task);
        self.look_at_rota(id.task.project);
    }

    /// Nothing expires for one heartbeat. Which places rest is seen anew, at the last
    /// times that were logged.
    pub(super) fn restarted(&mut self) -> Outcome {
        self.partition.grace_until = self.now.engine + self.limits.restart_grace;
        // Written even where it says what it said: the restart takes a position.
        self.new.insert(RowKey::Partition, Change::Partition(self.partition));
        for task in self.tasks.values_mut() {
            task.looked = self.logged.engine;
        }
        self.forget_rota();
        for venture in self.projects.values_mut() {
            venture.crowds.clear();
            venture.refined_through = EngineTime(0);
        }
        Outcome::Restarted
    }
}
