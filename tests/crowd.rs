//! Real crowds, replayed: a result for every task, equal to the majority that
//! the tests count themselves.
//!
//! The recordings are not in the repository. They are looked for in
//! `PIECEWORK_CROWD_DATA`, else in `../shared/data/crowd` beside the workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Sheet, piecework};

fn recording(set: &str) -> Option<PathBuf> {
    let data = match std::env::var_os("PIECEWORK_CROWD_DATA") {
        Some(data) => PathBuf::from(data),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crowd"),
    };
    let directory = data.join(set);
    if directory.join("labels.csv").is_file() {
        return Some(directory);
    }
    println!("skipped: no recording {}", directory.display());
    None
}

/// The lines of `--results`: task and answer.
pub(crate) fn results(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).expect("the results");
    let result = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let field = |name: &str| line[name].as_str().expect("a text").to_owned();
        (field("task"), field("answer"))
    };
    text.lines().map(result).collect()
}

async fn replays(set: &str, tasks: usize, labels: usize) {
    let Some(directory) = recording(set) else { return };
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("results.jsonl");
    let args = [
        "replay".as_ref(),
        directory.as_os_str(),
        "-o".as_ref(),
        "json".as_ref(),
        "--results".as_ref(),
        file.as_os_str(),
    ];
    let summary = piecework(&args).await.ended(0).json();
    let sheet = Sheet::read(&directory.join("labels.csv"));
    assert_eq!((summary["tasks"].as_u64(), summary["results"].as_u64()), {
        let tasks = Some(tasks as u64);
        (tasks, tasks)
    });
    assert_eq!(summary["answers_counted"].as_u64(), Some(labels as u64));
    assert_eq!((sheet.rows.len(), sheet.pairs()), (labels, labels));
    assert_eq!(results(&file), sheet.majorities());
    assert!(summary["accuracy"].as_f64().is_some_and(|share| share > 0.5), "{summary}");
}

#[tokio::test]
async fn rte_replays_to_the_majority() {
    replays("rte", 800, 8_000).await;
}

#[tokio::test]
async fn bluebird_replays_to_the_majority() {
    replays("bluebird", 108, 4_212).await;
}

#[tokio::test]
async fn weather_replays_to_the_majority() {
    replays("weather_amt", 300, 6_025).await;
}

#[tokio::test]
async fn music_genre_replays_to_the_majority() {
    replays("music_genre", 700, 2_945).await;
}

/// What a replay says with these flags; `None`: the recording is not there.
async fn replayed(set: &str, flags: &[&str]) -> Option<Value> {
    let directory = recording(set)?;
    let mut args = vec!["replay".as_ref(), directory.as_os_str(), "-o".as_ref(), "json".as_ref()];
    args.extend(flags.iter().map(std::ffi::OsStr::new));
    Some(piecework(&args).await.ended(0).json())
}

fn percent(summary: &Value) -> f64 {
    100.0 * summary["accuracy"].as_f64().expect("the truth is known")
}

/// All labels used: crowd-kit 1.4.2's Dawid–Skene, and the majority with the ties of
/// `labels.csv`, in percent.
const KNOWN: [(&str, f64, f64); 4] = [
    ("rte", 92.75, 90.25),
    ("bluebird", 88.89, 75.93),
    ("weather_amt", 84.0, 85.67),
    ("music_genre", 76.86, 78.29),
];

#[tokio::test]
async fn dawid_skene_says_what_others_say() {
    for (set, known, _) in KNOWN {
        let Some(summary) = replayed(set, &["--aggregate", "dawid_skene"]).await else { return };
        let off = (percent(&summary) - known).abs();
        assert!(off <= 0.5, "{set}: {off} points from {known}");
    }
}

#[tokio::test]
async fn the_default_method_is_the_best_on_average_and_nowhere_worse_than_the_majority() {
    let mut sum = 0.0;
    for (set, _, majority) in KNOWN {
        let Some(summary) = replayed(set, &["--aggregate", "default"]).await else { return };
        assert!(percent(&summary) >= majority - 1.0, "{set}: {summary}");
        sum += percent(&summary);
    }
    assert!(sum / 4.0 >= 86.5, "{}", sum / 4.0);
}

/// The figures of a quiet machine are in `crates/core/README.md`; here others run beside.
#[tokio::test]
async fn a_task_that_is_sure_takes_no_more_labels() {
    let flags = ["--aggregate", "default", "--overlap", "dynamic", "--order", "random"];
    for (set, accuracy, share) in [("rte", 88.0, 0.6), ("bluebird", 70.0, 0.35)] {
        let Some(summary) = replayed(set, &flags).await else { return };
        let count = |name: &str| summary[name].as_u64().expect("a count");
        assert!(percent(&summary) >= accuracy, "{set}: {summary}");
        let (used, saved) = (count("answers_used"), count("answers_saved"));
        assert_eq!(used + saved, count("labels"));
        assert!(used as f64 <= share * count("labels") as f64, "{set}: {summary}");
    }
}
