//! What the static rules can tell workers apart by: the thresholds in use.
//!
//! Two workers with the same traits have the same standing with every project, but
//! for what changes with each lease (quotas, newcomers' limits, capacity). Whatever
//! no project asks for makes no difference, so a million workers have few traits.
//!
//! Not here: the rules themselves (`eligibility.rs`), what is kept per set of traits
//! (`profile.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{ProjectRoom, State, WorkerRoom};
use crate::limits::NEWCOMER_JUDGED;
use crate::planted::{self, Mistake};
use crate::project::{Assignment, Newcomers, ProjectSpec, ProjectState, Requirements};
use crate::quality::Basis;
use crate::worker::WorkerKind;
use crate::{Now, RequesterId, WallTime};

/// Thresholds that some project asks for, and how many ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Thresholds {
    skills: BTreeMap<String, BTreeMap<u8, u32>>,
    /// Compared with the mean.
    ratings: BTreeMap<u8, u32>,
    /// Compared with the lower bound; empty where no project of the tenant asks.
    lower_bounds: BTreeMap<u8, u32>,
    regions: BTreeMap<String, u32>,
}

impl Thresholds {
    /// A project asks from now on. Returns whether any threshold is new.
    pub(crate) fn add(&mut self, spec: &ProjectSpec) -> bool {
        let mut new = false;
        for needs in requirements(spec) {
            for (skill, level) in &needs.skills {
                let levels = self.skills.entry(skill.clone()).or_default();
                new |= raise(levels, *level);
            }
            new |= raise(self.ratings(needs.rating_basis), needs.min_rating);
            for region in &needs.regions {
                new |= raise(&mut self.regions, region.clone());
            }
        }
        new
    }

    /// A project asks no more.
    pub(crate) fn remove(&mut self, spec: &ProjectSpec) {
        for needs in requirements(spec) {
            for (skill, level) in &needs.skills {
                let Some(levels) = self.skills.get_mut(skill) else { continue };
                lower(levels, level);
                if levels.is_empty() {
                    self.skills.remove(skill);
                }
            }
            lower(self.ratings(needs.rating_basis), &needs.min_rating);
            needs.regions.iter().for_each(|region| lower(&mut self.regions, region));
        }
    }
}

impl Thresholds {
    fn ratings(&mut self, basis: Basis) -> &mut BTreeMap<u8, u32> {
        match basis {
            Basis::Mean => &mut self.ratings,
            Basis::LowerBound => &mut self.lower_bounds,
        }
    }
}

fn requirements(spec: &ProjectSpec) -> impl Iterator<Item = &Requirements> {
    let steps = spec.relaxation.iter().map(|step| &step.requirements);
    std::iter::once(&spec.requirements).chain(steps)
}

fn raise<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) -> bool {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count == 1
}

fn lower<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}

/// The highest threshold that a level reaches.
fn reached(thresholds: &BTreeMap<u8, u32>, level: u8) -> Option<u8> {
    thresholds.range(..=level).next_back().map(|(threshold, _)| *threshold)
}

/// The highest thresholds that a rating reaches, by what they are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reached {
    mean: u8,
    lower_bound: u8,
}

/// What the static rules see of a worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Traits {
    kind: WorkerKind,
    /// `None`: no project lists where it is.
    region: Option<String>,
    /// The highest threshold that it reaches, per skill.
    skills: BTreeMap<String, u8>,
    /// `None`: too few judged answers; else the highest thresholds it reaches.
    rating: Option<Reached>,
    /// Requesters that keep it away, its own among them.
    barred: BTreeSet<RequesterId>,
}

impl Traits {
    /// Of this worker now, and the wall times between which they hold.
    pub(crate) fn of(
        state: &State,
        thresholds: &Thresholds,
        listing: &BTreeSet<RequesterId>,
        worker: &WorkerRoom,
        now: Now,
    ) -> (Traits, (WallTime, WallTime)) {
        let spec = &worker.worker.spec;
        let (mut from, mut until) = (WallTime(0), WallTime(u64::MAX));
        let mut skills = BTreeMap::new();
        for (name, skill) in &worker.worker.skills {
            let Some(levels) = thresholds.skills.get(name) else { continue };
            match skill.expires {
                Some(at) if at <= now.wall => {
                    from = from.max(at);
                    continue;
                }
                Some(at) => until = until.min(at),
                None => {}
            }
            let level = reached(levels, skill.level);
            skills.extend(level.map(|level| (name.clone(), level)));
        }
        let highest = |of: &BTreeMap<u8, u32>, basis| match of.is_empty() {
            true => 0,
            false => reached(of, worker.points(basis)).unwrap_or_default(),
        };
        let rating = (worker.judged() >= NEWCOMER_JUDGED).then(|| Reached {
            mean: highest(&thresholds.ratings, Basis::Mean),
            lower_bound: highest(&thresholds.lower_bounds, Basis::LowerBound),
        });
        let keeps_away = |id: &&RequesterId| state.requesters[*id].blocks(&worker.worker.name);
        let mut barred: BTreeSet<_> = listing.iter().filter(keeps_away).copied().collect();
        barred.extend(spec.requester);
        let region = Some(&spec.region).filter(|region| thresholds.regions.contains_key(*region));
        let traits = Traits { kind: spec.kind, region: region.cloned(), skills, rating, barred };
        (traits, (from, until))
    }

    /// The first step at which the static rules let such a worker in; `None`: at none.
    pub(crate) fn step(&self, room: &ProjectRoom) -> Option<u8> {
        let project = &room.project;
        let picks = project.spec.assignment == Assignment::ServerPicks;
        if !picks || project.state == ProjectState::Deleting {
            return None;
        }
        if self.barred.contains(&project.requester) {
            return None;
        }
        let step = requirements(&project.spec).position(|needs| self.meets(needs))?;
        Some(u8::try_from(step).expect("at most a few steps"))
    }

    fn meets(&self, needs: &Requirements) -> bool {
        let has = |(skill, level): (&String, &u8)| {
            self.skills.get(skill).is_some_and(|reached| reached >= level)
                || planted::is(Mistake::SkillIgnored)
        };
        let rated = match self.rating {
            _ if needs.min_rating == 0 => true,
            None => needs.newcomers != Newcomers::Refuse,
            Some(reached) => match needs.rating_basis {
                Basis::Mean => reached.mean >= needs.min_rating,
                Basis::LowerBound => reached.lower_bound >= needs.min_rating,
            },
        };
        let here = |regions: &Vec<String>| {
            self.region.as_ref().is_some_and(|region| regions.contains(region))
        };
        (needs.kinds.is_empty() || needs.kinds.contains(&self.kind))
            && (needs.regions.is_empty() || here(&needs.regions))
            && rated
            && needs.skills.iter().all(has)
    }
}
