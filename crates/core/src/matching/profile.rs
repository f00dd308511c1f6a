//! What workers with the same traits may have: their projects, in turn.
//!
//! Two ordered sets per profile, kept lazily and each for itself. Times only grow, so
//! an entry whose true time is larger than its key is moved when it is met; a project
//! that is met while it is out of the rota is taken out, and put back when it enters
//! again. Only the profile of the worker that got a grant learns of it at once.
//!
//! Invariant: every judged project that fits is an entry; an entry that is not in the
//! sets is out of the rota and known to its room (`absent_from`); keys are never
//! larger than the truth.
//!
//! Not here: whom a profile stands for (`traits.rs`), choosing (`pick.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::engine::{ProjectRoom, State};
use crate::matching::fairness::{Account, Turn};
use crate::matching::traits::Traits;
use crate::{EngineTime, ProjectId, RequesterId, TenantId};

/// Names a profile of a tenant, in this run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProfileId(pub(crate) u64);

/// A requester's place in the order of turns: tier, time, number.
type TurnKey = (u8, u64, RequesterId);

/// What workers with the same traits may have.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) traits: Traits,
    /// Workers that point here.
    pub(crate) workers: u32,
    /// Projects were judged up to this stamp.
    pub(crate) seen: u64,
    entries: BTreeMap<ProjectId, Entry>,
    seats: BTreeMap<Account, Seat>,
    turns: BTreeSet<TurnKey>,
    waiting: BTreeSet<(EngineTime, ProjectId)>,
}

/// A project that fits.
#[derive(Debug, Clone, Copy)]
struct Entry {
    account: Account,
    step: u8,
    /// Its keys in the sets: its time and since when it waits. `None`: it is in neither.
    keys: Option<(u64, EngineTime)>,
}

/// A requester's projects in one tier.
#[derive(Debug, Default)]
struct Seat {
    time: u64,
    projects: BTreeSet<(u64, ProjectId)>,
}

/// How far a walk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Walk {
    turn: Option<TurnKey>,
    project: Option<(u64, ProjectId)>,
    /// Nothing is left of that requester.
    past: bool,
    /// This requester is left out.
    without: Option<RequesterId>,
}

/// What a step of a walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A project in the rota that the static rules allow from this step on.
    Turn(Turn, u8),
    /// Everything was looked at.
    End,
    /// No more may be looked at in this application.
    Tired,
}

/// What walks may spend, and what they find out on the way.
#[derive(Debug)]
pub(crate) struct Spent {
    /// Looks that are left.
    pub(crate) looks: u32,
    /// Projects taken out of the sets: their rooms are to remember it.
    pub(crate) absent: Vec<ProjectId>,
    /// Projects judged, and whether they fit: their rooms are to remember it.
    pub(crate) judged: Vec<(ProjectId, bool)>,
    /// When the first of the bars ends that kept the worker from a place.
    pub(crate) bar_ends: Option<EngineTime>,
}

impl Spent {
    /// So many looks.
    pub(crate) fn of(looks: u32) -> Spent {
        Spent { looks, absent: Vec::new(), judged: Vec::new(), bar_ends: None }
    }

    /// A place was passed that a bar keeps from the worker until then.
    pub(crate) fn barred(&mut self, until: EngineTime) {
        self.bar_ends = Some(self.bar_ends.map_or(until, |ends| ends.min(until)));
    }

    /// One more look, if there is one left.
    pub(crate) fn look(&mut self) -> bool {
        let left = self.looks.checked_sub(1);
        self.looks = left.unwrap_or_default();
        left.is_some()
    }
}

impl Walk {
    /// From the first requester of the winner's tier on, leaving out the winner's own.
    pub(crate) fn others(winner: &Turn) -> Walk {
        let turn = Some((winner.tier, 0, RequesterId(0)));
        Walk { turn, without: Some(winner.requester), ..Walk::default() }
    }

    /// Goes to this project: what comes after it is next.
    pub(crate) fn go_to(&mut self, turn: &Turn) {
        self.turn = Some((turn.tier, turn.requester_time, turn.requester));
        self.project = Some((turn.project_time, turn.project));
        self.past = false;
    }

    /// Whether a project is still to come.
    pub(crate) fn is_before(&self, turn: &Turn) -> bool {
        if self.without == Some(turn.requester) {
            return false;
        }
        let key = (turn.tier, turn.requester_time, turn.requester);
        match self.turn {
            None => true,
            Some(at) if self.past => key > at,
            Some(at) => (key, Some((turn.project_time, turn.project))) > (at, self.project),
        }
    }
}

