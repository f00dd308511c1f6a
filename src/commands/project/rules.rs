//! The flags of `project create` that say what is asked and by which rules.
//!
//! What is not said stays absent, so that the daemon's defaults hold.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use piecework_client::proto::v1::{
    Aggregation, AnswerSchema, Assignment, DynamicOverlap, LateExtra, LatePolicy, LeasePolicy,
    Money, NewcomerMode, Newcomers, Project, RatingBasis, Requirements, SkillRequirement,
};
use piecework_client::to_proto;

use crate::commands::worker::Kind;
use crate::failure::input;
use crate::quantities::{duration, money, pair, skill};

/// What is asked and by which rules.
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// Shown to workers; by default the id
    #[arg(long)]
    title: Option<String>,
    /// What workers are told, by language, such as `en=Is there a cat?`; several times
    #[arg(long, value_name = "LANGUAGE=TEXT", value_parser = pair)]
    instructions: Vec<(String, String)>,
    /// Counted answers wanted for each task, 1 to 1,000; by default 1
    #[arg(long, value_name = "N")]
    overlap: Option<u32>,
    /// More answers, up to so many, for tasks whose result is unsure
    #[arg(long, value_name = "N")]
    up_to: Option<u32>,
    /// With --up-to: the confidence at which a task is sure, above 0 and at most 1; by default 0.95
    #[arg(long, value_name = "SHARE", requires = "up_to")]
    target: Option<f64>,
    /// How answers become a result; by default `refined` where answers can be compared, else the first
    #[arg(long, value_enum)]
    aggregation: Option<Method>,
    /// How long a worker may hold a task; by default 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lease: Option<Duration>,
    /// The longest it can be held with extensions; by default 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_hold: Option<Duration>,
    /// Distinct workers who may let a task lapse before it ends; by default 5
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// Whether an answer under an expired lease may count; by default until replaced
    #[arg(long, value_enum)]
    late: Option<Late>,
    /// How long after expiry an answer may come; by default one lease length
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    late_window: Option<Duration>,
    /// What becomes of a late answer that finds the task full; by default it is refused
    #[arg(long, value_enum)]
    late_extra: Option<Extra>,
    /// How long an expired place is kept for its late answer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    late_grace: Option<Duration>,
    /// Who chooses the task; by default the daemon
    #[arg(long, value_enum)]
    assignment: Option<Picks>,
    /// The least rating of a worker, 0 to 100
    #[arg(long, value_name = "RATING")]
    min_rating: Option<u32>,
    /// Which accuracy the least rating is compared with; by default the mean
    #[arg(long, value_enum, requires = "min_rating")]
    rating_basis: Option<Basis>,
    /// A skill a worker must have, such as `lang:fi=50`; several times
    #[arg(long = "skill", value_name = "SKILL=LEVEL", value_parser = skill)]
    skills: Vec<(String, u32)>,
    /// A region a worker may be in; several times
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// A kind of worker that may answer; by default both
    #[arg(long = "kind", value_enum)]
    kinds: Vec<Kind>,
    /// Tasks of this project that one worker may have
    #[arg(long, value_name = "N")]
    quota: Option<u32>,
    /// Workers with few judged answers: `welcome`, `refuse`, or how many leases each may hold
    #[arg(long, value_name = "welcome|refuse|N")]
    newcomers: Option<String>,
    /// Owed for one payable answer, such as `0.05USD`
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    reward: Option<Money>,
    /// How long one answer takes
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expected: Option<Duration>,
    /// A note on it; several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

/// How answers become a result.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// The first answer, as it is
    First,
    /// Field by field what most say
    Majority,
    /// The majority, weighted by the workers' ratings
    Weighted,
    /// What is most likely, given how each worker did in this project's finished tasks
    Online,
    /// The same at once, and revised from time to time by all answers together
    Refined,
    /// The majority at once, revised by Dawid and Skene's method
    DawidSkene,
    /// All of them, without one of their own: surveys
    Collect,
}

/// Whether a late answer may count.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Late {
    UntilReplaced,
    Refuse,
}

/// What becomes of a late answer that finds the task full.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Extra {
    Refuse,
    KeepPayable,
    KeepUnpaid,
}

/// Which accuracy a least rating is compared with.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Basis {
    /// The mean: takes a chance on workers of whom little is known
    Mean,
    /// The lower bound of the 90 % interval: takes those only who have proved it
    LowerBound,
}

