//! What an operator may set. Every key has a default; units end the names.
//!
//! Not here: where values come from (the binary reads file, environment and flags).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use piecework_core::{Limits, Millis, limits};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::services::WorkTerms;

/// The daemon's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the data lie. One daemon at a time.
    pub data_dir: PathBuf,
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub metrics_listen: SocketAddr,
    /// Other addresses than loopback may be served although there are no
    /// credentials yet.
    pub insecure_bind: bool,
    /// Reflection on other addresses than loopback.
    pub reflection: bool,
    /// Memory of the table store's cache.
    #[serde(deserialize_with = "cache_bytes")]
    pub cache_bytes: u64,
    /// Size of a journal segment; a multiple of 4096.
    #[serde(deserialize_with = "segment_bytes")]
    pub segment_bytes: u64,
    /// Changes in memory that wait for the checkpoint, each of two maps.
    #[serde(deserialize_with = "overlay_bytes")]
    pub overlay_bytes: u64,
    /// How often a checkpoint is written when those changes do not call for one before.
    pub checkpoint_every_ms: u64,
    /// Bytes of disk that stay free: with less, new tasks are refused and the
    /// tables get no checkpoint.
    pub reserve_bytes: u64,
    /// A snapshot is made when the journal's full segments hold so much, and what
    /// it covers of the journal is given up; 0: never without being asked.
    pub snapshot_journal_bytes: u64,
    /// Snapshots that stay when a new one is made, that one included.
    pub snapshots_kept: usize,
    /// How long opening the tables may stand still before they are set aside: so long, and ten
    /// seconds more for each GiB of them.
    #[serde(deserialize_with = "patience_ms")]
    pub open_tables_within_ms: u64,
    /// A shutdown ends after this, whatever is still open.
    pub shutdown_within_ms: u64,
    /// Logging.
    pub log: Log,
    /// Times of the engine that a test may want short.
    pub times: Times,
}

/// Logging, on stderr.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// As in `RUST_LOG`.
    pub filter: String,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// Times of the engine. The defaults are the domain's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Times {
    /// Nothing expires for so long after a restart.
    pub restart_grace_ms: u64,
    /// How often streams are to show signs of life, and how long they may be silent.
    pub heartbeat_ms: u64,
    /// A pushed lease that nobody acknowledges for so long goes back.
    pub claim_within_ms: u64,
    /// How long a worker is barred from a task whose lease it let expire.
    pub expiry_bar_ms: u64,
    /// How long a worker gets nothing after five declines in a row.
    pub decline_cooldown_ms: u64,
    /// How long creates are remembered by request id.
    pub create_keys_kept_ms: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data_dir: PathBuf::from("piecework-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 7420)),
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 7421)),
            insecure_bind: false,
            reflection: false,
            cache_bytes: 256 * 1024 * 1024,
            segment_bytes: 64 * 1024 * 1024,
            overlay_bytes: 64 * 1024 * 1024,
            checkpoint_every_ms: 10_000,
            reserve_bytes: 64 * 1024 * 1024,
            snapshot_journal_bytes: 256 * 1024 * 1024,
            snapshots_kept: 2,
            open_tables_within_ms: 60_000,
            shutdown_within_ms: 10_000,
            log: Log::default(),
            times: Times::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

impl Default for Times {
    fn default() -> Times {
        let engine = Limits::default();
        Times {
            restart_grace_ms: engine.restart_grace.0,
            heartbeat_ms: limits::HEARTBEAT_DEFAULT.0,
            claim_within_ms: engine.claim_within.0,
            expiry_bar_ms: engine.expiry_bar.0,
            decline_cooldown_ms: engine.decline_cooldown.0,
            create_keys_kept_ms: engine.create_keys_kept.0,
        }
    }
}

impl Config {
    /// The engine's limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            restart_grace: Millis(self.times.restart_grace_ms),
            claim_within: Millis(self.times.claim_within_ms),
            expiry_bar: Millis(self.times.expiry_bar_ms),
            decline_cooldown: Millis(self.times.decline_cooldown_ms),
            create_keys_kept: Millis(self.times.create_keys_kept_ms),
            ..Limits::default()
        }
    }

    /// What is asked of the clients of streams.
    pub(crate) fn work_terms(&self) -> WorkTerms {
        WorkTerms {
            heartbeat: Duration::from_millis(self.times.heartbeat_ms.max(1)),
            claim_within: Duration::from_millis(self.times.claim_within_ms),
        }
    }

    /// How often a checkpoint is written, at least.
    pub(crate) fn checkpoint_every(&self) -> Duration {
        Duration::from_millis(self.checkpoint_every_ms.max(1))
    }

    /// How long a shutdown may take.
    #[must_use]
    pub fn shutdown_within(&self) -> Duration {
        Duration::from_millis(self.shutdown_within_ms)
    }
}

// What does not fit is told by whoever brings the sources together, with the key and where
// it stands.

fn segment_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let fits = |bytes: u64| bytes.is_multiple_of(4096) && (4096..=1 << 40).contains(&bytes);
    fitting(from, fits, "a multiple of 4096, at least 4096 and at most 2^40")
}

fn cache_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    fitting(from, |bytes| bytes >= 1 << 20, "at least 1048576 (1 MiB)")
}

fn overlay_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    fitting(from, |bytes| bytes >= 4096, "at least 4096: without room for it nothing comes in")
}

fn patience_ms<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    fitting(from, |ms| ms > 0, "at least 1: tables do not open in no time")
}

fn fitting<'de, D: Deserializer<'de>>(
    from: D,
    fits: impl Fn(u64) -> bool,
    rule: &str,
) -> Result<u64, D::Error> {
    let value = u64::deserialize(from)?;
    if fits(value) { Ok(value) } else { Err(D::Error::custom(format!("{value} is not {rule}"))) }
}