impl Profile {
    pub(crate) fn new(traits: Traits) -> Profile {
        Profile {
            traits,
            workers: 0,
            seen: 0,
            entries: BTreeMap::new(),
            seats: BTreeMap::new(),
            turns: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// Holds a project against the traits: a new one, or one whose rules changed.
    pub(crate) fn judge(&mut self, state: &State, id: ProjectId, spent: &mut Spent) {
        self.remove(id);
        let Some(room) = state.projects.get(&id) else { return };
        let step = self.traits.step(room);
        spent.judged.push((id, step.is_some()));
        let Some(step) = step else { return };
        self.entries.insert(id, Entry { account: room.account(), step, keys: None });
        if room.in_rota {
            self.put(&state.turn_of(room), room.tally.waiting_since);
        } else {
            spent.absent.push(id);
        }
    }

    /// Every project that fits, as far as it was judged.
    pub(crate) fn projects(&self) -> impl Iterator<Item = ProjectId> + '_ {
        self.entries.keys().copied()
    }

    /// Puts an entry into the sets: its project is in the rota.
    pub(crate) fn put(&mut self, turn: &Turn, waiting_since: EngineTime) {
        let id = turn.project;
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.keys.is_none()) else {
            return;
        };
        entry.keys = Some((turn.project_time, waiting_since));
        let account = entry.account;
        self.waiting.insert((waiting_since, id));
        let seat = self.seats.entry(account).or_default();
        if seat.projects.is_empty() {
            seat.time = turn.requester_time;
            self.turns.insert((account.tier, seat.time, account.requester));
        }
        seat.projects.insert((turn.project_time, id));
        // The seat may be as old as an entry that is to be judged again.
        if seat.time > turn.requester_time {
            self.reseat(account, turn.requester_time);
        }
    }

    /// Takes an entry out of the sets; it stays an entry.
    fn take_out(&mut self, id: ProjectId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some((time, since)) = entry.keys.take() else { return };
        self.waiting.remove(&(since, id));
        let Some(seat) = self.seats.get_mut(&entry.account) else { return };
        seat.projects.remove(&(time, id));
        if seat.projects.is_empty() {
            self.turns.remove(&(entry.account.tier, seat.time, entry.account.requester));
            self.seats.remove(&entry.account);
        }
    }

    /// A project is gone, or is judged again.
    pub(crate) fn remove(&mut self, id: ProjectId) {
        self.take_out(id);
        self.entries.remove(&id);
    }

    /// A requester's time is another one, here and now: it may have sunk.
    pub(crate) fn reseat(&mut self, account: Account, time: u64) {
        let Some(seat) = self.seats.get_mut(&account) else { return };
        if seat.time == time {
            return;
        }
        self.turns.remove(&(account.tier, seat.time, account.requester));
        seat.time = time;
        self.turns.insert((account.tier, time, account.requester));
    }

    /// A project's time is another one: its entry moves in the order of turns.
    fn move_in_turn(&mut self, id: ProjectId, time: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(keys) = &mut entry.keys else { return };
        let old = std::mem::replace(&mut keys.0, time);
        if let Some(seat) = self.seats.get_mut(&entry.account) {
            seat.projects.remove(&(old, id));
            seat.projects.insert((time, id));
        }
    }

