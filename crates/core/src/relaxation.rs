//! How a project's requirements loosen for tasks that nobody could take.
//!
//! Each step lists all requirements that hold from its age on. A step never asks
//! for more than the one before it, and some rules it may not touch at all: kinds,
//! quota and newcomers protect people and results, not the waiting time.
//!
//! Invariant: the steps of a project's spec satisfy `check`; the edge sees to it.
//! Not here: who fits which step (`matching`).

use std::collections::BTreeSet;

use crate::Millis;
use crate::project::Requirements;
use crate::quality::Basis;

/// One step: what is asked for a task that has been ready for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relaxation {
    /// Since the task became ready; more than the step before, and more than zero.
    pub after: Millis,
    /// All that is asked then.
    pub requirements: Requirements,
}

/// Which step is wrong, where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct WrongStep {
    /// Counted from 0.
    pub step: usize,
    /// Of the step, such as `requirements.min_rating`.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: StepFault,
}

/// What is wrong with a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepFault {
    /// It would not come after the step before.
    #[error("is {after}, it must be more than {before}, when the step before begins")]
    NotLater {
        /// When it would begin.
        after: Millis,
        /// When the one before begins; zero for the project's own requirements.
        before: Millis,
    },
    /// It changes a rule that never loosens.
    #[error("differs from the project's own requirements; no step may change it, so repeat it")]
    Protected,
    /// It asks for a skill, or a level of it, that the step before does not.
    #[error(
        "asks for {skill:?} at level {level}, the step before asks for {}; a step never asks for more",
        before.map_or("none".to_owned(), |before| format!("level {before}"))
    )]
    Skill {
        /// Which.
        skill: String,
        /// Asked by this step.
        level: u8,
        /// Asked by the one before; `None`: not asked.
        before: Option<u8>,
    },
    /// It asks for a higher rating than the step before.
    #[error("is {rating}, the step before asks for {before}; a step never asks for more")]
    Rating {
        /// Asked by this step.
        rating: u8,
        /// Asked by the one before.
        before: u8,
    },
    /// It compares with the lower bound where the step before compares with the mean.
    #[error("is LOWER_BOUND, the step before compares with the mean; a step never asks for more")]
    Basis,
    /// It leaves out a region of the step before.
    #[error("leaves out {region:?} of the step before; a step never asks for more")]
    Region {
        /// Which.
        region: String,
    },
    /// It names regions where the step before is for all.
    #[error("names {regions} regions, the step before is for all; a step never asks for more")]
    Everywhere {
        /// How many.
        regions: usize,
    },
}

/// Whether `steps` loosen a project's own requirements and nothing else.
///
/// # Errors
/// The first step that does not come later than the one before it, asks for more
/// than that, or changes what no step may change.
pub fn check(own: &Requirements, steps: &[Relaxation]) -> Result<(), WrongStep> {
    let (mut since, mut before) = (Millis(0), own);
    for (step, Relaxation { after, requirements }) in steps.iter().enumerate() {
        let wrong = |(field, fault)| WrongStep { step, field, fault };
        if *after <= since {
            let fault = StepFault::NotLater { after: *after, before: since };
            return Err(wrong(("after", fault)));
        }
        keeps(own, requirements).map_err(wrong)?;
        loosens(before, requirements).map_err(wrong)?;
        (since, before) = (*after, requirements);
    }
    Ok(())
}

/// Whether the protected rules are the project's own.
fn keeps(own: &Requirements, step: &Requirements) -> Result<(), (&'static str, StepFault)> {
    let set = |needs: &Requirements| needs.kinds.iter().copied().collect::<BTreeSet<_>>();
    if set(step) != set(own) {
        return Err(("requirements.kinds", StepFault::Protected));
    }
    if step.quota_per_worker != own.quota_per_worker {
        return Err(("requirements.quota_per_worker", StepFault::Protected));
    }
    if step.newcomers != own.newcomers {
        return Err(("requirements.newcomers", StepFault::Protected));
    }
    Ok(())
}

