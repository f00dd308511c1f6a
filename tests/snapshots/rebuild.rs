//! Tables that are lost or damaged are made anew, without anybody's help, from a
//! snapshot and the journal behind it.

use std::fs;

use super::{files, flip, metric, named, trimmed};

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
    assert!(daemon.log().contains("the tables are older than the journal"));
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
