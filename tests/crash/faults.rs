//! What happens to the daemon: when, in what order, and a note of each.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::harness::{Daemon, Relay, time_passes, wait_until};

use super::caller::Run;
use super::record::{Kill, Outage};

/// Answers between two faults.
const ANSWERS: std::ops::Range<usize> = 40..400;
/// A stop may cost a lease so much, whatever its length.
const TURN_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGKILL, and once more before the next one is ready.
    KillTwice,
    /// SIGSTOP, and SIGCONT after a while.
    Freeze,
    /// SIGSTOP, and SIGKILL after a while.
    FreezeKill,
    /// SIGTERM.
    End,
}

impl Fault {
    fn kills(self) -> usize {
        match self {
            Fault::Kill | Fault::FreezeKill => 1,
            Fault::KillTwice => 2,
            Fault::Freeze | Fault::End => 0,
        }
    }
}

/// Brings them about.
pub(super) struct Faults<'a> {
    run: &'a Arc<Run>,
    daemon: &'a mut Daemon,
    relay: &'a Relay,
    chance: Rng,
    /// How long the last start took.
    start: Duration,
    outages: Vec<Outage>,
    kills: Vec<Kill>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(
        run: &'a Arc<Run>,
        daemon: &'a mut Daemon,
        relay: &'a Relay,
        chance: Rng,
    ) -> Faults<'a> {
        let (outages, kills, start) = (Vec::new(), Vec::new(), Duration::from_millis(50));
        Faults { run, daemon, relay, chance, start, outages, kills }
    }

    /// Until so many SIGKILLs have been sent; every five of them with every other fault.
    pub(super) async fn inflict(mut self, kills: usize) -> (Vec<Outage>, Vec<Kill>) {
        while self.kills.len() < kills {
            let mut round = [
                Fault::Kill,
                Fault::KillTwice,
                Fault::Freeze,
                Fault::FreezeKill,
                Fault::Kill,
                Fault::End,
            ];
            self.chance.shuffle(&mut round);
            for fault in round {
                if fault.kills() == 0 || self.kills.len() < kills {
                    self.one(fault).await;
                }
            }
        }
        (self.outages, self.kills)
    }

    async fn one(&mut self, fault: Fault) {
        let enough = self.run.record.len() + self.chance.usize(ANSWERS);
        wait_until("work goes on", async || (self.run.record.len() >= enough).then_some(())).await;
        // While something is on its way.
        let mut under_way = self.run.under_way.subscribe();
        under_way.mark_unchanged();
        under_way.wait_for(|count| *count > 0).await.expect("the run goes on");
        match fault {
            Fault::Kill => {
                let from = self.kill().await;
                self.resume(from).await;
            }
            Fault::KillTwice => {
                let from = self.kill().await;
                let life = self.start.mul_f64(self.chance.f64() * 0.6);
                let recovering = self.daemon.die_young(life).await;
                self.kills.push(Kill { at: self.run.record.now(), recovering });
                self.resume(from).await;
            }
            Fault::Freeze => {
                self.freeze().await;
                self.daemon.thaw();
            }
            Fault::FreezeKill => {
                self.freeze().await;
                let from = self.kill().await;
                self.resume(from).await;
            }
            Fault::End => {
                self.relay.lead_to(None);
                let ended = self.daemon.stop().await;
                assert_eq!(ended.code(), Some(0), "an end in good order");
                let from = self.run.record.now();
                self.resume(from).await;
            }
        }
    }

    /// Returns since when it is gone.
    async fn kill(&mut self) -> Duration {
        self.kills.push(Kill { at: self.run.record.now(), recovering: false });
        self.daemon.kill().await;
        self.relay.lead_to(None);
        self.run.record.now()
    }

    async fn resume(&mut self, gone: Duration) {
        let to = self.run.record.now();
        self.outages.push(Outage { from: gone, to, grows: Duration::ZERO });
        let begun = Instant::now();
        self.daemon.resume().await;
        self.start = begun.elapsed();
        self.relay.lead_to(Some(self.daemon.listen()));
    }

    async fn freeze(&mut self) {
        self.daemon.freeze();
        let from = self.run.record.now();
        // Shorter and longer than a lease.
        time_passes(Duration::from_millis(self.chance.u64(200..3_000))).await;
        let to = self.run.record.now();
        self.outages.push(Outage { from, to, grows: TURN_MAX });
    }
}
