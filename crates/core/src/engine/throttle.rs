//! Who is throttled: projects whose grants of a minute, or whose requester's, are used
//! up. They are out of the rota until a timer rings.
//!
//! Not here: counting (`matching/rate.rs`).

use crate::engine::changes::Changes;
use crate::engine::state::State;
use crate::engine::timers::Timer;
use crate::matching::rate::Paid;
use crate::planted::{self, Mistake};
use crate::{EngineTime, ProjectId, RequesterId};

impl State {
    /// From when on a project's limits, its own and its requester's, allow a grant.
    pub(crate) fn free_at(&self, id: ProjectId) -> EngineTime {
        if planted::is(Mistake::ThrottleIgnored) {
            return EngineTime(0);
        }
        let room = self.project_room(id);
        let requester = room.project.requester;
        let own = room.paid.free_at(room.project.spec.grants_per_minute);
        let paid = self.paid.get(&requester).copied().unwrap_or_default();
        own.max(paid.free_at(self.requesters[&requester].grants_per_minute))
    }

    /// A grant counts against both limits.
    pub(crate) fn pay(&mut self, id: ProjectId, changes: &mut Changes) {
        let now = changes.now.engine;
        let room = self.project_room_mut(id);
        let (requester, own) = (room.project.requester, room.project.spec.grants_per_minute);
        room.paid.grant(own, now);
        let free = own == 0 && room.throttled_until.is_none();
        let shared = self.requesters[&requester].grants_per_minute;
        if free && shared == 0 {
            return;
        }
        if shared == 0 {
            return self.throttle(id, changes);
        }
        self.paid.entry(requester).or_default().grant(shared, now);
        self.throttle_all(requester, changes);
    }

    /// Brings a project into line with its limits as they are now.
    pub(crate) fn throttle(&mut self, id: ProjectId, changes: &mut Changes) {
        let until = Some(self.free_at(id)).filter(|at| *at > changes.now.engine);
        let room = self.project_room_mut(id);
        let was = std::mem::replace(&mut room.throttled_until, until);
        if was != until {
            was.into_iter().for_each(|at| self.timers.clear(at, Timer::Unthrottled(id)));
            until.into_iter().for_each(|at| self.timers.set(at, Timer::Unthrottled(id)));
        }
        self.turn(id, changes);
    }

    /// The same for all projects of a requester.
    pub(crate) fn throttle_all(&mut self, requester: RequesterId, changes: &mut Changes) {
        let Some(tenant) = self.requesters.get(&requester).map(|requester| requester.tenant) else {
            return;
        };
        let accounts = &self.tenant_mut(tenant).accounts;
        let own: Vec<ProjectId> = accounts.projects(requester).collect();
        own.into_iter().for_each(|id| self.throttle(id, changes));
    }

    /// Somebody may find something in any project of a requester.
    pub(crate) fn stir_all(&mut self, requester: RequesterId) {
        let Some(tenant) = self.requesters.get(&requester).map(|requester| requester.tenant) else {
            return;
        };
        let own: Vec<ProjectId> = self.tenant_mut(tenant).accounts.projects(requester).collect();
        own.into_iter().for_each(|id| self.stir(id));
    }

    /// Nothing is known of grants before a restart. Who was throttled waits on since
    /// it began to wait.
    pub(crate) fn forget_grants(&mut self) {
        self.paid.clear();
        let ids: Vec<ProjectId> = self.projects.keys().collect();
        for id in ids {
            let room = self.project_room_mut(id);
            room.paid = Paid::default();
            let was = room.throttled_until.take();
            let back = room.wants_turn() && !room.in_rota;
            room.in_rota |= back;
            was.into_iter().for_each(|at| self.timers.clear(at, Timer::Unthrottled(id)));
            if back {
                self.enter_profiles(id);
            }
        }
    }
}