/// Whether everybody who satisfies `before` satisfies `step`.
fn loosens(before: &Requirements, step: &Requirements) -> Result<(), (&'static str, StepFault)> {
    for (skill, &level) in &step.skills {
        let asked = before.skills.get(skill).copied();
        if asked.is_none_or(|asked| level > asked) {
            let fault = StepFault::Skill { skill: skill.clone(), level, before: asked };
            return Err(("requirements.skills", fault));
        }
    }
    if step.min_rating > before.min_rating {
        let (rating, before) = (step.min_rating, before.min_rating);
        return Err(("requirements.min_rating", StepFault::Rating { rating, before }));
    }
    let lower_bound = |needs: &Requirements| needs.rating_basis == Basis::LowerBound;
    if step.min_rating > 0 && lower_bound(step) && !lower_bound(before) {
        return Err(("requirements.rating_basis", StepFault::Basis));
    }
    if step.regions.is_empty() {
        return Ok(());
    }
    if before.regions.is_empty() {
        let regions = step.regions.len();
        return Err(("requirements.regions", StepFault::Everywhere { regions }));
    }
    match before.regions.iter().find(|region| !step.regions.contains(region)) {
        Some(region) => Err(("requirements.regions", StepFault::Region { region: region.clone() })),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Newcomers;
    use crate::worker::WorkerKind;

    fn own() -> Requirements {
        Requirements {
            skills: [("maps".to_owned(), 60), ("lang:fi".to_owned(), 50)].into(),
            min_rating: 80,
            rating_basis: Basis::Mean,
            kinds: vec![WorkerKind::Human, WorkerKind::Ai],
            regions: vec!["fi".to_owned()],
            quota_per_worker: 7,
            newcomers: Newcomers::Limit(1),
        }
    }

    fn step(after: u64, change: impl FnOnce(&mut Requirements)) -> Relaxation {
        let mut requirements = own();
        change(&mut requirements);
        Relaxation { after: Millis(after), requirements }
    }

    fn place(steps: &[Relaxation]) -> Option<(usize, &'static str)> {
        check(&own(), steps).err().map(|wrong| (wrong.step, wrong.field))
    }

    #[test]
    fn steps_that_drop_lower_and_widen_are_taken() {
        let steps = [
            step(1, |r| r.min_rating = 70),
            step(2, |r| {
                r.skills.remove("maps");
                r.min_rating = 70;
                r.regions.push("se".to_owned());
                r.kinds.reverse();
            }),
            step(9, |r| {
                r.skills = [("lang:fi".to_owned(), 10)].into();
                r.min_rating = 0;
                r.regions.clear();
            }),
        ];
        assert_eq!(check(&own(), &steps), Ok(()));
        assert_eq!(check(&own(), &[]), Ok(()));
    }

    #[test]
    fn a_step_comes_later_than_the_one_before() {
        assert_eq!(place(&[step(0, |_| {})]), Some((0, "after")));
        assert_eq!(place(&[step(5, |_| {}), step(5, |_| {})]), Some((1, "after")));
    }

    #[test]
    fn what_protects_people_never_loosens() {
        let kinds = step(1, |r| r.kinds.clear());
        assert_eq!(place(&[kinds]), Some((0, "requirements.kinds")));
        let quota = step(1, |r| r.quota_per_worker = 0);
        assert_eq!(place(&[quota]), Some((0, "requirements.quota_per_worker")));
        let newcomers = step(1, |r| r.newcomers = Newcomers::Welcome);
        assert_eq!(place(&[newcomers]), Some((0, "requirements.newcomers")));
    }

    #[test]
    fn a_step_asks_for_no_more_than_the_one_before_it() {
        let lower = || step(1, |r| r.min_rating = 10);
        let higher = step(2, |r| r.min_rating = 11);
        assert_eq!(place(&[lower(), higher]), Some((1, "requirements.min_rating")));
        let proved = step(1, |r| r.rating_basis = Basis::LowerBound);
        assert_eq!(place(&[proved]), Some((0, "requirements.rating_basis")));
        let level = step(1, |r| _ = r.skills.insert("maps".to_owned(), 61));
        assert_eq!(place(&[level]), Some((0, "requirements.skills")));
        let skill = step(1, |r| _ = r.skills.insert("cars".to_owned(), 0));
        assert_eq!(place(&[skill]), Some((0, "requirements.skills")));
        let elsewhere = step(1, |r| r.regions = vec!["se".to_owned()]);
        assert_eq!(place(&[elsewhere]), Some((0, "requirements.regions")));
        let everywhere = step(1, |r| r.regions.clear());
        assert_eq!(place(&[everywhere, step(2, |_| {})]), Some((1, "requirements.regions")));
    }

    #[test]
    fn a_wrong_step_says_both_numbers() {
        let wrong = check(&own(), &[step(3, |_| {}), step(2, |_| {})]).unwrap_err();
        let (after, before) = (Millis(2).to_string(), Millis(3).to_string());
        let text = wrong.to_string();
        assert!(text.contains(&after) && text.contains(&before), "{text}");
        let skill = step(1, |r| _ = r.skills.insert("maps".to_owned(), 61));
        let text = check(&own(), &[skill]).unwrap_err().to_string();
        assert!(text.contains("61") && text.contains("60"), "{text}");
    }
}
