//! Who is here: a worker is present for a minute after each of its commands.
//!
//! Known in this run of the daemon only; no row says it. A refused command shows life
//! like any other, so this is noted before a command is decided.
//!
//! Not here: idle time itself (`WorkerRecord::idle_since`), who waits parked.

use crate::engine::State;
use crate::engine::state::WorkerRoom;
use crate::limits::PRESENT_FOR;
use crate::{Command, EngineTime, Request};

/// Notes that a worker showed life, where the command comes in the name of one.
pub(crate) fn note(state: &mut State, now: EngineTime, request: &Request) {
    let worker = match &request.command {
        Command::Lease(c) => &c.worker,
        Command::Extend(c) => &c.worker,
        Command::Submit(c) => &c.worker,
        Command::Return(c) => &c.worker,
        _ => return,
    };
    let Ok(room) = state.worker(request.tenant, worker) else { return };
    let id = room.worker.id;
    let room = state.worker_room_mut(id);
    if !room.is_present(now) {
        room.present_since = now;
    }
    room.seen = Some(now);
}

impl WorkerRoom {
    /// Whether it gave a command within the last minute.
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
    use crate::{ClientId, Engine, Limits, Now, Position, Step, TenantId, WallTime};

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
