//! The flags of `project create` and `project update` that say which work goes
//! first, how fast, and how the requirements loosen.

use std::time::Duration;

use clap::Args;
use piecework_client::proto::v1::{Project, Relaxation, Requirements, SkillRequirement};
use piecework_client::to_proto;

use crate::quantities::{duration, skill};

/// Which work goes first, how fast, for whom later.
#[derive(Debug, Args)]
pub(super) struct Fairness {
    /// 0 to 4, 0 goes first; by default 2. Never better than its requester's ceiling
    #[arg(long, value_name = "TIER")]
    tier: Option<u32>,
    /// Grants a minute, evenly spaced; 0 and by default: no limit of its own
    #[arg(long, value_name = "N")]
    grants_per_minute: Option<u32>,
    /// All that is asked for a task that has waited so long, such as `10m:lang:fi=30,rating=60,region=fi`;
    /// what is left out is not asked for; several times, in ascending order
    #[arg(long, value_name = "AFTER:SKILL=LEVEL,rating=N,region=R", value_parser = step)]
    relax: Vec<Step>,
}

/// One step, before it is known which rules it must repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    after: Duration,
    skills: Vec<(String, u32)>,
    min_rating: u32,
    regions: Vec<String>,
}

impl Fairness {
    /// Puts what was said into a project; its requirements are there already.
    /// Returns the fields that were said.
    pub(super) fn put(self, project: &mut Project) -> Vec<&'static str> {
        let mut said = Vec::new();
        if self.tier.is_some() {
            project.tier = self.tier;
            said.push("tier");
        }
        if let Some(grants) = self.grants_per_minute {
            project.grants_per_minute = grants;
            said.push("grants_per_minute");
        }
        if !self.relax.is_empty() {
            let own = project.requirements.clone().unwrap_or_default();
            project.relaxation = self.relax.into_iter().map(|step| step.told(&own)).collect();
            said.push("relaxation");
        }
        said
    }
}

impl Step {
    /// With what no step may change, as `own` has it.
    fn told(self, own: &Requirements) -> Relaxation {
        let skill = |(skill, min_level)| SkillRequirement { skill, min_level };
        let requirements = Requirements {
            skills: self.skills.into_iter().map(skill).collect(),
            min_rating: self.min_rating,
            regions: self.regions,
            kinds: own.kinds.clone(),
            quota_per_worker: own.quota_per_worker,
            rating_basis: own.rating_basis,
        };
        Relaxation { after: Some(to_proto(self.after)), requirements: Some(requirements) }
    }
}

/// `10m`, `10m:lang:fi=30,rating=60,region=fi`.
fn step(text: &str) -> Result<Step, String> {
    let (after, rules) = text.split_once(':').unwrap_or((text, ""));
    let after = duration(after)?;
    let mut step = Step { after, skills: Vec::new(), min_rating: 0, regions: Vec::new() };
    for rule in rules.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
        if let Some(rating) = rule.strip_prefix("rating=") {
            let wrong = || format!("`{rating}` is not a rating; write 0 to 100");
            step.min_rating = rating.parse().map_err(|_| wrong())?;
        } else if let Some(region) = rule.strip_prefix("region=") {
            step.regions.push(region.to_owned());
        } else {
            step.skills.push(skill(rule)?);
        }
    }
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_with_its_skills_rating_and_regions() {
        let read = step("1h30m:lang:fi=30, maps,rating=60,region=fi,region=se").unwrap();
        assert_eq!(read.after, Duration::from_secs(5_400));
        assert_eq!(read.skills, [("lang:fi".to_owned(), 30), ("maps".to_owned(), 0)]);
        assert_eq!((read.min_rating, read.regions.len()), (60, 2));
        let read = step("10m").unwrap();
        assert_eq!((read.skills.len(), read.min_rating, read.regions.len()), (0, 0, 0));
        for wrong in ["", "soon:rating=5", "10m:rating=high", "10m:maps=101", "10m:=5"] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_step_repeats_what_no_step_may_change() {
        let own = Requirements {
            min_rating: 90,
            regions: vec!["fi".to_owned()],
            kinds: vec![1],
            quota_per_worker: 5,
            rating_basis: 2,
            skills: Vec::new(),
        };
        let told = step("10m:rating=60").unwrap().told(&own).requirements.unwrap();
        assert_eq!((told.kinds, told.quota_per_worker, told.rating_basis), (vec![1], 5, 2));
        assert_eq!((told.min_rating, told.regions.len()), (60, 0));
    }

    #[test]
    fn only_what_was_said_is_named() {
        let mut project = Project { title: "T".to_owned(), ..Project::default() };
        let nothing = Fairness { tier: None, grants_per_minute: None, relax: Vec::new() };
        assert!(nothing.put(&mut project).is_empty());
        let all = Fairness {
            tier: Some(0),
            grants_per_minute: Some(0),
            relax: vec![step("10m").unwrap()],
        };
        assert_eq!(all.put(&mut project), ["tier", "grants_per_minute", "relaxation"]);
        assert_eq!((project.tier, project.relaxation.len()), (Some(0), 1));
    }
}
