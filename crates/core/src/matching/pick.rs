//! One pick: the best place for one worker.
//!
//! Candidates in the order of their turns; the first that has a ready place for the
//! worker is the normal choice, unless an overdue project gets the grant. Places that
//! rest after an expiry are looked at only when no candidate has a ready one.
//!
//! A pick looks at so many projects and places at most; then it says where it stopped
//! and goes on when it is asked again. It never says "nothing" before it has looked at
//! everything.
//!
//! Not here: what a grant changes (`engine/apply/lease.rs`), where candidates come
//! from (`candidates.rs`), who is overdue (`overdue.rs`), why there is nothing
//! (`why_none.rs`).

use crate::engine::{ProjectRoom, State, WorkerRoom};
use crate::limits::LOOKS_MAX;
use crate::matching::candidates::Candidates;
use crate::matching::eligibility::{self, Been};
use crate::matching::fairness::{RunnersUp, Turn};
use crate::matching::order::{Class, PlaceKey};
use crate::matching::overdue::{self, Late};
use crate::matching::places::Places;
use crate::matching::profile::{Next, ProfileId, Spent, Walk};
use crate::matching::wishes::Wanted;
use crate::outcome::Overdue;
use crate::{EngineTime, Millis, Now, ProjectId, TaskId};

/// How often a pick that found nothing begins anew because something stirred meanwhile.
const ROUNDS_MAX: u8 = 3;

/// What a pick found, and what it leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Pick {
    pub(crate) task: Option<TaskId>,
    /// Of that task: what it takes of a time box.
    pub(crate) duration_class: u8,
    pub(crate) runners_up: RunnersUp,
    /// Whether an overdue project got the grant, or stood back for it.
    pub(crate) overdue: Overdue,
    /// Where the search for overdue projects goes on at the worker's next pick.
    pub(crate) late: Option<Box<Late>>,
    /// (project, everything before this is excluded for good)
    pub(crate) cursors: Vec<(ProjectId, PlaceKey)>,
    /// It is to be asked again.
    pub(crate) unfinished: bool,
    /// Where it goes on then.
    pub(crate) resume: Option<Box<Resume>>,
}

/// Where a pick stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    /// What it was asked, and for whom; anything else begins anew.
    asked: (Wanted, Option<Millis>, Option<ProfileId>),
    /// The tenant's stirs when it began.
    stirs: u64,
    /// When the first of the bars ends that it met.
    bar_ends: Option<EngineTime>,
    rounds: u8,
    stage: Stage,
    /// Candidates without a ready place that have resting ones.
    resting: Vec<ProjectId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Looking for ready places; in the project that the walk stands at, after a place.
    Ready(Walk, Option<(Turn, u8, PlaceKey)>),
    /// Looking for resting places, at the n-th of those that have some, after a place.
    Resting(usize, Option<PlaceKey>),
}

/// Who asks, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) worker: &'a WorkerRoom,
    pub(crate) wanted: &'a Wanted,
    /// What is left of the worker's time box; `None`: no box.
    pub(crate) left: Option<Millis>,
    pub(crate) now: Now,
    /// Its profile; `None`: the few projects that it asked for are looked at directly.
    pub(crate) profile: Option<ProfileId>,
}

impl Ask<'_> {
    fn admits(&self, project: &ProjectRoom, class: Class) -> bool {
        self.wanted.admits_class(self.worker, project, class, self.left)
    }

    /// The step at which the worker may have something of a project now.
    pub(super) fn step(&self, state: &State, id: ProjectId, from: u8) -> Option<u8> {
        if !self.wanted.admits_project(id) {
            return None;
        }
        eligibility::step(state, self.worker, state.project_room(id), self.now, from)
    }
}

/// What became of looking for one place.
pub(super) enum Found {
    Place(PlaceKey),
    Nothing,
    /// No more may be looked at; everything up to this place was.
    Tired(PlaceKey),
}

