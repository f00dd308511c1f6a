//! The mistakes that can be planted here break what they are said to break.
//!
//! One process each: the runner of tests sees to that.

use piecework_core::change::Change;
use piecework_core::planted::{Mistake, plant};
use piecework_core::{ProjectId, TaskNumber};

use crate::journal::LyingDisk;

use super::history::{History, rows_of, settings};
use super::{SnapshotError, Snapshots};

#[test]
fn a_snapshot_that_keeps_what_is_gone_differs_from_the_tables() {
    let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
    let mut history = History::random(1, 20);
    history.snapshot(&snapshots).expect("snapshot");
    let (first, last) = (TaskNumber(0), TaskNumber(u32::MAX));
    let all = (1..=3).map(|project| Change::TasksGone { project: ProjectId(project), first, last });
    history.push(all.collect(), 1);
    plant(Some(Mistake::SnapshotKeepsGone));
    let error = history.snapshot(&snapshots).expect_err("differs");
    plant(None);
    assert!(matches!(error, SnapshotError::Differs { .. }), "{error}");
}

#[test]
fn an_unchecked_snapshot_is_published_although_the_tables_differ() {
    let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
    let history = History::random(1, 20);
    let wrong = Some(History::default().digest());
    assert!(history.snapshot_expecting(&snapshots, wrong).is_err());
    plant(Some(Mistake::SnapshotUnchecked));
    let made = history.snapshot_expecting(&snapshots, wrong);
    plant(None);
    assert_eq!(rows_of(&snapshots, made.expect("made").position), history.rows);
}
