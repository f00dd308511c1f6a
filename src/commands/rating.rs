//! `worker rating NAME`: what a worker's answers are worth, why, and what that opens.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use piecework_client::from_proto;
use piecework_client::proto::v1::{
    GetRatingRequest, GetRatingResponse, RatedProject, Rating as Standing, RatingBasis,
    RatingEvidence, RatingExplanation, SkillAreaRating,
};

use crate::names;
use crate::output::{Format, horizontal, print};
use crate::quantities::spoken;
use crate::session::{Session, answer};
use crate::shown::{Shown, plain};

/// Show what a worker's answers are worth, why, and which projects that opens
#[derive(Debug, Args)]
pub(crate) struct Rating {
    /// Its id
    worker: String,
    /// Only what the worker itself may see: what was last published
    #[arg(long)]
    as_worker: bool,
}

impl Rating {
    /// Asks and tells.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let (name, as_worker) = (names::worker(&self.worker)?, self.as_worker);
        let request = GetRatingRequest { name, min_position: String::new(), as_worker };
        let told = answer(session.client.workers().get_rating(request).await)?;
        let output = session.output();
        match output.format {
            Format::Table => print(&story(&told.explanation.unwrap_or_default())),
            Format::Csv => output.list(&told.explanation.unwrap_or_default().areas),
            Format::Json | Format::Jsonl => output.one(&told),
        }
    }
}

impl Shown for GetRatingResponse {
    const MESSAGE: &'static str = "GetRatingResponse";
    const COLUMNS: &'static [&'static str] = SkillAreaRating::COLUMNS;

    fn cells(&self) -> Vec<String> {
        let mut areas = self.explanation.iter().flat_map(|explanation| &explanation.areas);
        areas.next().map_or_else(|| SkillAreaRating::default().cells(), Shown::cells)
    }
}

impl Shown for SkillAreaRating {
    const MESSAGE: &'static str = "SkillAreaRating";
    const COLUMNS: &'static [&'static str] = &[
        "skill area",
        "overall",
        "accuracy",
        "90 % interval",
        "consistency",
        "speed",
        "judged",
        "agreed",
        "newcomer",
    ];

    fn cells(&self) -> Vec<String> {
        let Standing {
            overall,
            judged_answers,
            agreed_answers,
            newcomer,
            accuracy,
            accuracy_low,
            accuracy_high,
            speed,
            consistency,
        } = self.current.or(self.published).unwrap_or_default();
        let score = |score: Option<f64>| score.map_or(String::new(), |score| format!("{score:.0}"));
        vec![
            if self.skill.is_empty() { "all".to_owned() } else { self.skill.clone() },
            format!("{overall:.1}"),
            format!("{accuracy:.3}"),
            format!("{accuracy_low:.3}–{accuracy_high:.3}"),
            score(consistency),
            score(speed),
            judged_answers.to_string(),
            agreed_answers.to_string(),
            if newcomer { "yes" } else { "no" }.to_owned(),
        ]
    }
}

fn story(told: &RatingExplanation) -> String {
    let mut story =
        horizontal(SkillAreaRating::COLUMNS, told.areas.iter().map(SkillAreaRating::cells));
    let mut say = |line: String| _ = writeln!(story, "{line}");
    let all = told.areas.first();
    for evidence in all.into_iter().flat_map(|all| &all.evidence) {
        say(evidence_line(evidence));
    }
    let half_life = from_proto(told.half_life);
    if half_life > Duration::ZERO {
        let since =
            all.and_then(|all| all.unchanged_for).map(|time| spoken(from_proto(Some(time))));
        let since = since.map_or(String::new(), |since| format!("; the latest is {since} old"));
        say(format!("Evidence weighs half after {}{since}.", spoken(half_life)));
    }
    told.projects.iter().map(project_line).for_each(&mut say);
    if told.more_projects > 0 {
        say(format!("{} more projects ask for a rating.", told.more_projects));
    }
    if told.truncated {
        say("There are still more projects; the others were not looked at.".to_owned());
    }
    story
}

/// `agreement: 40 answers, worth 31.5 certain ones, 93 % right`
fn evidence_line(evidence: &RatingEvidence) -> String {
    let source = plain(evidence.source().as_str_name(), "RATING_SOURCE_").to_lowercase();
    let right =
        evidence.right.map_or(String::new(), |share| format!(", {:.0} % right", share * 100.0));
    let (answers, weight) = (evidence.answers, evidence.weight);
    format!("{source}: {answers} answers, worth {weight:.1} certain ones{right}")
}

/// `misses projects/strict by 4 points: 86 of 90 (lower bound)`
fn project_line(project: &RatedProject) -> String {
    let RatedProject { project: name, min_rating, has, newcomer, .. } = project;
    let basis = match project.rating_basis() {
        RatingBasis::LowerBound => "lower bound",
        RatingBasis::Mean | RatingBasis::Unspecified => "mean",
    };
    match (project.missing_answers, project.missing_points) {
        (0, 0) if *newcomer => format!("may work in {name}, as a newcomer"),
        (0, 0) => format!("may work in {name}: {has} points, {min_rating} needed ({basis})"),
        (0, points) => {
            format!("misses {name} by {points} points: {has} of {min_rating} ({basis})")
        }
        (answers, _) => format!("misses {name} by {answers} judged answers: no newcomers there"),
    }
}

#[cfg(test)]
mod tests {
    use piecework_client::proto::v1::RatingSource;

    use super::*;

    #[test]
    fn a_story_says_what_is_known_why_and_what_is_missed_by_how_much() {
        let standing = Standing {
            overall: 88.0,
            judged_answers: 40,
            agreed_answers: 37,
            accuracy: 0.91,
            accuracy_low: 0.83,
            accuracy_high: 0.96,
            ..Standing::default()
        };
        let evidence = RatingEvidence {
            source: RatingSource::Agreement.into(),
            answers: 40,
            weight: 31.5,
            right: Some(0.93),
        };
        let told = RatingExplanation {
            areas: vec![SkillAreaRating {
                current: Some(standing),
                evidence: vec![evidence],
                ..SkillAreaRating::default()
            }],
            projects: vec![
                RatedProject {
                    project: "projects/strict".to_owned(),
                    min_rating: 90,
                    rating_basis: RatingBasis::LowerBound.into(),
                    has: 83,
                    missing_points: 7,
                    ..RatedProject::default()
                },
                RatedProject {
                    project: "projects/proved".to_owned(),
                    newcomer: true,
                    missing_answers: 3,
                    ..RatedProject::default()
                },
            ],
            ..RatingExplanation::default()
        };
        let story = story(&told);
        for line in [
            "0.830–0.960",
            "agreement: 40 answers, worth 31.5 certain ones, 93 % right\n",
            "misses projects/strict by 7 points: 83 of 90 (lower bound)\n",
            "misses projects/proved by 3 judged answers: no newcomers there\n",
        ] {
            assert!(story.contains(line), "{line} is not in\n{story}");
        }
    }
}
