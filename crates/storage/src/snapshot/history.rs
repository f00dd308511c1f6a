//! For the tests: a journal in memory, the rows as a plain map, and snapshots of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use piecework_core::change::Change;
use piecework_core::{LeaseId, Position, ProjectId, WorkerId};

use crate::digest::RowsDigest;
use crate::group::decode_group;
use crate::journal::{Disk, Group, GroupReader, JournalError, JournalId, LyingDisk};
use crate::tables::{Key, Row, RowId};

use super::{
    SnapshotError, SnapshotInfo, SnapshotProgress, SnapshotSettings, Snapshots, Snapshotter,
};
use samples::{Dice, TENANT, at, body};

#[path = "../../tests/tables/samples.rs"]
pub(super) mod samples;

/// Small pages, one round, two kept.
pub(super) fn settings() -> SnapshotSettings {
    SnapshotSettings { journal: JournalId(9), file_bytes: 2048, delta_bytes: usize::MAX, kept: 2 }
}

/// Groups, and what the rows are after the last of them. Shares no code with
/// snapshots but keys and values.
#[derive(Default)]
pub(super) struct History {
    groups: Vec<Group>,
    pub(super) rows: BTreeMap<Key, Bytes>,
    answers: BTreeMap<LeaseId, (WorkerId, u32)>,
    names: BTreeMap<ProjectId, String>,
}

impl History {
    /// Some groups of random changes.
    pub(super) fn random(seed: u64, groups: u32) -> History {
        let mut history = History::default();
        history.go_on(seed, groups);
        history
    }

    pub(super) fn go_on(&mut self, seed: u64, groups: u32) {
        let mut dice = Dice(seed);
        for _ in 0..groups {
            let changes = (0..1 + dice.below(6)).map(|_| dice.change_of_today()).collect();
            self.push(changes, 1 + dice.below(3));
        }
    }

    /// One group of `count` positions.
    pub(super) fn push(&mut self, changes: Vec<Change>, count: u32) {
        changes.iter().for_each(|change| self.apply(change));
        let first = self.last().next();
        let now = at(first.0);
        self.groups.push(Group { first, count, now, body: body(changes) });
    }

    pub(super) fn last(&self) -> Position {
        self.groups.last().map_or(Position(0), Group::last)
    }

    pub(super) fn digest(&self) -> RowsDigest {
        let mut digest = RowsDigest::default();
        self.rows.iter().for_each(|(key, value)| digest.add(key.as_bytes(), value));
        digest
    }

    /// As `Journal::read`.
    pub(super) fn read(&self, from: Position) -> Result<GroupReader, JournalError> {
        let groups = self.groups.iter().filter(|group| group.last() >= from);
        Ok(Box::new(groups.cloned().map(Ok).collect::<Vec<_>>().into_iter()))
    }

    /// A snapshot of all rows, compared with the map's digest.
    pub(super) fn snapshot<D: Disk>(
        &self,
        snapshots: &Snapshots<D>,
    ) -> Result<SnapshotInfo, SnapshotError> {
        self.snapshot_expecting(snapshots, Some(self.digest()))
    }

    pub(super) fn snapshot_expecting<D: Disk>(
        &self,
        snapshots: &Snapshots<D>,
        expected: Option<RowsDigest>,
    ) -> Result<SnapshotInfo, SnapshotError> {
        self.snapshot_at(snapshots, self.last(), expected)
    }

    pub(super) fn snapshot_at<D: Disk>(
        &self,
        snapshots: &Snapshots<D>,
        to: Position,
        expected: Option<RowsDigest>,
    ) -> Result<SnapshotInfo, SnapshotError> {
        let mut maker = Snapshotter::begin(snapshots, to, at(to.0), expected)?;
        loop {
            if let SnapshotProgress::Done(info) = maker.step(&|from| self.read(from))? {
                return Ok(info);
            }
        }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Submission(s) => {
                self.answers.insert(s.lease, (s.worker, s.nth));
            }
            Change::Project(p) => {
                self.names.insert(p.id, p.name.as_str().to_owned());
            }
            _ => {}
        }
        for row in decode_group(&body([change.clone()])).expect("ours").remove(0).rows {
            match row {
                Row::Put { key, value } => {
                    self.rows.insert(key, value);
                }
                Row::Gone { key } => {
                    self.rows.remove(&key);
                }
                Row::RangeGone { first, last } => {
                    let gone = |key: &Key| (&first..=&last).contains(&key);
                    let keys: Vec<Key> = self.rows.keys().filter(|k| gone(k)).cloned().collect();
                    keys.iter().for_each(|key| self.remove(key));
                }
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        self.rows.remove(key);
        let derived = match key.row().expect("ours").1 {
            RowId::Submission(lease) => {
                let (worker, nth) = self.answers[&lease];
                Some(Key::new(TENANT, RowId::AnswerOfWorker(worker, nth)))
            }
            RowId::Project(id) => Some(Key::new(TENANT, RowId::ProjectName(&self.names[&id]))),
            _ => None,
        };
        derived.map(|derived| self.rows.remove(&derived));
    }
}

/// The rows of a snapshot as a plain map.
pub(super) fn rows_of<D: Disk>(
    snapshots: &Snapshots<D>,
    position: Position,
) -> BTreeMap<Key, Bytes> {
    let rows = snapshots.rows(position).expect("whole");
    rows.collect::<Result<_, _>>().expect("undamaged")
}

/// The page files on a disk.
pub(super) fn page_files(disk: &LyingDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(".rows")).collect()
}
