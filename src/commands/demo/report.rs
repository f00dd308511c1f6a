//! What the demo tells at its end.

use std::collections::BTreeMap;

use piecework_client::proto::v1::{ProjectStats, Rating, Result as TaskResult};
use serde::Serialize;
use serde_json::Value;

use super::crowd::{Manner, Tally};
use super::images;
use crate::output::horizontal;

/// Everything, as data.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) tasks: u64,
    pub(super) results: u64,
    /// Share of the tasks whose result is the truth.
    pub(super) accuracy: f64,
    pub(super) answers_counted: u64,
    pub(super) answers_per_task_min: usize,
    pub(super) answers_per_task_max: usize,
    pub(super) leases_expired: u64,
    /// Expired leases whose place another worker then took.
    pub(super) leases_reassigned: u64,
    pub(super) late_answers_counted: u64,
    pub(super) late_answers_refused: u64,
    pub(super) seconds: f64,
    pub(super) workers: Vec<OfManner>,
    pub(super) next: Vec<String>,
}

/// All workers of one manner.
#[derive(Debug, Serialize)]
pub(super) struct OfManner {
    manner: &'static str,
    workers: usize,
    answers_counted: u64,
    /// Share of its counted answers that were right; none where it gave none.
    true_accuracy: Option<f64>,
    /// What the daemon makes of it, 0 to 100, without knowing the truth.
    rating: Option<f64>,
    judged_answers: u64,
}

/// What was seen of the results.
pub(super) fn of(
    results: &BTreeMap<String, TaskResult>,
    stats: &ProjectStats,
    crowd: &[(Manner, Tally, Rating)],
) -> Report {
    let correct = (0..images::IMAGES)
        .filter(|&image| {
            let label = results.get(&images::task_id(image)).and_then(label_of);
            label.as_deref() == Some(images::CHOICES[images::truth(image)])
        })
        .count();
    let votes = || results.values().map(|result| result.votes.len());
    Report {
        tasks: u64::from(images::IMAGES),
        results: results.len() as u64,
        accuracy: correct as f64 / f64::from(images::IMAGES),
        answers_counted: stats.counted,
        answers_per_task_min: votes().min().unwrap_or(0),
        answers_per_task_max: votes().max().unwrap_or(0),
        leases_expired: stats.expiries,
        // All places of all tasks are filled: by the late answer itself, or by another worker.
        leases_reassigned: stats.expiries.saturating_sub(stats.counted_late),
        late_answers_counted: stats.counted_late,
        late_answers_refused: crowd.iter().map(|(_, tally, _)| tally.refused_late).sum(),
        seconds: 0.0,
        workers: Manner::ALL.into_iter().map(|manner| of_manner(manner, crowd)).collect(),
        next: Vec::new(),
    }
}

fn of_manner(manner: Manner, crowd: &[(Manner, Tally, Rating)]) -> OfManner {
    let of_it: Vec<_> = crowd.iter().filter(|(other, ..)| *other == manner).collect();
    let counted: u64 = of_it.iter().map(|(_, tally, _)| tally.counted).sum();
    let correct: u64 = of_it.iter().map(|(_, tally, _)| tally.correct).sum();
    let judged: u64 = of_it.iter().map(|(.., rating)| u64::from(rating.judged_answers)).sum();
    // A worker with more evidence weighs more.
    let weighted: f64 = of_it.iter().map(|(.., r)| r.overall * f64::from(r.judged_answers)).sum();
    OfManner {
        manner: manner.name(),
        workers: of_it.len(),
        answers_counted: counted,
        true_accuracy: (counted > 0).then(|| correct as f64 / counted as f64),
        rating: (judged > 0).then(|| weighted / judged as f64),
        judged_answers: judged,
    }
}

/// The report for a person.
pub(super) fn table(report: &Report) -> String {
    let share = |share: f64| format!("{:.1} %", share * 100.0);
    let per_task = if report.answers_per_task_min == report.answers_per_task_max {
        report.answers_per_task_max.to_string()
    } else {
        format!("{} to {}", report.answers_per_task_min, report.answers_per_task_max)
    };
    let numbers = [
        ("results", format!("{} of {} tasks", report.results, report.tasks)),
        ("accuracy against the hidden truth", share(report.accuracy)),
        ("answers per task", per_task),
        ("leases expired", report.leases_expired.to_string()),
        ("  then given to another worker", report.leases_reassigned.to_string()),
        ("late answers counted", report.late_answers_counted.to_string()),
        ("late answers refused, place taken", report.late_answers_refused.to_string()),
        ("seconds", format!("{:.1}", report.seconds)),
    ];
    let width = numbers.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
    let numbers: String =
        numbers.iter().map(|(name, number)| format!("{name:<width$}{number}\n")).collect();
    let columns = ["worker kind", "workers", "answers", "truly right", "rating", "judged answers"];
    let rows = report.workers.iter().map(|of| {
        vec![
            of.manner.to_owned(),
            of.workers.to_string(),
            of.answers_counted.to_string(),
            of.true_accuracy.map_or_else(|| "-".to_owned(), share),
            of.rating.map_or_else(|| "-".to_owned(), |rating| format!("{rating:.1}")),
            of.judged_answers.to_string(),
        ]
    });
    let workers = horizontal(&columns, rows);
    format!("{numbers}\n{workers}\nTry next:\n  {}\n", report.next.join("\n  "))
}

/// The field `label` of a result's answer.
fn label_of(result: &TaskResult) -> Option<String> {
    let answer: Value = serde_json::from_slice(&result.answer).ok()?;
    answer.get("label")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_measured_over_all_tasks() {
        let right = TaskResult {
            answer: images::answer(images::truth(7)),
            votes: vec![Default::default(); 3],
            ..Default::default()
        };
        let results = BTreeMap::from([(images::task_id(7), right)]);
        let stats = ProjectStats { expiries: 9, counted_late: 2, ..Default::default() };
        let tally = Tally { counted: 4, correct: 3, refused_late: 1 };
        let rating = Rating { overall: 80.0, judged_answers: 20, ..Default::default() };
        let crowd = [(Manner::Careful, tally, rating)];
        let report = of(&results, &stats, &crowd);
        assert_eq!((report.results, report.leases_reassigned), (1, 7));
        assert!((report.accuracy - 1.0 / 2_000.0).abs() < 1e-9);
        assert_eq!(report.workers[0].true_accuracy, Some(0.75));
        assert_eq!(report.workers[1].rating, None);
        assert!(table(&report).contains("answers per task"));
    }
}
