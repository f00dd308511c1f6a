//! `piecework verify`: reads everything, changes nothing, names what is wrong.

use std::fs;

use super::{files, flip, named, trimmed};
use crate::harness::{Daemon, Ran, piecework};

async fn verify(daemon: &Daemon) -> Ran {
    let data = daemon.data();
    piecework(&["verify", "--data-dir", data.to_str().unwrap(), "-o", "json"]).await
}

/// A place in the first frame of a segment.
const IN_A_FRAME: usize = 40;

#[tokio::test]
async fn a_good_directory_has_one_digest_and_is_not_touched() {
    let mut daemon = trimmed().await;
    let in_use = verify(&daemon).await.ended(2);
    assert!(in_use.stderr.contains("is in use by process"), "{}", in_use.stderr);
    // Killed: there is a tail that the tables do not have.
    daemon.kill().await;
    let before = files(&daemon.data());
    let first = verify(&daemon).await.ended(0).json();
    let second = verify(&daemon).await.ended(0).json();
    assert_eq!(first, second);
    assert!(files(&daemon.data()) == before, "a byte has changed");
    let rows = first.as_array().expect("rows");
    let parts: Vec<&str> = rows.iter().filter_map(|row| row["part"].as_str()).collect();
    let snapshots = named(&daemon, "snapshots", ".manifest").len();
    assert_eq!(parts[..snapshots], vec!["snapshot"; snapshots]);
    assert_eq!(parts[snapshots..], ["tables", "journal", "state"]);
    assert!(rows.iter().all(|row| row["found"] == "good"), "{rows:#?}");

    // Without tables the state is the same: it is made of the rest.
    fs::remove_dir_all(daemon.data().join("tables")).expect("removed");
    let without = verify(&daemon).await.ended(0).json();
    assert_eq!(without.as_array().unwrap().last(), rows.last());
    // A start takes a position, so the digest moves on with it.
    daemon.resume().await;
    assert!(daemon.stop().await.success());
    let later = verify(&daemon).await.ended(0).json();
    assert_ne!(later.as_array().unwrap().last(), rows.last());
}

#[tokio::test]
async fn each_damaged_part_is_named_with_file_and_position() {
    let mut daemon = trimmed().await;
    assert!(daemon.stop().await.success());

    // Others are spare, and what is in them means nothing.
    let claim = fs::read_to_string(daemon.data().join("journal/claim")).expect("read");
    let listed = claim.lines().find_map(|line| line.strip_prefix("segment "));
    let number = listed.and_then(|rest| rest.split(' ').next()).expect("a segment");
    let segment = daemon.data().join(format!("journal/{number:0>10}.segment"));
    flip(&segment, IN_A_FRAME);
    let shown = segment.to_str().unwrap();
    verify(&daemon).await.ended(3).says(&[shown, "is damaged at byte 0", "position", "backup"]);
    flip(&segment, IN_A_FRAME);

    let page = named(&daemon, "snapshots", ".rows").remove(0);
    flip(&page, 50);
    let shown = page.to_str().unwrap();
    let ran = verify(&daemon).await.ended(3).says(&[shown, "is damaged", "snapshot create"]);
    let rows = ran.json();
    let damaged = rows.as_array().unwrap().iter().find(|row| row["found"] == "damaged");
    assert!(damaged.expect("a row")["position"].as_u64().is_some_and(|at| at > 0));
    flip(&page, 50);

    let pages = daemon.data().join("tables/pages/db");
    let good = fs::read(&pages).expect("read");
    let mut bad = good.clone();
    bad.iter_mut().step_by(1_000).for_each(|byte| *byte ^= 0x55);
    fs::write(&pages, bad).expect("written");
    let tables = daemon.data().join("tables");
    let ran = verify(&daemon).await.ended(3).says(&[tables.to_str().unwrap(), "nothing is lost"]);
    // The rest is whole, so the state is known all the same.
    assert_eq!(ran.json().as_array().unwrap().last().unwrap()["part"], "state");
    fs::write(&pages, good).expect("written");

    verify(&daemon).await.ended(0);
}

#[tokio::test]
async fn a_place_without_data_is_told() {
    let daemon = Daemon::not_started(&[]);
    let ran = verify(&daemon).await.ended(2);
    assert!(ran.stderr.contains("there is no data directory at"), "{}", ran.stderr);
}
