//! Who is here: a worker is present while a call of its waits for work, and for a
//! minute after each of its commands.
//!
//! Known in this run of the daemon only; no row says it. A refused command shows life
//! like any other, so this is noted before a command is decided.
//!
//! Invariant: a worker that does not wait stands in its tenant's `Present` under the
//! time it was last seen, until a later command finds that it has left.
//!
//! Not here: idle time itself (`WorkerRecord::idle_since`), who waits (`parked.rs`).

use std::collections::BTreeSet;

use crate::engine::State;
use crate::engine::rooms::WorkerRoom;
use crate::limits::PRESENT_FOR;
use crate::matching::wishes::Wanted;
use crate::{ClientId, Command, EngineTime, Request, TenantId, WorkerId};

/// Workers of a tenant that do not wait, by when they were last seen; those who left
/// go with the next command.
#[derive(Debug, Default)]
pub(crate) struct Present {
    seen: BTreeSet<(EngineTime, WorkerId)>,
}

impl Present {
    /// Who was seen within the last minute, the last one first.
    fn workers(&self, now: EngineTime) -> impl Iterator<Item = WorkerId> + '_ {
        let here = self.seen.iter().rev().take_while(move |(seen, _)| now - *seen <= PRESENT_FOR);
        here.map(|(_, worker)| *worker)
    }

    /// Whether it holds these, all who are here still and none that is not theirs.
    pub(crate) fn is_sound<'a>(
        &self,
        ours: impl Iterator<Item = &'a WorkerRoom>,
        now: EngineTime,
    ) -> bool {
        let rests = ours.filter(|room| !room.parked);
        let seen = rests.filter_map(|room| Some((room.seen?, room.worker.id)));
        let seen: BTreeSet<_> = seen.collect();
        let mut here = seen.iter().filter(|(at, _)| now - *at <= PRESENT_FOR);
        self.seen.is_subset(&seen) && here.all(|one| self.seen.contains(one))
    }

    fn take_gone(&mut self, now: EngineTime) -> Vec<WorkerId> {
        let mut gone = Vec::new();
        while let Some(first) = self.seen.first().filter(|(seen, _)| now - *seen > PRESENT_FOR) {
            gone.push(first.1);
            self.seen.pop_first();
        }
        gone
    }
}

/// Notes that a worker showed life, where the command comes in the name of one.
pub(crate) fn note(state: &mut State, now: EngineTime, request: &Request) {
    let worker = match &request.command {
        Command::Lease(c) => &c.worker,
        Command::Extend(c) => &c.worker,
        Command::Claim(c) => &c.worker,
        Command::Submit(c) => &c.worker,
        Command::SaveDraft(c) => &c.worker,
        Command::Return(c) => &c.worker,
        Command::ShowLife(signs) => {
            return signs.workers.iter().for_each(|worker| see(state, now, request, worker));
        }
        _ => return,
    };
    see(state, now, request, worker);
}

fn see(state: &mut State, now: EngineTime, request: &Request, worker: &ClientId) {
    let Ok(room) = state.worker(request.tenant, worker) else { return };
    let id = room.worker.id;
    let room = state.worker_room_mut(id);
    if !room.is_present(now) {
        room.present_since = now;
    }
    state.seen(id, now);
}

impl State {
    /// A worker is here now, waiting or not.
    pub(crate) fn seen(&mut self, worker: WorkerId, now: EngineTime) {
        let room = self.worker_room_mut(worker);
        let (before, parked, tenant) = (room.seen.replace(now), room.parked, room.worker.tenant);
        let present = &mut self.tenant_mut(tenant).present;
        before.into_iter().for_each(|before| _ = present.seen.remove(&(before, worker)));
        if !parked {
            present.seen.insert((now, worker));
        }
        for gone in present.take_gone(now) {
            self.worker_room_mut(gone).asked = None;
        }
    }

    /// Everybody of a tenant who is present: first those who wait, longest idle first,
    /// then the others, last seen first.
    pub(crate) fn present(
        &self,
        tenant: TenantId,
        now: EngineTime,
    ) -> impl Iterator<Item = &WorkerRoom> {
        let room = self.tenants.get(&tenant).into_iter();
        let present = room.flat_map(move |r| r.parked.workers().chain(r.present.workers(now)));
        present.map(|id| self.worker_room(id))
    }

    /// What a worker asks for, until it has left.
    pub(crate) fn asks(&mut self, worker: WorkerId, wanted: &Wanted) {
        let room = self.worker_room_mut(worker);
        if room.asked.as_deref() != Some(wanted) {
            let any = *wanted == Wanted::default();
            room.asked = (!any).then(|| Box::new(wanted.clone()));
        }
    }
}

impl WorkerRoom {
    /// Whether it waits for work, or gave a command within the last minute.
    pub(crate) fn is_present(&self, now: EngineTime) -> bool {
        self.parked || self.seen.is_some_and(|seen| now - seen <= PRESENT_FOR)
    }

    /// Idle since then, counting only the time it was present.
    pub(crate) fn idle_since(&self) -> EngineTime {
        self.record.idle_since.max(self.present_since)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::command::{CreateWorker, LeaseTasks};
    use crate::worker::{WorkerKind, WorkerSpec};
    use crate::{Engine, Limits, Now, Position, Step, TenantId, WallTime};

    #[test]
    fn idle_time_counts_only_presence() {
        let ann = ClientId::new("ann").expect("an id");
        let mut engine = Engine::new(Limits::default());
        let mut position = 0;
        let mut at = |engine: &mut Engine, ms, command| {
            position += 1;
            let now = Now { engine: EngineTime(ms), wall: WallTime(ms) };
            let request = Request { tenant: TenantId(1), command };
            let Step::Done { outcome, .. } = engine.apply(Position(position), now, &request) else {
                panic!("nothing is cold here");
            };
            outcome.expect("no refusal");
        };
        let spec = WorkerSpec {
            kind: WorkerKind::Human,
            region: String::new(),
            device: String::new(),
            capacity: None,
            identity_cluster: String::new(),
            requester: None,
            labels: BTreeMap::new(),
        };
        let create = CreateWorker { name: Some(ann.clone()), spec, requester: None, key: None };
        at(&mut engine, 1_000, Command::CreateWorker(create));
        let ask = || Command::Lease(LeaseTasks::any(ann.clone()));
        let idle = |engine: &Engine| engine.idle_since(TenantId(1), &ann);
        at(&mut engine, 500_000, ask());
        assert_eq!(idle(&engine), Some(EngineTime(500_000)), "it was away until now");
        at(&mut engine, 560_000, ask());
        assert_eq!(idle(&engine), Some(EngineTime(500_000)), "a minute is no absence");
        at(&mut engine, 620_001, ask());
        assert_eq!(idle(&engine), Some(EngineTime(620_001)), "more than a minute is");
    }
}
