//! Offers, explanations and forecasts, with the command that would help.
//!
//! Not here: how they are found (`core/src/matching/explain.rs`).

use std::cmp::Reverse;

use piecework_core::explanation::{
    Obstacle, Offer, PaceSource, TaskExplained, WorkerExplained, rounded,
};
use piecework_core::forecast::{Forecast, Outlook};
use piecework_core::limits::CAPACITY_HUMAN_MAX;
use piecework_core::{ClientId, Millis, Refusal};
use piecework_proto::v1;

use crate::wire::to_wire::{duration, lease, money, project, task};
use crate::wire::{names, status};

/// One project as a worker finds it.
pub(crate) fn offer(offer: &Offer) -> v1::Offer {
    v1::Offer {
        project: names::of_project(&offer.project),
        title: offer.title.clone(),
        assignment: project::assignment(offer.assignment).into(),
        reward: money(offer.reward),
        expected_duration: offer.pace.map(|pace| duration(pace.expected)),
        expected_from: offer
            .pace
            .map_or(v1::PaceSource::Unspecified, |pace| source(pace.source))
            .into(),
        hourly: offer.hourly.and_then(money),
        waiting: number(offer.waiting),
        lacks: offer.lacks.as_ref().map(obstacle),
    }
}

/// Why a task waits. `name`: as it was asked for.
pub(crate) fn task(name: &str, told: &TaskExplained) -> v1::TaskExplanation {
    let step = |(step, left): (u32, &Millis)| v1::RelaxationOutlook {
        step,
        holds_in: Some(duration(*left)),
    };
    v1::TaskExplanation {
        task: name.to_owned(),
        state: task::state(told.state).0.into(),
        overlap: told.wanted.into(),
        counted: told.counted.into(),
        live: told.live.into(),
        assignment: project::assignment(told.assignment).into(),
        blocked: told.blocked.as_ref().map(obstacle),
        ready_for: told.ready_for.map(duration),
        rests_for: told.rests_for.map(duration),
        ahead: number(told.ahead as u64),
        ahead_at_least: told.ahead_at_least,
        relaxation: (1..).zip(&told.relaxation).map(step).collect(),
        workers: told.workers,
        could_lease: told.could_lease,
        obstacles: told.obstacles.iter().map(counted).collect(),
        nearest: told.nearest.as_ref().map(obstacle),
        truncated: told.truncated,
    }
}

/// Why a worker is idle.
pub(crate) fn worker(name: &ClientId, told: &WorkerExplained) -> v1::WorkerExplanation {
    let obstacles: Vec<_> = told.obstacles.iter().map(counted).collect();
    let helps = |o: &&v1::CountedObstacle| {
        o.waiting > 0 && o.nearest.as_ref().is_some_and(|nearest| !nearest.remedy.is_empty())
    };
    let unlock = obstacles.iter().filter(helps).min_by_key(|o| Reverse(o.waiting)).cloned();
    v1::WorkerExplanation {
        worker: names::of_worker(name),
        present: told.present,
        holds: told.holds,
        capacity: told.capacity,
        blocked: told.blocked.as_ref().map(obstacle),
        projects: told.projects,
        could_lease: told.could_lease,
        nothing_ready: told.nothing_ready,
        unwished: told.unwished.iter().copied().map(lease::reason).collect(),
        obstacles,
        unlock,
        truncated: told.truncated,
    }
}

/// When a project will be done.
pub(crate) fn forecast(told: &Forecast) -> v1::Forecast {
    let (outlook, clears_in) = match told.outlook {
        Outlook::Learning => (v1::ForecastOutlook::Learning, None),
        Outlook::Idle => (v1::ForecastOutlook::Idle, None),
        Outlook::Clears { within } => (v1::ForecastOutlook::Clears, Some(duration(within))),
        Outlook::Growing => (v1::ForecastOutlook::Growing, None),
    };
    let (arrivals, completions) = (unit(told.arrivals_milli()), unit(told.completions_milli()));
    let growing = outlook == v1::ForecastOutlook::Growing;
    v1::Forecast {
        outlook: outlook.into(),
        arrivals_per_minute: arrivals,
        completions_per_minute: completions,
        places: told.places,
        clears_in,
        growing_per_minute: if growing { (arrivals - completions).max(0.0) } else { 0.0 },
    }
}

