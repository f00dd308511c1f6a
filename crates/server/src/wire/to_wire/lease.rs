//! Leases as their worker sees them, and why there are none.

use std::cmp::Reverse;

use piecework_core::lease::{Grant, LeaseState};
use piecework_core::outcome::NoWork;
use piecework_core::project::Terms;
use piecework_core::task::TaskSpec;
use piecework_core::{ClientId, WallTime};
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::project::schema;
use crate::wire::to_wire::{duration, money, timestamp};

/// What a lease is written from.
#[derive(Debug, Clone)]
pub(crate) struct LeaseParts<'a> {
    /// What the engine granted.
    pub(crate) grant: &'a Grant,
    /// The task's spec.
    pub(crate) spec: &'a TaskSpec,
    /// The terms of the lease's revision.
    pub(crate) terms: &'a Terms,
    /// Who holds it.
    pub(crate) worker: &'a ClientId,
    /// The project's name.
    pub(crate) project: &'a ClientId,
    /// What its worker has saved so far; empty: nothing.
    pub(crate) draft: Vec<u8>,
    /// The wall time of the answer.
    pub(crate) now: WallTime,
}

/// A lease with all that its worker needs.
pub(crate) fn lease(parts: LeaseParts<'_>) -> v1::Lease {
    let LeaseParts { grant, spec, terms, worker, project, draft, now } = parts;
    let lease = &grant.lease;
    let task = || names::of_task(project, spec.name.as_ref(), spec.id.number);
    v1::Lease {
        name: names::of_lease(lease.id),
        worker: names::of_worker(worker),
        project: names::of_project(project),
        task: if grant.shows_task { task() } else { String::new() },
        payload: spec.payload.clone().into(),
        content_type: spec.content_type.clone(),
        instructions: terms.instructions.clone(),
        schema: schema(&terms.schema),
        reward: money(terms.reward),
        expected_duration: spec.expected.or(terms.expected).map(duration),
        remaining: Some(duration(grant.remaining)),
        expire_time: expire_time(grant, now),
        hold_remaining: Some(duration(grant.hold_remaining)),
        project_revision: lease.revision.0,
        state: state(&lease.state).into(),
        draft: draft.into(),
    }
}

/// How long a lease now lasts.
pub(crate) fn extension(grant: &Grant, now: WallTime) -> v1::LeaseExtension {
    v1::LeaseExtension {
        lease: names::of_lease(grant.lease.id),
        remaining: Some(duration(grant.remaining)),
        expire_time: expire_time(grant, now),
        hold_remaining: Some(duration(grant.hold_remaining)),
    }
}

/// Why there are no leases: one counted line, and its parts, most projects first; those
/// that were not asked for come last.
pub(crate) fn empty(reasons: &[(NoWork, u32)]) -> (String, Vec<v1::EmptyReason>) {
    let mut reasons = reasons.to_vec();
    // Stable: equal counts stay in the order of the causes.
    reasons.sort_by_key(|(why, projects)| (*why == NoWork::LeftOut, Reverse(*projects)));
    let say = |(why, projects): &(NoWork, u32)| line(*why, *projects);
    let text: Vec<String> = reasons.iter().map(say).collect();
    let text = match text.is_empty() {
        true => "no project is open".to_owned(),
        false => text.join(", "),
    };
    (text, reasons.into_iter().map(reason).collect())
}

/// One reason, counted.
pub(crate) fn reason((why, projects): (NoWork, u32)) -> v1::EmptyReason {
    v1::EmptyReason { cause: cause(why).into(), projects }
}

/// Why a call that waited for work got none: the daemon is ending.
pub(crate) fn draining() -> (String, Vec<v1::EmptyReason>) {
    let part = v1::EmptyReason { cause: v1::EmptyCause::Draining.into(), projects: 0 };
    ("the daemon drains; ask again, it or its successor will answer".to_owned(), vec![part])
}

/// What is true of a lease.
pub(crate) fn state(state: &LeaseState) -> v1::LeaseState {
    match state {
        LeaseState::Live => v1::LeaseState::Live,
        LeaseState::Expired { .. } => v1::LeaseState::Expired,
        LeaseState::Submitted(_) => v1::LeaseState::Submitted,
        LeaseState::Returned { .. } => v1::LeaseState::Returned,
        LeaseState::Revoked { .. } => v1::LeaseState::Revoked,
    }
}

