//! Damage to the data directory: rebuilt where the journal suffices, told where
//! it does not.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::harness::Daemon;

/// A stopped daemon with some of everything, after many groups of the journal.
async fn with_a_history() -> (Daemon, std::collections::BTreeMap<String, String>) {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 40).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    for worker in [&ann, &bob] {
        for label in ["a", "b", "c"] {
            platform.answer_one(worker, &project, label).await;
        }
        platform.lease(worker, &project).await;
    }
    let before = platform.picture().await;
    daemon.kill().await;
    (daemon, before)
}

#[tokio::test]
async fn deleted_tables_are_rebuilt_from_the_journal() {
    let (mut daemon, before) = with_a_history().await;
    fs::remove_dir_all(daemon.data().join("tables")).expect("removed");
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
    // The same again, of tables that a checkpoint has written.
    assert!(daemon.stop().await.success());
    fs::remove_dir_all(daemon.data().join("tables")).expect("removed");
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
}

#[tokio::test]
async fn doubtful_tables_are_set_aside_and_rebuilt() {
    let (mut daemon, before) = with_a_history().await;
    daemon.resume().await;
    assert!(daemon.stop().await.success());
    let tables = daemon.data().join("tables");
    assert!(!tables.join("OPENING").exists(), "a start that succeeded leaves no marker");
    fs::write(tables.join("OPENING"), "").expect("written");
    daemon.resume().await;
    assert!(tables.join("aside-1").is_dir());
    assert!(!tables.join("OPENING").exists());
    assert!(daemon.log().contains("rebuilding them from the journal"), "{}", daemon.log());
    assert_eq!(daemon.platform().picture().await, before);
}

fn first_segment(daemon: &Daemon) -> PathBuf {
    let entries = fs::read_dir(daemon.data().join("journal")).expect("listed");
    let names = entries.map(|entry| entry.expect("an entry").path());
    let mut segments: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|e| e == "segment")).collect();
    segments.sort();
    segments.into_iter().next().expect("a segment")
}

#[tokio::test]
async fn a_flipped_byte_in_the_journal_is_told_with_file_and_position() {
    let (mut daemon, before) = with_a_history().await;
    let segment = first_segment(&daemon);
    let file = fs::OpenOptions::new().read(true).write(true).open(&segment).expect("opened");
    let shown = segment.to_str().expect("UTF-8").to_owned();
    // In the header and in the body of the fifth frame, long before the last one.
    for offset in [4 * 4096 + 20, 4 * 4096 + 120] {
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).expect("read");
        file.write_all_at(&[byte[0] ^ 0x10], offset).expect("written");
        let failed = daemon.try_resume().await.expect_err("refused");
        assert_eq!(failed.status.code(), Some(3), "{}", failed.stderr);
        for part in [&shown, "is damaged at byte 16384", "position", "try: ", "piecework restore"] {
            assert!(failed.stderr.contains(part), "no {part:?} in {}", failed.stderr);
        }
        // Refused, not repaired: mended, all of it is there.
        file.write_all_at(&byte, offset).expect("written");
    }
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
}

#[tokio::test]
async fn a_missing_segment_is_told() {
    let (mut daemon, before) = with_a_history().await;
    let segment = first_segment(&daemon);
    let aside = daemon.home().join("aside");
    fs::rename(&segment, &aside).expect("moved");
    let failed = daemon.try_resume().await.expect_err("refused");
    assert_eq!(failed.status.code(), Some(3), "{}", failed.stderr);
    let name = segment.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    assert!(failed.stderr.contains(name), "{}", failed.stderr);
    fs::rename(&aside, &segment).expect("moved back");
    daemon.resume().await;
    assert_eq!(daemon.platform().picture().await, before);
}