impl Basis {
    /// As the API writes it.
    pub(super) fn to_proto(self) -> RatingBasis {
        match self {
            Self::Mean => RatingBasis::Mean,
            Self::LowerBound => RatingBasis::LowerBound,
        }
    }
}

/// Who chooses the task.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Picks {
    ServerPicks,
    WorkerPicks,
}

impl Rules {
    /// The project, without its requester. `id`: the title where none was given.
    pub(super) fn into_project(self, id: &str, schema: Option<AnswerSchema>) -> Result<Project> {
        let assignment = self.assignment.map_or(Assignment::Unspecified, |picks| match picks {
            Picks::ServerPicks => Assignment::ServerPicks,
            Picks::WorkerPicks => Assignment::WorkerPicks,
        });
        let aggregation =
            self.aggregation.map_or(Aggregation::Unspecified, |method| match method {
                Method::First => Aggregation::First,
                Method::Majority => Aggregation::Majority,
                Method::Weighted => Aggregation::Weighted,
                Method::Online => Aggregation::Online,
                Method::Refined => Aggregation::Refined,
                Method::DawidSkene => Aggregation::DawidSkene,
                Method::Collect => Aggregation::Collect,
            });
        Ok(Project {
            schema,
            requirements: self.requirements(),
            newcomers: self.newcomers()?,
            lease_policy: self.lease_policy(),
            title: self.title.unwrap_or_else(|| id.to_owned()),
            instructions: self.instructions.into_iter().collect(),
            overlap: self.overlap.unwrap_or_default(),
            dynamic_overlap: self
                .up_to
                .map(|max| DynamicOverlap { max, target_confidence: self.target }),
            aggregation: aggregation.into(),
            assignment: assignment.into(),
            reward: self.reward,
            expected_duration: self.expected.map(to_proto),
            labels: self.labels.into_iter().collect(),
            ..Project::default()
        })
    }

    fn requirements(&self) -> Option<Requirements> {
        let skills = self.skills.iter().cloned();
        let requirements = Requirements {
            skills: skills
                .map(|(skill, min_level)| SkillRequirement { skill, min_level })
                .collect(),
            min_rating: self.min_rating.unwrap_or_default(),
            regions: self.regions.clone(),
            kinds: self.kinds.iter().map(|kind| kind.to_proto().into()).collect(),
            quota_per_worker: self.quota.unwrap_or_default(),
            rating_basis: self.rating_basis.map_or(0, |basis| basis.to_proto().into()),
        };
        (requirements != Requirements::default()).then_some(requirements)
    }

    fn newcomers(&self) -> Result<Option<Newcomers>> {
        let Some(text) = &self.newcomers else { return Ok(None) };
        let (mode, max_live) = match text.as_str() {
            "welcome" => (NewcomerMode::Welcome, 0),
            "refuse" => (NewcomerMode::Refuse, 0),
            number => {
                let wrong = "write `welcome`, `refuse`, or a number of leases";
                let max_live = number
                    .parse()
                    .map_err(|_| input(format!("--newcomers `{number}`: {wrong}")))?;
                (NewcomerMode::Limit, max_live)
            }
        };
        Ok(Some(Newcomers { mode: mode.into(), max_live }))
    }

    fn lease_policy(&self) -> Option<LeasePolicy> {
        let late = self.late.map_or(LatePolicy::Unspecified, |late| match late {
            Late::UntilReplaced => LatePolicy::UntilReplaced,
            Late::Refuse => LatePolicy::Refuse,
        });
        let extra = self.late_extra.map_or(LateExtra::Unspecified, |extra| match extra {
            Extra::Refuse => LateExtra::Refuse,
            Extra::KeepPayable => LateExtra::KeepPayable,
            Extra::KeepUnpaid => LateExtra::KeepUnpaid,
        });
        let policy = LeasePolicy {
            duration: self.lease.map(to_proto),
            max_hold: self.max_hold.map(to_proto),
            max_attempts: self.max_attempts.unwrap_or_default(),
            late: late.into(),
            late_window: self.late_window.map(to_proto),
            late_extra: extra.into(),
            late_grace: self.late_grace.map(to_proto),
        };
        (policy != LeasePolicy::default()).then_some(policy)
    }
}
