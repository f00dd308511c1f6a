//! The daemon that is measured: one of our own, or the one named with `--server`.
//!
//! Its process is only known when it is ours; without it CPU, memory and journal
//! are not told.

use std::time::Duration;

use anyhow::Result;
use piecework_client::Client;
use tokio::time::{Instant, sleep};

use super::scrape::{self, Journal};
use super::usage;
use crate::daemon::Daemon;

/// It is at rest when it uses less than this share of a core,
const AT_REST: f64 = 0.05;
/// looked at for so long,
const LOOK_FOR: Duration = Duration::from_millis(250);
/// and nobody waits longer for that.
const REST_WITHIN: Duration = Duration::from_secs(10);

/// The daemon that is measured.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    server: String,
    process: Option<u32>,
    metrics: Option<String>,
}

/// What was used up to one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// CPU time of the daemon.
    pub(super) server_cpu: Option<Duration>,
    /// CPU time of this process.
    pub(super) client_cpu: Option<Duration>,
    /// Memory of the daemon, in RAM now.
    pub(super) server_rss: Option<u64>,
    /// What its journal wrote.
    pub(super) journal: Option<Journal>,
}

impl Subject {
    /// `daemon`: ours, where there is one.
    pub(super) fn new(server: &str, daemon: Option<&Daemon>) -> Self {
        Self {
            server: server.to_owned(),
            process: daemon.and_then(Daemon::process),
            metrics: daemon.map(|daemon| daemon.metrics().to_owned()),
        }
    }

    /// Whether what it uses can be seen.
    pub(super) fn is_ours(&self) -> bool {
        self.process.is_some()
    }

    /// So many connections to it, each made with its first call.
    pub(super) fn connections(&self, count: u32) -> Result<Vec<Client>> {
        (0..count).map(|_| Ok(Client::new(&self.server)?)).collect()
    }

    /// What was used until now.
    pub(super) async fn sample(&self) -> Result<Sample> {
        let journal = match &self.metrics {
            Some(metrics) => Some(scrape::journal(metrics).await?),
            None => None,
        };
        Ok(Sample {
            server_cpu: self.server_cpu(),
            client_cpu: usage::cpu(std::process::id()),
            server_rss: self.process.and_then(usage::resident_bytes),
            journal,
        })
    }

    /// Waits until it has done with what came before, so that this is not measured too.
    pub(super) async fn rests(&self) {
        let began = Instant::now();
        while let Some(before) = self.server_cpu() {
            sleep(LOOK_FOR).await;
            let used = self.server_cpu().unwrap_or(before).saturating_sub(before);
            if used.as_secs_f64() < AT_REST * LOOK_FOR.as_secs_f64()
                || began.elapsed() > REST_WITHIN
            {
                return;
            }
        }
    }

    fn server_cpu(&self) -> Option<Duration> {
        self.process.and_then(usage::cpu)
    }
}