fn counted(told: &Obstacle) -> v1::CountedObstacle {
    v1::CountedObstacle {
        nearest: Some(obstacle(&told.nearest)),
        count: told.count,
        waiting: number(rounded(told.waiting)),
    }
}

/// What stands in the way, with both numbers and what would help.
fn obstacle(refusal: &Refusal) -> v1::Obstacle {
    let failure = status::refused(refusal, "");
    let facts = Facts::of(refusal);
    v1::Obstacle {
        reason: failure.reason().into(),
        message: failure.message().to_owned(),
        skill: facts.skill.to_owned(),
        needed: facts.numbers.map(|(needed, _)| needed),
        has: facts.numbers.map(|(_, has)| has),
        worker: facts.worker.map(names::of_worker).unwrap_or_default(),
        project: facts.project.map(names::of_project).unwrap_or_default(),
        remaining: facts.remaining.map(duration),
        remedy: remedy(refusal),
    }
}

/// What a refusal says, by the names of an obstacle's fields.
#[derive(Default)]
struct Facts<'a> {
    worker: Option<&'a ClientId>,
    project: Option<&'a ClientId>,
    skill: &'a str,
    /// (needed, has)
    numbers: Option<(u32, u32)>,
    remaining: Option<Millis>,
}

impl Facts<'_> {
    fn of(refusal: &Refusal) -> Facts<'_> {
        let about = |worker, project| Facts {
            worker: Some(worker),
            project: Some(project),
            ..Facts::default()
        };
        let numbers = |needed: u32, has: u32| Some((needed, has));
        match refusal {
            Refusal::SkillMissing { project, worker, skill, needed, has } => {
                let numbers = numbers((*needed).into(), (*has).into());
                Facts { skill, numbers, ..about(worker, project) }
            }
            Refusal::RatingTooLow { project, worker, needed, has } => Facts {
                numbers: numbers((*needed).into(), (*has).into()),
                ..about(worker, project)
            },
            Refusal::NewcomerRefused { project, worker, judged, needed, .. } => {
                Facts { numbers: numbers(*needed, *judged), ..about(worker, project) }
            }
            Refusal::QuotaReached { project, worker, done, quota } => {
                Facts { numbers: numbers(*quota, *done), ..about(worker, project) }
            }
            Refusal::KindMismatch { project, worker }
            | Refusal::RegionMismatch { project, worker, .. }
            | Refusal::OwnRequester { project, worker }
            | Refusal::WorkerBlocked { project, worker, .. }
            | Refusal::AlreadyThere { project, worker, .. } => about(worker, project),
            Refusal::Barred { project, worker, remaining, .. } => {
                Facts { remaining: Some(*remaining), ..about(worker, project) }
            }
            Refusal::CapacityReached { worker, holds, capacity, .. } => Facts {
                worker: Some(worker),
                numbers: numbers(*capacity, *holds),
                ..Facts::default()
            },
            Refusal::CoolingDown { worker, remaining, .. } => {
                let (worker, remaining) = (Some(worker), Some(*remaining));
                Facts { worker, remaining, ..Facts::default() }
            }
            Refusal::WorkerSuspended { worker, .. } => {
                Facts { worker: Some(worker), ..Facts::default() }
            }
            Refusal::Throttled { project, remaining } => {
                let (project, remaining) = (Some(project), Some(*remaining));
                Facts { project, remaining, ..Facts::default() }
            }
            Refusal::ProjectPaused { project }
            | Refusal::ProjectCancelled { project }
            | Refusal::TaskDone { project, .. }
            | Refusal::TaskFailed { project, .. }
            | Refusal::TaskCancelled { project, .. }
            | Refusal::TaskFull { project, .. } => {
                Facts { project: Some(project), ..Facts::default() }
            }
            _ => Facts::default(),
        }
    }
}

