//! Ratings: what a worker may see, and what they are made of.
//!
//! A worker is told what was published. Told after each answer, its rating would say
//! which of them was judged.
//!
//! Not here: the formula (`piecework_core::quality`).

use piecework_core::Millis;
use piecework_core::explanation::{AreaExplained, AreaNow, RatedProject, RatingExplained};
use piecework_core::limits::NEWCOMER_JUDGED;
use piecework_core::quality::{Basis, Bulletin, Published, Record, Tally};
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::duration;

/// As last published.
pub(crate) fn published(published: &Published) -> v1::Rating {
    rating(published.judged, published.agreed, &published.bulletin())
}

/// As the log of worker events tells it. `milli`: thousandths of a point.
pub(crate) fn announced(milli: u32, judged: u32) -> v1::Rating {
    v1::Rating {
        overall: thousandths(milli),
        judged_answers: judged,
        newcomer: judged < NEWCOMER_JUDGED,
        ..v1::Rating::default()
    }
}

/// All of it, area by area, with the projects that it opens.
pub(crate) fn explanation(told: &RatingExplained) -> v1::RatingExplanation {
    v1::RatingExplanation {
        areas: told.areas.iter().map(area).collect(),
        half_life: (told.half_life > Millis(0)).then(|| duration(told.half_life)),
        projects: told.projects.iter().map(project).collect(),
        more_projects: u32::try_from(told.more).unwrap_or(u32::MAX),
        truncated: told.truncated,
    }
}

/// As a project's requirements name it.
pub(crate) fn basis(basis: Basis) -> v1::RatingBasis {
    match basis {
        Basis::Mean => v1::RatingBasis::Mean,
        Basis::LowerBound => v1::RatingBasis::LowerBound,
    }
}

fn area(area: &AreaExplained) -> v1::SkillAreaRating {
    let current = |now: &AreaNow| {
        let record = &now.record;
        rating(record.judged(), record.agreed, &Bulletin::of(&record.standing()))
    };
    let has_evidence = |now: &&AreaNow| now.record != Record::default();
    v1::SkillAreaRating {
        skill: area.skill.clone(),
        published: Some(published(&area.published)),
        current: area.now.as_ref().map(current),
        evidence: area.now.as_ref().map_or_else(Vec::new, |now| evidence(&now.record)),
        unchanged_for: area
            .now
            .as_ref()
            .filter(has_evidence)
            .map(|now| duration(now.unchanged_for)),
    }
}

fn rating(judged: u32, agreed: u32, bulletin: &Bulletin) -> v1::Rating {
    let share = |ppm: u32| f64::from(ppm) / 1_000_000.0;
    v1::Rating {
        overall: thousandths(bulletin.overall_milli),
        judged_answers: judged,
        agreed_answers: agreed,
        newcomer: judged < NEWCOMER_JUDGED,
        accuracy: share(bulletin.accuracy_ppm),
        accuracy_low: share(bulletin.low_ppm),
        accuracy_high: share(bulletin.high_ppm),
        speed: bulletin.speed_milli.map(thousandths),
        consistency: bulletin.consistency_milli.map(thousandths),
    }
}

/// By source; of sources without any answer nothing is said.
fn evidence(record: &Record) -> Vec<v1::RatingEvidence> {
    let sources = [
        (v1::RatingSource::Agreement, record.agreement),
        (v1::RatingSource::Gold, record.gold),
        (v1::RatingSource::Review, record.review),
        (v1::RatingSource::Pace, record.pace),
    ];
    let told = |(source, tally): (v1::RatingSource, Tally)| {
        let weighs = tally.all > 0.0 && source != v1::RatingSource::Pace;
        v1::RatingEvidence {
            source: source.into(),
            answers: tally.answers,
            weight: tally.all.max(0.0),
            right: weighs.then(|| (tally.right / tally.all).clamp(0.0, 1.0)),
        }
    };
    sources.into_iter().filter(|(_, tally)| tally.answers > 0).map(told).collect()
}

fn project(project: &RatedProject) -> v1::RatedProject {
    v1::RatedProject {
        project: names::of_project(&project.project),
        min_rating: project.needed.into(),
        rating_basis: basis(project.basis).into(),
        has: project.has.into(),
        unlocked: project.is_unlocked(),
        missing_points: project.missing_points.into(),
        newcomer: project.newcomer,
        missing_answers: project.missing_answers,
    }
}

fn thousandths(milli: u32) -> f64 {
    f64::from(milli) / 1_000.0
}

#[cfg(test)]
mod tests {
    use piecework_core::quality::Judgement;

    use super::*;

    #[test]
    fn evidence_is_told_by_source_with_its_weight() {
        let mut record = Record::default();
        record.judge(Judgement::by_gold(true));
        record.judge(Judgement::by_gold(false));
        record.time(Millis(1_000), Millis(1_000));
        record.fade(Millis(10), Millis(10));
        let told = evidence(&record);
        let sources: Vec<_> = told.iter().map(v1::RatingEvidence::source).collect();
        assert_eq!(sources, [v1::RatingSource::Gold, v1::RatingSource::Pace]);
        assert_eq!((told[0].answers, told[0].weight, told[0].right), (2, 1.0, Some(0.5)));
        assert_eq!((told[1].answers, told[1].right), (1, None));
    }

    #[test]
    fn only_what_was_published_is_told_where_no_more_was_asked_for() {
        let hidden = AreaExplained {
            skill: "maps".to_owned(),
            published: Published { judged: 20, agreed: 20, bulletin: None },
            now: None,
        };
        let told = area(&hidden);
        assert_eq!((told.current, told.evidence.len(), told.unchanged_for), (None, 0, None));
        let published = told.published.expect("published");
        assert!((published.overall - 95.0).abs() < 1e-9 && !published.newcomer);
    }
}
