//! A group as it grows: what it leaves in the tables is what its commands would.

use bytes::Bytes;
use piecework_core::change::{Change, Changed};
use piecework_core::worker::WorkTally;
use piecework_core::{Position, ProjectId, WorkerId};
use piecework_storage::{GroupBody, Row, Store, StoreSettings, decode_group, encode_command};
use proptest::prelude::*;

use crate::samples::{Dice, at, changed, header};

/// The digest of the tables after these groups of commands.
fn digest_of(groups: &[Vec<Vec<Changed>>], write: fn(&[Vec<Changed>]) -> Bytes) -> String {
    let store = Store::in_memory(&StoreSettings::default());
    let mut last = Position(0);
    for (number, group) in (1..).zip(groups) {
        last = Position(last.0 + group.len() as u64);
        store.publish(&write(group), last, at(number)).expect("rows of our own");
    }
    store.checkpoint_now().expect("memory is there");
    format!("{:?}", store.rows_digest())
}

fn one_by_one(group: &[Vec<Changed>]) -> Bytes {
    let mut body = Vec::new();
    for changes in group {
        encode_command(&mut body, &header(), changes);
    }
    body.into()
}

fn as_it_grows(group: &[Vec<Changed>]) -> Bytes {
    let mut body = GroupBody::default();
    group.iter().for_each(|changes| body.push(&header(), changes));
    body.finish().into()
}

fn puts(body: &Bytes) -> Vec<usize> {
    let commands = decode_group(body).expect("whole").into_iter();
    commands.map(|c| c.rows.iter().filter(|row| matches!(row, Row::Put { .. })).count()).collect()
}

fn tally(project: u32, answers: u32) -> Changed {
    let (project, worker) = (ProjectId(project), WorkerId(3));
    let tally = WorkTally { project, worker, answers, p75_ms: 0 };
    changed(Change::WorkTally(tally))
}

proptest! {
    /// Whatever changes, also counts of projects that go in the same group.
    #[test]
    fn the_tables_are_the_same(seed: u64, sizes in prop::collection::vec(1_usize..12, 1..8)) {
        let mut dice = Dice(seed);
        let mut command = |_| {
            let changes = 1 + dice.below(9);
            (0..changes).map(|_| changed(dice.change_of_today())).collect::<Vec<_>>()
        };
        let groups: Vec<Vec<Vec<Changed>>> =
            sizes.iter().map(|size| (0..*size).map(&mut command).collect()).collect();
        prop_assert_eq!(digest_of(&groups, as_it_grows), digest_of(&groups, one_by_one));
    }
}

#[test]
fn the_last_command_has_the_counts_of_all() {
    let group = [vec![tally(1, 1)], vec![tally(1, 2), tally(2, 1)], vec![tally(1, 3)]];
    assert_eq!(puts(&one_by_one(&group)), [1, 2, 1]);
    assert_eq!(puts(&as_it_grows(&group)), [0, 0, 2]);
}

#[test]
fn what_was_counted_goes_with_its_project_and_no_other() {
    let gone = changed(Change::ProjectGone(ProjectId(1)));
    let group = [vec![tally(1, 1), tally(2, 1)], vec![gone], vec![tally(3, 1)]];
    assert_eq!(puts(&as_it_grows(&group)), [0, 0, 2]);
    assert_eq!(digest_of(&[group.to_vec()], as_it_grows), digest_of(&[group.to_vec()], one_by_one));
}

#[test]
fn a_group_of_nothing_is_empty() {
    assert!(as_it_grows(&[]).is_empty());
}
