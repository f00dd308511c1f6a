//! What snapshots share, and what goes when one of them goes.

use piecework_core::change::Change;
use piecework_core::{Position, ProjectId, TaskId, TaskNumber};

use crate::journal::LyingDisk;

use super::history::samples::Dice;
use super::history::{History, page_files, rows_of, settings};
use super::{SnapshotError, SnapshotSettings, Snapshots, Snapshotter};

fn spec(number: u32, filler: u8) -> Change {
    let id = TaskId { project: ProjectId(1), number: TaskNumber(number) };
    let mut spec = Dice(u64::from(number)).spec(id);
    spec.payload = vec![filler; 100];
    Change::Specs(vec![spec.into()])
}

/// A thousand tasks in one snapshot.
fn tasks(disk: &LyingDisk) -> (History, Snapshots<LyingDisk>) {
    let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
    let mut history = History::default();
    history.push((1..=1_000).map(|number| spec(number, 1)).collect(), 1);
    history.snapshot(&snapshots).expect("snapshot");
    (history, snapshots)
}

#[test]
fn one_changed_row_makes_one_new_page_and_shares_the_rest() {
    let disk = LyingDisk::new(1);
    let (mut history, snapshots) = tasks(&disk);
    let before = page_files(&disk);
    assert!(before.len() > 20, "{} pages", before.len());
    history.push(vec![spec(500, 2)], 1);
    let operations = disk.operations();
    let info = history.snapshot(&snapshots).expect("snapshot");
    let new: Vec<_> = page_files(&disk).into_iter().filter(|page| !before.contains(page)).collect();
    let [new] = &new[..] else { panic!("{new:?}") };
    assert_eq!(info.own_bytes, disk.content(new).len() as u64);
    assert_eq!(page_files(&disk).len(), before.len() + 1);
    // A page and a manifest: created, written, synced and renamed, and two syncs of names.
    assert_eq!(disk.operations() - operations, 2 * 4 + 2);
}

#[test]
fn pages_keep_about_the_size_asked_for_whatever_comes_and_goes() {
    let disk = LyingDisk::new(1);
    let (mut history, snapshots) = tasks(&disk);
    let mut dice = Dice(1);
    for turn in 0..30 {
        let first = 1 + dice.below(900);
        history.push((first..first + 60).map(|number| spec(number, turn)).collect(), 1);
        let (project, gone) = (ProjectId(1), 1 + dice.below(950));
        let (first, last) = (TaskNumber(gone), TaskNumber(gone + 40));
        history.push(vec![Change::TasksGone { project, first, last }], 1);
        history.snapshot(&snapshots).expect("snapshot");
    }
    let info = snapshots.newest().expect("made");
    let manifest = snapshots.manifest(None).expect("made");
    assert!(manifest.pages.iter().all(|page| page.raw_bytes <= 2048 + 2048 / 2 + 400));
    let pages = manifest.pages.len() as u64;
    assert!(pages * 2048 < 3 * info.raw_bytes, "{} bytes in {pages} pages", info.raw_bytes);
}

#[test]
fn a_snapshot_that_goes_leaves_what_others_share() {
    let disk = LyingDisk::new(1);
    let (mut history, snapshots) = tasks(&disk);
    let first = (history.last(), history.rows.clone());
    history.push(vec![spec(500, 2)], 1);
    history.snapshot(&snapshots).expect("snapshot");
    let all = page_files(&disk).len();

    let older = Snapshots::open(disk.copy(), settings()).expect("open");
    older.remove(history.last()).expect("remove");
    assert_eq!(rows_of(&older, first.0), first.1);
    assert_eq!(older.covered(), first.0);
    assert_eq!(page_files(older.disk()).len(), all - 1);

    snapshots.remove(first.0).expect("remove");
    assert_eq!(rows_of(&snapshots, history.last()), history.rows);
    assert_eq!(page_files(&disk).len(), all - 1);
    let error = snapshots.remove(first.0).expect_err("gone");
    assert!(matches!(error, SnapshotError::Absent { position } if position == first.0));

    snapshots.remove(history.last()).expect("remove");
    assert_eq!((disk.names(), snapshots.covered()), (vec![], Position(0)));
}

#[test]
fn pages_stay_as_long_as_someone_reads_them() {
    let disk = LyingDisk::new(1);
    let (history, snapshots) = tasks(&disk);
    let mut rows = snapshots.rows(history.last()).expect("whole");
    let first = rows.next().expect("a row").expect("undamaged");
    snapshots.remove(history.last()).expect("remove");
    let rest: Vec<_> = rows.by_ref().collect::<Result<_, _>>().expect("undamaged");
    assert_eq!(
        (1 + rest.len(), first.0),
        (1_000, history.rows.keys().next().expect("a row").clone())
    );
    drop(rows);
    snapshots.sweep().expect("sweep");
    assert_eq!(page_files(&disk).len(), 0);
}

#[test]
fn old_snapshots_go_when_a_new_one_is_whole() {
    let disk = LyingDisk::new(1);
    let two = SnapshotSettings { kept: 2, ..settings() };
    let snapshots = Snapshots::open(disk, two).expect("open");
    let mut history = History::default();
    let mut positions = Vec::new();
    for seed in 0..5 {
        history.go_on(seed, 2);
        positions.push(history.snapshot(&snapshots).expect("snapshot").position);
    }
    let left: Vec<_> = snapshots.list().into_iter().map(|info| info.position).collect();
    assert_eq!(left, positions[3..]);
}

#[test]
fn opened_to_be_read_only_nothing_changes() {
    let disk = LyingDisk::new(1);
    let (history, snapshots) = tasks(&disk);
    // Half-made: pages of a snapshot that was not finished, and a file under its first name.
    let mut more = History::default();
    more.push((1..=1_000).map(|number| spec(number, 1)).collect(), 1);
    more.push((1..=1_000).map(|number| spec(number, 9)).collect(), 1);
    let mut maker =
        Snapshotter::begin(&snapshots, more.last(), super::history::samples::at(2), None)
            .expect("begin");
    (0..9).for_each(|_| drop(maker.step(&|from| more.read(from)).expect("step")));
    drop(maker);
    drop(snapshots);
    let (names, operations) = (disk.names(), disk.operations());

    let reader = Snapshots::open_read_only(disk.clone(), settings()).expect("open");
    assert_eq!(reader.verify(history.last()).expect("whole").rows, 1_000);
    assert_eq!(rows_of(&reader, history.last()), history.rows);
    assert!(matches!(reader.remove(history.last()), Err(SnapshotError::ReadOnly { .. })));
    assert!(matches!(history.snapshot(&reader), Err(SnapshotError::ReadOnly { .. })));
    assert_eq!((disk.names(), disk.operations()), (names.clone(), operations));

    Snapshots::open(disk.clone(), settings()).expect("open");
    assert!(disk.names().len() < names.len(), "what was half-made is gone");
}
