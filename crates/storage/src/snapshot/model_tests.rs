//! Snapshots of any history against a plain map.

use piecework_core::change::Change;
use piecework_core::{LeaseId, Position, ProjectId, TaskId, TaskNumber};
use proptest::prelude::*;

use crate::journal::LyingDisk;
use crate::tables::{Store, StoreSettings};

use super::history::samples::{Dice, at, name};
use super::history::{History, page_files, rows_of, settings};
use super::{SnapshotError, SnapshotSettings, Snapshots, Snapshotter, fold_digest};

/// Some groups, then a snapshot.
#[derive(Debug, Clone)]
struct Round {
    seed: u64,
    groups: u32,
    reopens: bool,
}

fn round() -> impl Strategy<Value = Round> {
    (any::<u64>(), 0..12_u32, any::<bool>()).prop_map(|(seed, groups, reopens)| Round {
        seed,
        groups,
        reopens,
    })
}

fn sizes() -> impl Strategy<Value = SnapshotSettings> {
    let file = prop_oneof![300..5_000_usize, Just(100_000)];
    let delta = prop_oneof![1..200_usize, 200..40_000_usize];
    (file, delta, 1..4_usize).prop_map(|(file_bytes, delta_bytes, kept)| SnapshotSettings {
        file_bytes,
        delta_bytes,
        kept,
        ..settings()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_has_the_rows_of_a_plain_map_however_it_was_merged(
        rounds in prop::collection::vec(round(), 1..8),
        settings in sizes(),
    ) {
        let disk = LyingDisk::new(1);
        let mut snapshots = Snapshots::open(disk.clone(), settings).expect("open");
        let mut history = History::default();
        for Round { seed, groups, reopens } in rounds {
            history.go_on(seed, groups);
            let info = history.snapshot(&snapshots).expect("snapshot");
            prop_assert_eq!(info.position, history.last());
            prop_assert_eq!(info.now, at(history.last().0));
            prop_assert_eq!((info.digest, info.rows), (history.digest(), history.rows.len() as u64));
            if reopens {
                snapshots = Snapshots::open(disk.clone(), settings).expect("open");
            }
            prop_assert_eq!(rows_of(&snapshots, info.position), history.rows.clone());
            prop_assert_eq!(snapshots.verify(info.position).expect("verify"), info.clone());
            prop_assert_eq!(snapshots.covered(), info.position);
            prop_assert!(snapshots.list().len() <= settings.kept);
            prop_assert!(snapshots.damaged().is_empty());
            // Nothing is left that no snapshot needs, and sizes add up.
            let needed: u64 = snapshots.list().iter().map(|info| info.own_bytes).sum();
            let stored: usize = page_files(&disk).iter().map(|page| disk.content(page).len()).sum();
            prop_assert_eq!(stored as u64, needed);
            // The digest of any position can be had without writing, from any start.
            let starts = snapshots.list().into_iter().map(|info| Some(info.position));
            for from in starts.chain([None]) {
                let folded = fold_digest(&snapshots, from, &|p| history.read(p), history.last());
                prop_assert_eq!(folded.expect("fold"), (info.digest, info.rows));
            }
        }
    }
}

#[test]
fn snapshots_agree_with_the_tables_that_took_the_same_groups() {
    for seed in 0..20 {
        let store = Store::in_memory(&StoreSettings::default());
        let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
        let mut history = History::default();
        for round in 0..3 {
            let from = history.last().next();
            history.go_on(seed * 3 + round, 20);
            for group in history.read(from).expect("groups").map(|group| group.expect("group")) {
                let (last, now) = (group.last(), group.now);
                store.publish(&group.body, last, now).expect("published");
            }
            store.checkpoint_now().expect("written");
            let (position, _, digest) = store.applied_digest().expect("no crash");
            assert_eq!(position, history.last());
            history.snapshot_expecting(&snapshots, Some(digest)).expect("they agree");
        }
    }
}

/// What comes, goes and comes again, with what is derived from it; two projects
/// share a name.
fn changes() -> [Change; 6] {
    let mut dice = Dice(3);
    let task = TaskId { project: ProjectId(1), number: TaskNumber(7) };
    let mut older = dice.project();
    (older.id, older.name) = (ProjectId(1), name("p", 1));
    let mut newer = dice.project();
    (newer.id, newer.name) = (ProjectId(2), name("p", 1));
    let number = task.number;
    [
        Change::Submission(Box::new(dice.submission(LeaseId { task, number: 1 }))),
        Change::TasksGone { project: task.project, first: number, last: number },
        Change::Project(Box::new(older)),
        Change::Project(Box::new(newer)),
        Change::ProjectGone(ProjectId(1)),
        Change::ProjectGone(ProjectId(2)),
    ]
}

#[test]
fn all_short_histories_of_derived_rows_agree_with_the_tables_wherever_a_snapshot_cuts_them() {
    const LENGTH: u32 = 4;
    let changes = changes();
    let kinds = changes.len();
    for number in 0..kinds.pow(LENGTH) {
        let order: Vec<usize> = (0..LENGTH).map(|at| number / kinds.pow(at) % kinds).collect();
        let mut history = History::default();
        order.iter().for_each(|change| history.push(vec![changes[*change].clone()], 1));
        let store = Store::in_memory(&StoreSettings::default());
        for group in history.read(Position(1)).expect("groups").map(|group| group.expect("group")) {
            store.publish(&group.body, group.last(), group.now).expect("published");
        }
        store.checkpoint_now().expect("written");
        let (_, _, tables) = store.applied_digest().expect("no crash");
        for cut in 1..u64::from(LENGTH) {
            let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
            history.snapshot_at(&snapshots, Position(cut), None).expect("snapshot");
            let info = history.snapshot_expecting(&snapshots, None).expect("snapshot");
            assert_eq!(info.digest, tables, "{order:?} cut behind {cut}");
        }
    }
}

#[test]
fn changes_that_do_not_fit_into_memory_are_merged_in_rounds() {
    let history = History::random(5, 40);
    let disk = LyingDisk::new(1);
    let once = Snapshots::open(disk.clone(), settings()).expect("open");
    history.snapshot(&once).expect("snapshot");
    let at_once = disk.operations();

    let disk = LyingDisk::new(1);
    let tiny = SnapshotSettings { delta_bytes: 1, ..settings() };
    let rounds = Snapshots::open(disk.clone(), tiny).expect("open");
    history.snapshot(&rounds).expect("snapshot");
    // One round a group: most of what is written is written again.
    assert!(disk.operations() > 3 * at_once, "{} against {at_once}", disk.operations());
    let (rounds, once) = (rounds.newest().expect("made"), once.newest().expect("made"));
    assert_eq!((rounds.digest, rounds.rows), (once.digest, once.rows));
}

#[test]
fn a_differing_digest_publishes_nothing_and_leaves_the_old_snapshot() {
    let disk = LyingDisk::new(1);
    let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
    let mut history = History::random(1, 10);
    let first = history.snapshot(&snapshots).expect("snapshot");
    let stale = history.digest();
    let before = disk.names();
    history.go_on(2, 10);
    let error = history.snapshot_expecting(&snapshots, Some(stale)).expect_err("differs");
    let SnapshotError::Differs { position, snapshot, tables } = error else { panic!("{error}") };
    assert_eq!((position, snapshot, tables), (history.last(), history.digest(), stale));
    assert_eq!(snapshots.newest(), Some(first));
    assert_eq!(disk.names(), before);
    history.snapshot(&snapshots).expect("the next one succeeds");
}

#[test]
fn a_snapshot_ends_where_a_group_ends() {
    let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
    let mut history = History::default();
    let task = TaskId { project: ProjectId(1), number: TaskNumber(1) };
    let change = Change::Task(Box::new(Dice(1).record(task)));
    history.push(vec![change], 3);
    let make = |to: u64| {
        let mut maker = Snapshotter::begin(&snapshots, Position(to), at(to), None)?;
        maker.step(&|from| history.read(from))
    };
    assert!(matches!(
        make(2),
        Err(SnapshotError::InsideGroup { to: Position(2), first: Position(1), last: Position(3) })
    ));
}

#[test]
fn a_journal_that_ends_too_early_is_named() {
    let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
    let history = History::random(1, 2);
    let (last, to) = (history.last(), history.last().next());
    let mut maker = Snapshotter::begin(&snapshots, to, at(to.0), None).expect("begin");
    let error = maker.step(&|from| history.read(from)).expect_err("ends");
    assert!(
        matches!(error, SnapshotError::JournalEnds { next, to: asked } if (next, asked) == (last.next(), to)),
        "{error}"
    );
    let again = maker.step(&|from| history.read(from)).expect_err("no second try");
    assert!(matches!(again, SnapshotError::Stopped), "{again}");
}

#[test]
fn one_snapshot_is_made_at_a_time_and_none_older_than_the_newest() {
    let snapshots = Snapshots::open(LyingDisk::new(1), settings()).expect("open");
    let history = History::random(1, 3);
    let now = at(history.last().0);
    let maker = Snapshotter::begin(&snapshots, history.last(), now, None).expect("begin");
    assert!(matches!(history.snapshot(&snapshots), Err(SnapshotError::Busy)));
    drop(maker);
    let info = history.snapshot(&snapshots).expect("free again");
    // At the same position again there is nothing to do but to compare.
    assert_eq!(history.snapshot(&snapshots).expect("the same"), info);
    let error = Snapshotter::begin(&snapshots, Position(1), now, None).expect_err("older");
    assert!(matches!(error, SnapshotError::Behind { to: Position(1), .. }), "{error}");
}
