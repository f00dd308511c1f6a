//! The journal stays short however much is written.

use super::{SETTINGS, heavy_tasks, metric, named};
use crate::harness::{Daemon, wait_until};

/// Two segments ahead, the current one, the one that a snapshot ends in, the four
/// that one waits for, and some that fill while it is made or wait for a checkpoint.
const JOURNAL_BYTES: u64 = 16 * 262_144;
/// Written in each round: more than that.
const ROUND_TASKS: usize = 300;
const ROUNDS: usize = 4;

#[tokio::test]
async fn the_journal_stays_short_under_steady_load() {
    let daemon = Daemon::with(&SETTINGS).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let bytes = || -> u64 {
        let segments = named(&daemon, "journal", ".segment");
        // One that goes while we look takes no space.
        segments.iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum()
    };
    let mut position = 0.0;
    for round in 1..=ROUNDS {
        for _ in 0..ROUND_TASKS / 5 {
            heavy_tasks(&platform, &project, 5).await;
        }
        wait_until("the journal is short again", async || (bytes() <= JOURNAL_BYTES).then_some(()))
            .await;
        // Something was given up for it, and a newer snapshot has that.
        let newer = metric(&daemon, "piecework_snapshot_position").await;
        assert!(newer > position, "round {round}: {newer} after {position}");
        position = newer;
    }
    assert!(metric(&daemon, "piecework_snapshot_bytes").await > 0.0);
    assert!(metric(&daemon, "piecework_snapshot_timestamp_seconds").await > 1.6e9);
    assert_eq!(metric(&daemon, "piecework_snapshot_failures_total").await, 0.0);
    assert_eq!(metric(&daemon, "piecework_snapshot_base_lost").await, 0.0);
    assert_eq!(named(&daemon, "snapshots", ".manifest").len(), 2);
}
