//! Tables that are lost or damaged are made anew, without anybody's help, from a
//! snapshot and the journal behind it.

use std::fs;

use super::{files, flip, metric, named, trimmed};
use crate::harness::{Daemon, piecework, piecework_at};

const FROM_SNAPSHOT: &str = "piecework_tables_rebuilt_total{from=\"snapshot\"}";

#[tokio::test]
async fn removed_tables_are_rebuilt_from_a_snapshot_and_the_trimmed_journal() {
    let mut daemon = trimmed().await;
    assert_eq!(metric(&daemon, FROM_SNAPSHOT).await, 0.0);
    let before = daemon.platform().picture().await;
    daemon.kill().await;
    fs::remove_dir_all(daemon.data().join("tables")).expect("removed");
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(metric(&daemon, FROM_SNAPSHOT).await, 1.0);
    assert!(daemon.log().contains("empty tables are filled again from=\"snapshot\""));
    // And from now on as ever.
    daemon.restart().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(metric(&daemon, FROM_SNAPSHOT).await, 0.0);
}

#[tokio::test]
async fn damaged_tables_are_rebuilt() {
    let mut daemon = trimmed().await;
    let before = daemon.platform().picture().await;
    assert!(daemon.stop().await.success());
    let pages = daemon.data().join("tables/pages/db");
    let mut content = fs::read(&pages).expect("read");
    for byte in content.iter_mut().step_by(1_000) {
        *byte ^= 0x55;
    }
    fs::write(&pages, content).expect("written");
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(metric(&daemon, FROM_SNAPSHOT).await, 1.0);
}

#[tokio::test]
async fn an_old_copy_of_the_tables_is_set_aside() {
    let mut daemon = trimmed().await;
    daemon.kill().await;
    let (tables, copy) = (daemon.data().join("tables"), daemon.home().join("copy"));
    fs::rename(&tables, &copy).expect("moved");
    daemon.resume().await;
    let other = daemon.platform().project("later").await;
    let oldest = named(&daemon, "journal", ".segment").remove(0);
    crate::harness::wait_until("the journal goes on", async || {
        super::heavy_tasks(&daemon.platform(), &other, 5).await;
        (!oldest.exists()).then_some(())
    })
    .await;
    let before = daemon.platform().picture().await;
    daemon.kill().await;
    fs::remove_dir_all(&tables).expect("removed");
    fs::rename(&copy, &tables).expect("moved back");
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert!(daemon.log().contains("the tables do not reach the journal"));
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over_for_the_one_before_it() {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    for label in ["a", "b"] {
        platform.tasks(&project, &[label]).await;
        piecework_at(&daemon.server(), &["snapshot", "create"]).await.ended(0);
    }
    platform.tasks(&project, &["c"]).await;
    let before = platform.picture().await;
    daemon.kill().await;
    fs::remove_dir_all(daemon.data().join("tables")).expect("removed");
    let snapshots = named(&daemon, "snapshots", ".manifest");
    flip(&snapshots[1], 40);
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    assert_eq!(metric(&daemon, FROM_SNAPSHOT).await, 1.0);
    assert!(daemon.log().contains(snapshots[1].to_str().unwrap()), "{}", daemon.log());
    // The next one is made of the good one and the journal.
    let data = daemon.data();
    piecework_at(&daemon.server(), &["snapshot", "create"]).await.ended(0);
    let newest = named(&daemon, "snapshots", ".manifest").pop().expect("a snapshot");
    let newest = newest.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
    let args = ["snapshot", "verify", &newest, "--data-dir", data.to_str().unwrap()];
    piecework(&args).await.ended(0);
}

#[tokio::test]
async fn without_a_whole_snapshot_the_journal_is_kept_and_the_daemon_serves_and_says_so() {
    let mut daemon = trimmed().await;
    let before = daemon.platform().picture().await;
    daemon.kill().await;
    let snapshots = named(&daemon, "snapshots", ".manifest");
    snapshots.iter().for_each(|manifest| flip(manifest, 40));
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    let oldest = named(&daemon, "journal", ".segment").remove(0);
    let refused = piecework_at(&daemon.server(), &["snapshot", "create"]).await.ended(1);
    refused.says(&["SNAPSHOT_FAILED", "could not be made"]);
    assert_eq!(metric(&daemon, "piecework_snapshot_base_lost").await, 1.0);
    assert!(metric(&daemon, "piecework_snapshot_failures_total").await >= 1.0);
    assert!(daemon.log().contains("the journal does not reach back"), "{}", daemon.log());
    assert!(oldest.exists());
    // The files mended, it goes on where it was.
    assert!(daemon.stop().await.success());
    snapshots.iter().for_each(|manifest| flip(manifest, 40));
    daemon.resume().await;
    piecework_at(&daemon.server(), &["snapshot", "create"]).await.ended(0);
    assert_eq!(metric(&daemon, "piecework_snapshot_base_lost").await, 0.0);
    assert_eq!(daemon.platform().picture().await, before);
}

#[tokio::test]
async fn a_gap_that_no_snapshot_fills_is_told_with_every_snapshot_and_nothing_is_touched() {
    let mut daemon = trimmed().await;
    let before = daemon.platform().picture().await;
    daemon.kill().await;
    let (tables, aside) = (daemon.data().join("tables"), daemon.home().join("aside"));
    fs::rename(&tables, &aside).expect("moved");
    let newest = named(&daemon, "snapshots", ".manifest").pop().expect("a snapshot");
    flip(&newest, 40);
    let journal = files(&daemon.data().join("journal")).len();
    let failed = daemon.try_resume().await.expect_err("refused");
    assert_eq!(failed.status.code(), Some(3), "{}", failed.stderr);
    for part in ["the tables end at position 0", "piecework restore", newest.to_str().unwrap()] {
        assert!(failed.stderr.contains(part), "no {part:?} in {}", failed.stderr);
    }
    assert!(files(&daemon.data().join("journal")).len() >= journal);
    // Mended, it is all there.
    flip(&newest, 40);
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
}
