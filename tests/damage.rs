//! Damage to tables and snapshots, as the operator sees it: made good with a line
//! in the log and a metric, or refused with the file's name and what to do.
//!
//! Not here: every byte of a directory (`crates/sim`), the journal's damages
//! (`restart/directory.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use piecework_client::proto::v1::CreateSnapshotRequest;

use crate::harness::{Daemon, get, wait_until};

/// A payload that is found again in the tables' file.
const PAYLOAD: &str = "a-task-with-a-long-and-remarkable-payload";

type Picture = BTreeMap<String, String>;

/// Many groups in small segments.
async fn with_a_history() -> Daemon {
    let daemon = Daemon::with(&[("PIECEWORK_SEGMENT_BYTES", "32768")]).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &[PAYLOAD]).await;
    platform.numbered_tasks(&project, 20).await;
    let ann = platform.worker("ann").await;
    for _ in 0..12 {
        platform.answer_one(&ann, &project, "a").await;
    }
    daemon
}

/// The same with a snapshot, behind which the journal goes on: without tables it
/// is needed. Stopped.
async fn with_a_needed_snapshot() -> (Daemon, Picture) {
    let mut daemon = with_a_history().await;
    let platform = daemon.platform();
    platform.client.admin().create_snapshot(CreateSnapshotRequest {}).await.expect("a snapshot");
    wait_until("the journal is trimmed", async || {
        let claim = fs::read_to_string(daemon.data().join("journal/claim")).expect("a claim");
        (!claim.contains("\noldest 1 ")).then_some(())
    })
    .await;
    let picture = platform.picture().await;
    assert!(daemon.stop().await.success());
    (daemon, picture)
}

/// The only file in a part of the data directory whose name ends so.
fn file(daemon: &Daemon, part: &str, ending: &str) -> PathBuf {
    let entries = fs::read_dir(daemon.data().join(part)).expect("listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending))).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Flips a bit in the middle of a file. Returns what it held.
fn flip(path: &PathBuf) -> Vec<u8> {
    let whole = fs::read(path).expect("read");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x10;
    fs::write(path, damaged).expect("written");
    whole
}

fn remove_tables(daemon: &Daemon) {
    fs::remove_dir_all(daemon.data().join("tables")).expect("removed");
}

/// How often tables were made anew in this life.
async fn rebuilt(daemon: &Daemon, from: &str) -> f64 {
    let page = get(daemon.metrics(), "/metrics").await;
    page.value(&format!("piecework_tables_rebuilt_total{{from=\"{from}\"}}"))
}

/// Flips a bit of each copy of a row in the tables' files.
fn damage_tables(daemon: &Daemon) {
    let mut copies = 0;
    for file in fs::read_dir(daemon.data().join("tables/pages/log")).expect("listed") {
        let path = file.expect("listed").path();
        let mut content = fs::read(&path).expect("read");
        let is_here = |at: &usize| content[*at..].starts_with(PAYLOAD.as_bytes());
        let places: Vec<usize> = (0..content.len()).filter(is_here).collect();
        places.iter().for_each(|at| content[*at] ^= 0x10);
        fs::write(&path, content).expect("written");
        copies += places.len();
    }
    assert!(copies > 0, "the payload is in no page");
}

#[tokio::test]
async fn a_damaged_table_is_made_anew_from_the_journal_with_a_word_and_a_count() {
    let mut daemon = with_a_history().await;
    let before = daemon.platform().picture().await;
    assert!(daemon.stop().await.success());
    damage_tables(&daemon);
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(rebuilt(&daemon, "journal").await, 1.0);
    // Whether the store noticed, or quietly forgot all behind the damage.
    assert!(daemon.log().contains("empty tables are filled again"), "{}", daemon.log());
}

#[tokio::test]
async fn a_damaged_table_over_a_trimmed_journal_is_made_anew_from_the_snapshot() {
    let (mut daemon, before) = with_a_needed_snapshot().await;
    damage_tables(&daemon);
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(rebuilt(&daemon, "snapshot").await, 1.0);
    assert!(daemon.log().contains("empty tables are filled again"), "{}", daemon.log());
    assert!(daemon.stop().await.success());
    remove_tables(&daemon);
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(rebuilt(&daemon, "snapshot").await, 1.0);
}

#[tokio::test]
async fn a_damaged_snapshot_that_is_not_needed_is_told_at_the_start() {
    let (mut daemon, before) = with_a_needed_snapshot().await;
    let manifest = file(&daemon, "snapshots", ".manifest");
    flip(&manifest);
    daemon.resume().await;
    let log = daemon.log();
    for part in ["a snapshot is damaged", manifest.to_str().expect("UTF-8")] {
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(rebuilt(&daemon, "snapshot").await, 0.0);
}

#[tokio::test]
async fn a_damaged_snapshot_that_is_needed_is_named_with_what_to_do() {
    let (mut daemon, before) = with_a_needed_snapshot().await;
    remove_tables(&daemon);
    for ending in [".manifest", ".rows"] {
        let damaged = file(&daemon, "snapshots", ending);
        let whole = flip(&damaged);
        let failed = daemon.try_resume().await.expect_err("refused");
        assert_eq!(failed.status.code(), Some(3), "{}", failed.stderr);
        let name = damaged.to_str().expect("UTF-8");
        for part in [name, "is damaged", "position", "try: ", "piecework restore"] {
            assert!(failed.stderr.contains(part), "no {part:?} in {}", failed.stderr);
        }
        // Refused, not given up: mended, all of it is there.
        fs::write(&damaged, whole).expect("written");
    }
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(rebuilt(&daemon, "snapshot").await, 1.0);
}