/// The best place for a worker, by its wishes.
pub(crate) fn pick(
    state: &State,
    ask: Ask<'_>,
    candidates: &mut Candidates<'_>,
    spent: &mut Spent,
) -> Pick {
    let stirs = state.tenants[&ask.worker.worker.tenant].stirs;
    let mut at = begin(state, ask);
    let mut found = Pick::default();
    let chosen = match choose(state, ask, candidates, spent, &mut at, &mut found) {
        Ok(Some(chosen)) => chosen,
        // Meanwhile a place may have appeared where it had looked already.
        Ok(None) if at.is_stale(stirs, ask.now) && at.rounds < ROUNDS_MAX => {
            found.resume = Some(Box::new(Resume::anew(ask, stirs, at.rounds + 1)));
            found.unfinished = true;
            return found;
        }
        Ok(None) => return found,
        Err(Tired) => {
            at.bar_ends = at.bar_ends.into_iter().chain(spent.bar_ends).min();
            found.resume = Some(Box::new(at));
            found.unfinished = true;
            return found;
        }
    };
    let (turn, key) = chosen;
    found.task = Some(TaskId { project: turn.project, number: key.task });
    found.duration_class = key.class.duration;
    found.runners_up = runners_up(state, ask, candidates, &turn, spent);
    found
}

/// Where the pick stopped before, or the beginning: also where a place may have appeared
/// since among those that it has passed, as long as that does not happen for ever.
fn begin(state: &State, ask: Ask<'_>) -> Resume {
    let stirs = state.tenants[&ask.worker.worker.tenant].stirs;
    let resume = ask.worker.resume.as_deref();
    let same = |resume: &&Resume| {
        let (wanted, left, profile) = &resume.asked;
        wanted == ask.wanted && *left == ask.left && *profile == ask.profile
    };
    match resume.filter(same) {
        None => Resume::anew(ask, stirs, 0),
        Some(resume)
            if (resume.is_stale(stirs, ask.now) || resume.is_overtaken(state))
                && resume.rounds < ROUNDS_MAX =>
        {
            Resume::anew(ask, stirs, resume.rounds + 1)
        }
        Some(resume) => resume.clone(),
    }
}

impl Resume {
    fn anew(ask: Ask<'_>, stirs: u64, rounds: u8) -> Resume {
        Resume {
            asked: (ask.wanted.clone(), ask.left, ask.profile),
            stirs,
            bar_ends: None,
            rounds,
            stage: Stage::Ready(Walk::default(), None),
            resting: Vec::new(),
        }
    }

    /// A place may be there now that was not when it looked there.
    fn is_stale(&self, stirs: u64, now: Now) -> bool {
        self.stirs != stirs || self.bar_ends.is_some_and(|ends| ends <= now.engine)
    }

    /// Others were granted something meanwhile, and it may be another project's turn now
    /// than where it stopped.
    fn is_overtaken(&self, state: &State) -> bool {
        let turn = |id: &ProjectId| state.projects.get(id).map(|room| state.turn_of(room));
        match &self.stage {
            Stage::Ready(_, Some((then, ..))) => {
                turn(&then.project).is_some_and(|now| now != *then)
            }
            Stage::Ready(_, None) => false,
            Stage::Resting(..) => !self.resting.iter().filter_map(turn).is_sorted(),
        }
    }
}

/// The pick has not even seen all projects that may be something for the worker.
pub(crate) fn unread(state: &State, ask: Ask<'_>) -> Pick {
    Pick { resume: Some(Box::new(begin(state, ask))), unfinished: true, ..Pick::default() }
}

/// No more may be looked at in this application.
struct Tired;

fn choose(
    state: &State,
    ask: Ask<'_>,
    candidates: &mut Candidates<'_>,
    spent: &mut Spent,
    at: &mut Resume,
    found: &mut Pick,
) -> Result<Option<(Turn, PlaceKey)>, Tired> {
    if let Stage::Ready(..) = at.stage {
        if let Some(normal) = next_ready(state, ask, candidates, spent, at, found)? {
            // A grant is certain. Who is overdue is looked for with new strength.
            spent.looks = LOOKS_MAX;
            return Ok(Some(overdue::or_overdue(state, ask, candidates, spent, normal, found)));
        }
        at.stage = Stage::Resting(0, None);
    }
    // Nothing else fits: sooner than planned, a place that rests.
    while let Stage::Resting(nth, after) = at.stage {
        let Some(id) = at.resting.get(nth).copied() else { break };
        let room = state.projects.get(&id).filter(|room| room.in_rota);
        let step = room.and_then(|room| Some((room, ask.step(state, id, 0)?)));
        if let Some((room, step)) = step {
            let mut places = room.order.resting(|class| ask.admits(room, class));
            after.into_iter().for_each(|key| places.go_after(key));
            match first(state, room, ask, step, &mut places, spent) {
                Found::Place(key) => return Ok(Some((state.turn_of(room), key))),
                Found::Nothing => {}
                Found::Tired(key) => {
                    at.stage = Stage::Resting(nth, Some(key));
                    return Err(Tired);
                }
            }
        }
        at.stage = Stage::Resting(nth + 1, None);
    }
    Ok(None)
}