/// The command that would take it away; empty: none would.
fn remedy(refusal: &Refusal) -> String {
    match refusal {
        Refusal::SkillMissing { worker, skill, needed, .. } => {
            format!("piecework worker grant {worker} {skill}={needed}")
        }
        Refusal::ProjectPaused { project } => format!("piecework project resume {project}"),
        Refusal::WorkerSuspended { worker, .. } => format!("piecework worker reinstate {worker}"),
        Refusal::WorkerBlocked { worker, requester, blocked: true, .. } => {
            format!("piecework requester update {requester} --unblock {worker}")
        }
        Refusal::WorkerBlocked { worker, requester, blocked: false, .. } => {
            format!("piecework requester update {requester} --allow {worker}")
        }
        // Where somebody is, is no rule: the project's list is.
        Refusal::RegionMismatch { project, region, .. } if !region.is_empty() => {
            format!("piecework project update {project} --region {}", quoted(region))
        }
        Refusal::RegionMismatch { worker, .. } => {
            format!("piecework worker update {worker} --region REGION")
        }
        Refusal::CapacityReached { worker, holds, lowered: false, .. }
            if *holds < CAPACITY_HUMAN_MAX =>
        {
            format!("piecework worker update {worker} --capacity {}", holds + 1)
        }
        Refusal::TaskFailed { project, task } => {
            format!("piecework task requeue {project}/tasks/{task}")
        }
        _ => String::new(),
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn source(source: PaceSource) -> v1::PaceSource {
    match source {
        PaceSource::Worker => v1::PaceSource::Worker,
        PaceSource::Project => v1::PaceSource::Project,
        PaceSource::Task => v1::PaceSource::Task,
        PaceSource::Declared => v1::PaceSource::Declared,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn unit(milli: u64) -> f64 {
    milli as f64 / 1_000.0
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ClientId {
        ClientId::new(text).unwrap()
    }

    #[test]
    fn an_obstacle_has_both_numbers_and_the_command_that_helps() {
        let (project, worker, skill) = (id("cats"), id("ann"), "lang:fi".to_owned());
        let refusal = Refusal::SkillMissing { project, worker, skill, needed: 70, has: 60 };
        let told = obstacle(&refusal);
        assert_eq!(told.reason(), v1::ErrorReason::SkillMissing);
        assert_eq!((told.needed, told.has), (Some(70), Some(60)));
        assert_eq!(told.remedy, "piecework worker grant ann lang:fi=70");
        assert!(told.message.contains("70") && told.message.contains("60"), "{}", told.message);
        let paused = obstacle(&Refusal::ProjectPaused { project: id("cats") });
        assert_eq!((paused.project.as_str(), paused.needed), ("projects/cats", None));
        assert_eq!(paused.remedy, "piecework project resume cats");
    }

    #[test]
    fn what_one_command_would_take_away_comes_with_it() {
        let (project, worker, requester, task) =
            (id("cats"), id("ann"), id("acme"), "~7".to_owned());
        let region = |region: &str| {
            let (project, worker) = (project.clone(), worker.clone());
            Refusal::RegionMismatch { project, worker, region: region.to_owned() }
        };
        let blocked = |blocked| {
            let (project, worker) = (project.clone(), worker.clone());
            Refusal::WorkerBlocked { project, worker, requester: requester.clone(), blocked }
        };
        let full = |holds, lowered| {
            let capacity = if lowered { 1 } else { holds };
            Refusal::CapacityReached { worker: worker.clone(), holds, capacity, lowered }
        };
        let cases = [
            (blocked(true), "requester update acme --unblock ann"),
            (blocked(false), "requester update acme --allow ann"),
            (region("FI"), "project update cats --region FI"),
            (region("Ra's al"), r"project update cats --region 'Ra'\''s al'"),
            (region(""), "worker update ann --region REGION"),
            (full(3, false), "worker update ann --capacity 4"),
            (Refusal::TaskFailed { project: project.clone(), task }, "task requeue cats/tasks/~7"),
        ];
        for (refusal, remedy) in cases {
            assert_eq!(obstacle(&refusal).remedy, format!("piecework {remedy}"));
        }
        // More than a person may hold, or lowered until it submits: no command helps.
        assert_eq!(obstacle(&full(100, false)).remedy, "");
        assert_eq!(obstacle(&full(2, true)).remedy, "");
        let throttled = Refusal::Throttled { project, remaining: Millis(500) };
        assert_eq!(obstacle(&throttled).remaining, Some(duration(Millis(500))));
    }

    #[test]
    fn a_forecast_tells_rates_by_the_minute() {
        let (outlook, over) = (Outlook::Growing, Millis::from_mins(2));
        let told = forecast(&Forecast { outlook, arrived: 30, counted: 10, over, places: 99 });
        assert!((told.arrivals_per_minute - 15.0).abs() < 1e-9);
        assert!((told.growing_per_minute - 10.0).abs() < 1e-9);
        assert_eq!(told.clears_in, None);
    }
}
