//! The rules of a project: requirements, newcomers, lease policy.

use std::collections::BTreeMap;

use piecework_core::project::{Late, LateExtra, LeasePolicy, Newcomers, Requirements};
use piecework_core::quality::Basis;
use piecework_core::worker::WorkerKind;
use piecework_core::{Millis, limits};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::from_wire::worker::kind;
use crate::wire::{field, invalid, names};

/// Skills that a project may ask for.
const SKILLS_MAX: usize = 64;
/// Regions that a project may name.
const REGIONS_MAX: usize = 256;
/// Attempts that a project may allow: each is remembered with the task.
const ATTEMPTS_MAX: u32 = 1_000;

/// Absent: every active worker. Newcomers come in a message of their own.
pub(crate) fn requirements(
    path: &str,
    message: Option<v1::Requirements>,
) -> Result<Requirements, Failure> {
    let message = message.unwrap_or_default();
    Ok(Requirements {
        skills: skills(&format!("{path}.skills"), &message.skills)?,
        min_rating: field::level(&format!("{path}.min_rating"), message.min_rating)?,
        rating_basis: basis(&format!("{path}.rating_basis"), message.rating_basis)?,
        kinds: kinds(&format!("{path}.kinds"), &message.kinds)?,
        regions: regions(&format!("{path}.regions"), message.regions)?,
        quota_per_worker: message.quota_per_worker,
        newcomers: Newcomers::default(),
    })
}

/// Unspecified: the mean.
fn basis(path: &str, basis: i32) -> Result<Basis, Failure> {
    let basis = field::known(path, basis)?;
    Ok(match basis.unwrap_or(v1::RatingBasis::Mean) {
        v1::RatingBasis::Mean | v1::RatingBasis::Unspecified => Basis::Mean,
        v1::RatingBasis::LowerBound => Basis::LowerBound,
    })
}

/// Absent or unspecified: they work like others.
pub(crate) fn newcomers(path: &str, message: Option<v1::Newcomers>) -> Result<Newcomers, Failure> {
    let Some(message) = message else { return Ok(Newcomers::Welcome) };
    let mode = field::known(&format!("{path}.mode"), message.mode)?;
    match mode.unwrap_or(v1::NewcomerMode::Welcome) {
        v1::NewcomerMode::Welcome | v1::NewcomerMode::Unspecified => Ok(Newcomers::Welcome),
        v1::NewcomerMode::Refuse => Ok(Newcomers::Refuse),
        v1::NewcomerMode::Limit if message.max_live == 0 => {
            Err(invalid::field(format!("{path}.max_live"), "is 0, with LIMIT it is at least 1"))
        }
        v1::NewcomerMode::Limit => Ok(Newcomers::Limit(message.max_live)),
    }
}

/// Absent: a lease of ten minutes with the domain's defaults.
pub(crate) fn lease(path: &str, message: Option<v1::LeasePolicy>) -> Result<LeasePolicy, Failure> {
    let message = message.unwrap_or_default();
    let at = |name: &str| format!("{path}.{name}");
    let duration = match message.duration {
        Some(duration) => field::positive(&at("duration"), duration, limits::LEASE_MAX)?,
        None => limits::LEASE_DEFAULT,
    };
    let mut policy = LeasePolicy::of(duration);
    if let Some(hold) = message.max_hold {
        policy.max_hold = field::positive(&at("max_hold"), hold, limits::LEASE_MAX)?;
        if policy.max_hold < duration {
            let problem = format!("is {}, shorter than the lease of {duration}", policy.max_hold);
            return Err(invalid::field(at("max_hold"), problem));
        }
    }
    match message.max_attempts {
        0 => {}
        attempts if attempts > ATTEMPTS_MAX => {
            return Err(invalid::range(&at("max_attempts"), attempts, 1, ATTEMPTS_MAX));
        }
        attempts => policy.max_attempts = attempts,
    }
    if let Some(window) = message.late_window {
        let max = limits::LATE_WINDOW_MAX;
        policy.late_window = field::duration(&at("late_window"), window, max)?;
    }
    if let Some(grace) = message.late_grace {
        // `LeasePolicy::of` gives the longest that the domain allows.
        policy.late_grace = grace_within(&at("late_grace"), grace, policy.late_grace)?;
    }
    policy.late = late(&at("late"), message.late)?;
    if policy.late == Late::Refuse {
        policy.late_window = Millis(0);
    }
    policy.late_extra = late_extra(&at("late_extra"), message.late_extra)?;
    Ok(policy)
}

fn grace_within(path: &str, grace: prost_types::Duration, max: Millis) -> Result<Millis, Failure> {
    let grace = field::duration(path, grace, limits::LATE_GRACE_MAX)?;
    if grace > max {
        let problem = format!("is {grace}, over a tenth of the lease, which is {max}");
        return Err(invalid::field(path, problem));
    }
    Ok(grace)
}

fn late(path: &str, value: i32) -> Result<Late, Failure> {
    Ok(match field::known(path, value)?.unwrap_or(v1::LatePolicy::UntilReplaced) {
        v1::LatePolicy::Unspecified | v1::LatePolicy::UntilReplaced => Late::UntilReplaced,
        v1::LatePolicy::Refuse => Late::Refuse,
    })
}