/// The normal choice, if any candidate has a ready place.
fn next_ready(
    state: &State,
    ask: Ask<'_>,
    candidates: &mut Candidates<'_>,
    spent: &mut Spent,
    at: &mut Resume,
    found: &mut Pick,
) -> Result<Option<(Turn, PlaceKey)>, Tired> {
    let Stage::Ready(mut walk, mut within) = at.stage else { return Ok(None) };
    loop {
        let (turn, hint, after) = match within.take() {
            Some((turn, step, after)) => (turn, step, Some(after)),
            None => match candidates.next_turn(state, &mut walk, spent) {
                Next::Turn(turn, step) => (turn, step, None),
                Next::End => return Ok(None),
                Next::Tired => {
                    at.stage = Stage::Ready(walk, None);
                    return Err(Tired);
                }
            },
        };
        let room = state.projects.get(&turn.project).filter(|room| room.in_rota);
        let Some(room) = room else { continue };
        let Some(step) = ask.step(state, turn.project, hint) else { continue };
        match ready(state, room, ask, step, after, spent, found) {
            Found::Place(key) => return Ok(Some((turn, key))),
            Found::Nothing => {}
            Found::Tired(key) => {
                at.stage = Stage::Ready(walk, Some((turn, hint, key)));
                return Err(Tired);
            }
        }
        if room.order.has_resting() {
            at.resting.push(turn.project);
        }
    }
}

/// Who else could have had the grant: the next other requester of the tier, and the
/// requester's next other project. Each is looked for with new strength.
fn runners_up(
    state: &State,
    ask: Ask<'_>,
    candidates: &mut Candidates<'_>,
    winner: &Turn,
    spent: &mut Spent,
) -> RunnersUp {
    let mut found = RunnersUp::default();
    spent.looks = LOOKS_MAX;
    let mut walk = Walk::others(winner);
    while let Next::Turn(turn, hint) = candidates.next_turn(state, &mut walk, spent) {
        if turn.tier != winner.tier {
            break;
        }
        if ask.step(state, turn.project, hint).is_some() {
            found.requester = Some((turn.requester_time, turn.requester));
            break;
        }
    }
    spent.looks = LOOKS_MAX;
    let mut after = None;
    while let Next::Turn(turn, hint) = candidates.next_own(state, winner, &mut after, spent) {
        if turn.project != winner.project && ask.step(state, turn.project, hint).is_some() {
            found.project = Some(turn.project_time);
            break;
        }
    }
    found
}

/// The first ready place of a project that the worker may have.
pub(super) fn ready(
    state: &State,
    project: &ProjectRoom,
    ask: Ask<'_>,
    step: u8,
    after: Option<PlaceKey>,
    spent: &mut Spent,
    found: &mut Pick,
) -> Found {
    let mut places =
        project.order.ready_for(ask.worker.worker.id, |class| ask.admits(project, class));
    after.into_iter().for_each(|key| places.go_after(key));
    let place = first(state, project, ask, step, &mut places, spent);
    found.cursors.extend(places.cursors().map(|key| (project.project.id, key)));
    place
}

/// The first of these places that the worker may have at this step.
fn first(
    state: &State,
    project: &ProjectRoom,
    ask: Ask<'_>,
    step: u8,
    places: &mut Places<'_>,
    spent: &mut Spent,
) -> Found {
    let least = project.asks(step).map_or(Millis(0), |(_, after)| after);
    let mut last = None;
    while let Some(key) = places.head() {
        if let Some(last) = last.filter(|_| !spent.look()) {
            return Found::Tired(last);
        }
        if ask.now.engine - key.ready_at() < least {
            places.pass_group();
        } else {
            match may(state, project, ask, key) {
                Ok(()) => return Found::Place(key),
                Err(been) => {
                    if let Been::Barred(remaining) = been {
                        spent.barred(ask.now.engine + remaining);
                    }
                    places.pass(matches!(been, Been::There(_)));
                }
            }
        }
        last = Some(key);
    }
    Found::Nothing
}

fn may(state: &State, project: &ProjectRoom, ask: Ask<'_>, key: PlaceKey) -> Result<(), Been> {
    match state.tasks.get(&project.task(key.task)) {
        Some(task) => eligibility::been(state, ask.worker, &task, ask.now.engine),
        None => Ok(()),
    }
}