/// Only of a live lease: what has ended runs out no more.
fn expire_time(grant: &Grant, now: WallTime) -> Option<prost_types::Timestamp> {
    let at = WallTime(now.0.saturating_add(grant.remaining.0));
    grant.lease.is_live().then(|| timestamp(at))
}

fn line(why: NoWork, projects: u32) -> String {
    let those = if projects == 1 { "1 project".to_owned() } else { format!("{projects} projects") };
    match why {
        NoWork::CapacityReached => "the worker holds as many leases as it may".to_owned(),
        NoWork::CoolingDown => "the worker declined too often and cools down".to_owned(),
        NoWork::Kind => format!("{those} for the other kind of worker"),
        NoWork::Skill => format!("{those} ask for a skill or level it lacks"),
        NoWork::Rating => format!("{those} ask for a higher rating"),
        NoWork::Newcomer => format!("{those} closed to a newcomer"),
        NoWork::Region => format!("{those} for other regions"),
        NoWork::Quota => format!("{those} where its quota is done"),
        NoWork::OwnRequester => format!("{those} of its own requester account"),
        NoWork::Blocked => format!("{those} whose requester keeps it away"),
        NoWork::WorkerPicks => format!("{those} where workers name a task"),
        NoWork::NotGranting => format!("{those} paused or stopped"),
        NoWork::Throttled => format!("{those} with no grant left in this minute"),
        NoWork::LeftOut => {
            let widen = "ask for other projects, or leave out fewer";
            format!("{those} with work for it that its wishes leave out ({widen})")
        }
        NoWork::TooLarge => {
            format!("{those} with payloads larger than it wishes (raise the maximum payload)")
        }
        NoWork::PaysLess => {
            let lower = "lower the minimum pay per hour";
            format!("{those} that pay less an hour than it wishes, or nobody knows what ({lower})")
        }
        NoWork::TakesLonger => {
            let more = "take more time";
            format!("{those} whose tasks outlast its time box, or nobody knows ({more})")
        }
        NoWork::NothingReady => format!("{those} with no task that waits for it"),
    }
}

fn cause(why: NoWork) -> v1::EmptyCause {
    match why {
        NoWork::CapacityReached => v1::EmptyCause::CapacityReached,
        NoWork::CoolingDown => v1::EmptyCause::CoolingDown,
        NoWork::Kind => v1::EmptyCause::KindMismatch,
        NoWork::Skill => v1::EmptyCause::SkillMissing,
        NoWork::Rating => v1::EmptyCause::RatingTooLow,
        NoWork::Newcomer => v1::EmptyCause::NewcomerRefused,
        NoWork::Region => v1::EmptyCause::RegionMismatch,
        NoWork::Quota => v1::EmptyCause::QuotaReached,
        NoWork::OwnRequester => v1::EmptyCause::OwnRequester,
        NoWork::Blocked => v1::EmptyCause::Blocked,
        NoWork::WorkerPicks => v1::EmptyCause::WorkerPicks,
        NoWork::NotGranting => v1::EmptyCause::ProjectStopped,
        NoWork::Throttled => v1::EmptyCause::Throttled,
        NoWork::LeftOut => v1::EmptyCause::LeftOut,
        NoWork::TooLarge => v1::EmptyCause::PayloadTooLarge,
        NoWork::PaysLess => v1::EmptyCause::PayTooLow,
        NoWork::TakesLonger => v1::EmptyCause::TakesTooLong,
        NoWork::NothingReady => v1::EmptyCause::NoTasks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_reason_comes_first_with_its_count() {
        let (line, parts) = empty(&[(NoWork::Skill, 1), (NoWork::NothingReady, 3)]);
        assert!(line.starts_with("3 projects with no task"), "{line}");
        assert_eq!(parts[1].cause(), v1::EmptyCause::SkillMissing);
        assert_eq!(empty(&[]).0, "no project is open");
    }

    #[test]
    fn a_wish_is_told_with_what_to_change_and_others_projects_last() {
        let (line, parts) = empty(&[(NoWork::LeftOut, 9), (NoWork::PaysLess, 2)]);
        assert!(line.starts_with("2 projects that pay less an hour"), "{line}");
        assert!(line.contains("lower the minimum pay per hour"), "{line}");
        assert!(line.contains("ask for other projects"), "{line}");
        let told = parts.iter().map(|part| (part.cause(), part.projects)).collect::<Vec<_>>();
        assert_eq!(told, [(v1::EmptyCause::PayTooLow, 2), (v1::EmptyCause::LeftOut, 9)]);
    }
}
