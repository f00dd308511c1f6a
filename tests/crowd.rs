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