fn late_extra(path: &str, value: i32) -> Result<LateExtra, Failure> {
    Ok(match field::known(path, value)?.unwrap_or(v1::LateExtra::Refuse) {
        v1::LateExtra::Unspecified | v1::LateExtra::Refuse => LateExtra::Refuse,
        v1::LateExtra::KeepPayable => LateExtra::KeepPayable,
        v1::LateExtra::KeepUnpaid => LateExtra::KeepUnpaid,
    })
}

fn skills(path: &str, messages: &[v1::SkillRequirement]) -> Result<BTreeMap<String, u8>, Failure> {
    field::count(path, messages.len(), SKILLS_MAX, "skills")?;
    let mut skills = BTreeMap::new();
    for (index, message) in messages.iter().enumerate() {
        let at = |name: &str| format!("{path}[{index}].{name}");
        let skill = names::id(&at("skill"), &message.skill)?;
        let level = field::level(&at("min_level"), message.min_level)?;
        if skills.insert(skill.as_str().to_owned(), level).is_some() {
            return Err(invalid::field(at("skill"), format!("is {skill}, as is another's")));
        }
    }
    Ok(skills)
}

/// Sorted and without repetition: the order means nothing.
fn kinds(path: &str, values: &[i32]) -> Result<Vec<WorkerKind>, Failure> {
    let read = |(index, value): (usize, &i32)| kind(&format!("{path}[{index}]"), *value);
    let mut kinds = values.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn regions(path: &str, regions: Vec<String>) -> Result<Vec<String>, Failure> {
    field::count(path, regions.len(), REGIONS_MAX, "regions")?;
    let mut read = Vec::with_capacity(regions.len());
    for (index, region) in regions.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        if region.is_empty() {
            return Err(invalid::field(&path, "is empty"));
        }
        read.push(field::short(&path, region)?);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    #[test]
    fn a_lease_policy_fills_in_the_defaults_of_the_domain() {
        let policy = lease("project.lease_policy", None).unwrap();
        assert_eq!(policy, LeasePolicy::of(limits::LEASE_DEFAULT));
        let message = v1::LeasePolicy { duration: seconds(20), ..v1::LeasePolicy::default() };
        let policy = lease("project.lease_policy", Some(message)).unwrap();
        assert_eq!(policy.late_grace, Millis::from_secs(2));
        assert_eq!(policy.late_window, Millis::from_secs(20));
    }

    #[test]
    fn refusing_late_answers_closes_their_window() {
        let message = v1::LeasePolicy {
            late: v1::LatePolicy::Refuse.into(),
            late_window: seconds(60),
            ..v1::LeasePolicy::default()
        };
        assert_eq!(lease("project.lease_policy", Some(message)).unwrap().late_window, Millis(0));
    }

    #[test]
    fn a_lease_policy_keeps_the_caps() {
        let wrong = |message| {
            let failure = lease("lease_policy", Some(message)).unwrap_err();
            failure.field().unwrap_or_default().to_owned()
        };
        let base = v1::LeasePolicy::default;
        assert_eq!(
            wrong(v1::LeasePolicy { duration: seconds(0), ..base() }),
            "lease_policy.duration"
        );
        assert_eq!(
            wrong(v1::LeasePolicy { max_hold: seconds(1), ..base() }),
            "lease_policy.max_hold"
        );
        assert_eq!(
            wrong(v1::LeasePolicy { late_grace: seconds(61), ..base() }),
            "lease_policy.late_grace"
        );
        let window = seconds(24 * 3600 + 1);
        assert_eq!(
            wrong(v1::LeasePolicy { late_window: window, ..base() }),
            "lease_policy.late_window"
        );
    }

    #[test]
    fn a_level_over_a_hundred_is_named_with_its_place() {
        let skill = |level| v1::SkillRequirement { skill: "lang:fi".to_owned(), min_level: level };
        let ask = |skills| v1::Requirements { skills, ..v1::Requirements::default() };
        let failure =
            requirements("project.requirements", Some(ask(vec![skill(101)]))).unwrap_err();
        assert_eq!(failure.field(), Some("project.requirements.skills[0].min_level"));
        let twice = ask(vec![skill(1), skill(2)]);
        let failure = requirements("project.requirements", Some(twice)).unwrap_err();
        assert_eq!(failure.field(), Some("project.requirements.skills[1].skill"));
    }

    #[test]
    fn newcomers_are_welcome_unless_the_project_says_otherwise() {
        assert_eq!(newcomers("newcomers", None).unwrap(), Newcomers::Welcome);
        let said = |mode: v1::NewcomerMode, max_live| {
            newcomers("newcomers", Some(v1::Newcomers { mode: mode.into(), max_live }))
        };
        assert_eq!(said(v1::NewcomerMode::Unspecified, 0).unwrap(), Newcomers::Welcome);
        assert_eq!(said(v1::NewcomerMode::Limit, 2).unwrap(), Newcomers::Limit(2));
        assert!(said(v1::NewcomerMode::Limit, 0).is_err());
    }
}
