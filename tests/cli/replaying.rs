//! The flags of `replay`, and what is wrong with some.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ran, piecework};

/// Three workers on four tasks; two tasks of which all three say the same.
fn recording() -> TempDir {
    let home = tempfile::tempdir().expect("temp");
    let mut labels = "task,worker,label\n".to_owned();
    for (task, said) in [("t1", "aaa"), ("t2", "bbb"), ("t3", "aab"), ("t4", "bab")] {
        for (worker, label) in said.chars().enumerate() {
            labels.push_str(&format!("{task},w{worker},{label}\n"));
        }
    }
    std::fs::write(home.path().join("labels.csv"), labels).expect("written");
    let truth = "task,label\nt1,a\nt2,b\nt3,a\nt4,b\n";
    std::fs::write(home.path().join("truth.csv"), truth).expect("written");
    home
}

async fn replay(directory: &Path, flags: &[&str]) -> Ran {
    let directory = directory.to_str().expect("UTF-8");
    piecework(&[&["replay", directory, "-o", "json"][..], flags].concat()).await
}

fn counts(summary: &Value) -> [u64; 4] {
    let names = ["labels", "answers_used", "answers_saved", "results"];
    names.map(|name| summary[name].as_u64().unwrap_or_else(|| panic!("{name}: {summary}")))
}

#[tokio::test]
async fn a_wrong_flag_is_named_before_anything_is_sent() {
    let home = recording();
    let dynamic = ["--overlap", "dynamic"];
    for (flags, says) in [
        (&["--target", "0"][..], &["--target 0", "above 0"][..]),
        (&["--target", "nan"], &["--target NaN", "above 0"]),
        (&["--target=-0.5"], &["--target -0.5"]),
        (&["--target", "1.5"], &["--target 1.5", "at most 1"]),
        (&["--target", "inf"], &["--target inf"]),
        (&["--target", "sure"], &["--target", "sure"]),
        (&["--min", "0"], &["--min", "0"]),
        (&["--min", "1001"], &["--min", "1001"]),
        (&["--min=-2"], &["--min", "-2"]),
        (&["--order", "random", "--seed", "x"], &["--seed", "x"]),
        (&["--order", "nonsense"], &["--order", "file, random"]),
        (&["--aggregate", "best"], &["--aggregate", "majority, weighted, online, dawid_skene"]),
        (&["--aggregate", "dawid-skene"], &["--aggregate", "dawid_skene"]),
    ] {
        let ran = replay(home.path(), &[&dynamic, flags].concat()).await.ended(2).says(says);
        assert_eq!(ran.stdout, "", "{flags:?}");
    }
    let ran = replay(home.path(), &["--overlap", "nonsense"]).await;
    ran.ended(2).says(&["--overlap", "fixed, dynamic"]);
}

/// A flag that does nothing is a mistake of whoever wrote it.
#[tokio::test]
async fn a_flag_that_would_do_nothing_is_refused() {
    let home = recording();
    for (flags, says) in [
        (&["--target", "0.9"][..], &["--target", "--overlap dynamic"][..]),
        (&["--min", "3"], &["--min", "--overlap dynamic"]),
        (&["--seed", "7"], &["--seed", "--order random"]),
        (&["--overlap", "fixed", "--min", "3"], &["--min", "--overlap dynamic"]),
        (&["--order", "file", "--seed", "1"], &["--seed", "--order random"]),
    ] {
        replay(home.path(), flags).await.ended(2).says(says);
    }
}

#[tokio::test]
async fn labels_that_a_sure_task_does_not_need_are_saved_and_counted() {
    let home = recording();
    let fixed = replay(home.path(), &[]).await.ended(0).json();
    assert_eq!(counts(&fixed), [12, 12, 0, 4], "{fixed}");
    let flags = ["--overlap", "dynamic", "--target", "0.6", "--min", "2"];
    let saved = replay(home.path(), &flags).await.ended(0).json();
    assert_eq!(counts(&saved), [12, 9, 3, 4], "{saved}");
    assert_eq!(saved["accuracy"], 1.0, "{saved}");
}

/// No task has so many labels: all that there are count, and every task has a result.
#[tokio::test]
async fn a_minimum_above_what_was_recorded_takes_every_label() {
    let home = recording();
    let flags = ["--overlap", "dynamic", "--min", "5"];
    let summary = replay(home.path(), &flags).await.ended(0).json();
    assert_eq!(counts(&summary), [12, 12, 0, 4], "{summary}");
}

/// Without a seed the order is that of seed 1: a replay can be repeated.
#[tokio::test]
async fn a_random_order_without_a_seed_is_a_known_one() {
    let home = recording();
    let flags = ["--overlap", "dynamic", "--target", "0.6", "--order", "random"];
    let plain = replay(home.path(), &flags).await.ended(0).json();
    let first = replay(home.path(), &[&flags[..], &["--seed", "1"]].concat()).await.ended(0).json();
    assert_eq!(counts(&plain), counts(&first), "{plain} {first}");
    let project = |summary: &Value| {
        let name = summary["project"].as_str().expect("a name").to_owned();
        name.rsplit_once('-').map(|(of, _)| of.to_owned())
    };
    assert_eq!(project(&plain), project(&first), "the same plan is the same replay");
}