    /// A project waits since another time: its entry moves in the order of waiting.
    fn move_in_waiting(&mut self, id: ProjectId, since: EngineTime) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(keys) = &mut entry.keys else { return };
        let old = std::mem::replace(&mut keys.1, since);
        self.waiting.remove(&(old, id));
        self.waiting.insert((since, id));
    }

    /// A project got a grant and has these times now. Whoever walks next would find it
    /// out of place: it is moved while it is at hand.
    pub(crate) fn charged(&mut self, turn: &Turn) {
        self.move_in_turn(turn.project, turn.project_time);
        let account = Account { tier: turn.tier, requester: turn.requester };
        self.reseat(account, turn.requester_time);
    }

    /// The requester that a walk stands at, or comes to next.
    fn seated(&self, walk: &Walk) -> Option<TurnKey> {
        let from = match walk.turn {
            None => Bound::Unbounded,
            Some(key) if walk.past => Bound::Excluded(key),
            Some(key) => {
                let seat = self.seats.get(&Account { tier: key.0, requester: key.2 });
                if seat.is_some_and(|seat| seat.time == key.1) {
                    return Some(key);
                }
                Bound::Included(key)
            }
        };
        self.turns.range((from, Bound::Unbounded)).next().copied()
    }

    /// The next project in turn. Costs a look per entry met.
    pub(crate) fn next_turn(&mut self, state: &State, walk: &mut Walk, spent: &mut Spent) -> Next {
        while spent.look() {
            let Some(key) = self.seated(walk) else { return Next::End };
            if walk.past || walk.turn != Some(key) {
                let past = walk.without == Some(key.2);
                *walk = Walk { turn: Some(key), project: None, past, ..*walk };
                if past {
                    continue;
                }
            }
            let account = Account { tier: key.0, requester: key.2 };
            let Some(seat) = self.seats.get(&account) else { return Next::End };
            let after = walk.project.map_or(Bound::Unbounded, Bound::Excluded);
            let Some((time, id)) = seat.projects.range((after, Bound::Unbounded)).next().copied()
            else {
                walk.past = true;
                continue;
            };
            let Some(room) = state.projects.get(&id) else {
                self.remove(id);
                continue;
            };
            let turn = state.turn_of(room);
            if turn.requester_time != key.1 {
                self.reseat(account, turn.requester_time);
            } else if !room.in_rota {
                self.take_out(id);
                spent.absent.push(id);
            } else if turn.project_time != time {
                self.move_in_turn(id, turn.project_time);
            } else {
                walk.project = Some((time, id));
                return Next::Turn(turn, self.entries[&id].step);
            }
        }
        Next::Tired
    }

    /// The next project in turn of the winner's own requester and tier.
    pub(crate) fn next_own(
        &mut self,
        state: &State,
        winner: &Turn,
        after: &mut Option<(u64, ProjectId)>,
        spent: &mut Spent,
    ) -> Next {
        let account = Account { tier: winner.tier, requester: winner.requester };
        while spent.look() {
            let Some(seat) = self.seats.get(&account) else { return Next::End };
            let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            let Some((time, id)) = seat.projects.range(range).next().copied() else {
                return Next::End;
            };
            let Some(room) = state.projects.get(&id) else {
                self.remove(id);
                continue;
            };
            if !room.in_rota {
                self.take_out(id);
                spent.absent.push(id);
            } else if room.tally.virtual_time != time {
                self.move_in_turn(id, room.tally.virtual_time);
            } else {
                *after = Some((time, id));
                let turn = Turn { project_time: time, project: id, ..*winner };
                return Next::Turn(turn, self.entries[&id].step);
            }
        }
        Next::Tired
    }

    /// The next project that has waited since `until` or longer, longest first.
    pub(crate) fn next_overdue(
        &mut self,
        state: &State,
        until: EngineTime,
        walk: &mut Option<(EngineTime, ProjectId)>,
        spent: &mut Spent,
    ) -> Next {
        while spent.look() {
            let after = walk.map_or(Bound::Unbounded, Bound::Excluded);
            let first = self.waiting.range((after, Bound::Unbounded)).next().copied();
            let Some((since, id)) = first.filter(|(since, _)| *since <= until) else {
                return Next::End;
            };
            let Some(room) = state.projects.get(&id) else {
                self.remove(id);
                continue;
            };
            if !room.in_rota {
                self.take_out(id);
                spent.absent.push(id);
            } else if room.tally.waiting_since != since {
                self.move_in_waiting(id, room.tally.waiting_since);
            } else {
                *walk = Some((since, id));
                return Next::Turn(state.turn_of(room), self.entries[&id].step);
            }
        }
        Next::Tired
    }

    /// What disagrees with the rows, if anything. `own`: this profile's name.
    pub(crate) fn fault(
        &self,
        state: &State,
        tenant: TenantId,
        own: ProfileId,
    ) -> Option<&'static str> {
        let mut again = Profile::new(self.traits.clone());
        for (id, entry) in &self.entries {
            let Some(room) = state.projects.get(id) else { return Some("profile of the gone") };
            let turn = state.turn_of(room);
            let Some((time, since)) = entry.keys else {
                if room.in_rota || !room.absent_from.contains(&own) {
                    return Some("profile without a project in the rota");
                }
                continue;
            };
            if time > turn.project_time || since > room.tally.waiting_since {
                return Some("profile's keys");
            }
            let fresh = room.stamp <= self.seen;
            if fresh
                && (entry.account != room.account() || self.traits.step(room) != Some(entry.step))
            {
                return Some("profile's entries");
            }
            let seat = self.seats.get(&entry.account).map_or(u64::MAX, |seat| seat.time);
            if fresh && seat > turn.requester_time {
                return Some("profile's requesters");
            }
            again.entries.insert(*id, Entry { keys: None, ..*entry });
            again.put(&Turn { requester_time: seat, project_time: time, ..turn }, since);
        }
        let misfiled = |room: &ProjectRoom| {
            room.project.tenant == tenant
                && room.fits.contains(&own) != self.entries.contains_key(&room.project.id)
        };
        if state.projects.values().any(misfiled) {
            return Some("projects that a profile fits");
        }
        let missing = |room: &&ProjectRoom| {
            room.project.tenant == tenant
                && room.stamp <= self.seen
                && self.traits.step(room).is_some()
                && !self.entries.contains_key(&room.project.id)
        };
        if state.projects.values().any(|room| missing(&room)) {
            return Some("profile's projects");
        }
        let same = again.turns == self.turns && again.waiting == self.waiting;
        if same { None } else { Some("profile's turns") }
    }
}
