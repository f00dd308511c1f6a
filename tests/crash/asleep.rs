//! Time that the daemon did not live through takes nothing from a lease.

use std::time::{Duration, Instant};

use piecework_client::from_proto;
use piecework_client::proto::v1::{LeasePolicy, Project, Verdict};

use crate::harness::{Daemon, time_passes, wire};

const LEASE: Duration = Duration::from_secs(7);
/// Longer than the lease.
const AWAY: Duration = Duration::from_millis(7_500);
/// What one stop may cost.
const TURN_MAX: Duration = Duration::from_secs(2);
const ROUNDING: Duration = Duration::from_millis(5);

/// A worker with one lease; the daemon is away for longer than that lasts.
/// `away` returns what the absence may take from it.
async fn a_lease_outlives(away: impl AsyncFnOnce(&mut Daemon) -> Duration) {
    let mut daemon = Daemon::start().await;
    let platform = daemon.platform();
    let policy = LeasePolicy { duration: wire(LEASE), ..LeasePolicy::default() };
    let with = |project| Project { lease_policy: Some(policy), ..project };
    let project = platform.project_with("p", with).await;
    platform.tasks(&project, &["t"]).await;
    let ann = platform.worker("ann").await;
    let began = Instant::now();
    let lease = platform.lease(&ann, &project).await;
    let before = began.elapsed();
    let cost = away(&mut daemon).await;
    let back = Instant::now();
    let platform = daemon.platform();
    let leases = platform.leases(&ann).await;
    let awake = before + back.elapsed();
    assert_eq!(platform.stats(&project).await.expiries, 0, "nothing ran out");
    let [held] = leases.as_slice() else { panic!("the lease lives: {leases:?}") };
    assert_eq!(held.name, lease.name);
    let left = from_proto(held.remaining) + ROUNDING;
    assert!(left + awake + cost >= LEASE, "{left:?} left after {awake:?} awake");
    assert!(left <= LEASE + ROUNDING, "nor did it grow");
    assert_eq!(platform.submit(&ann, &lease.name, "a").await.verdict(), Verdict::Counted);
}

#[tokio::test]
async fn p12_a_stopped_process_costs_a_lease_two_seconds_at_most() {
    let stopped = async |daemon: &mut Daemon| {
        daemon.freeze();
        time_passes(AWAY).await;
        daemon.thaw();
        TURN_MAX
    };
    a_lease_outlives(stopped).await;
}

#[tokio::test]
async fn p12_downtime_after_a_kill_costs_a_lease_nothing() {
    let down = async |daemon: &mut Daemon| {
        daemon.kill().await;
        time_passes(AWAY).await;
        // Its time goes on somewhere in its start.
        let start = Instant::now();
        daemon.resume().await;
        start.elapsed()
    };
    a_lease_outlives(down).await;
}
