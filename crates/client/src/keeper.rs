//! A lease that does not run out while somebody works on it.
//!
//! A task of its own asks for more time whenever a third of what is left has
//! passed, so a handler that blocks does not lose its lease. It stops when it
//! is dropped: whoever stops working lets the lease run out.
//!
//! For those who lease by single calls; the `Runtime` keeps its own leases.
//!
//! Not here: deciding that somebody works. Keep a lease only while that is so.

use std::time::Duration;

use piecework_proto::v1::extend_lease_result::Outcome;
use piecework_proto::v1::{ErrorReason, ExtendLeasesRequest, Lease};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::Client;
use crate::durations::from_proto;
use crate::error::{CallError, Refused};

/// Below this the daemon is not asked: the answer would come too late to matter.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// What the keeper knows of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptLease {
    /// Held until then.
    Held {
        /// When it runs out, unless it is extended again.
        until: Instant,
    },
    /// Held until then and no longer: the project's maximum hold is used up.
    Last {
        /// When it runs out for good.
        until: Instant,
    },
    /// Ended, with the reason.
    Ended(Box<Refused>),
}

/// Extends one lease until it is dropped.
#[derive(Debug)]
pub struct LeaseKeeper {
    state: watch::Receiver<KeptLease>,
    task: JoinHandle<()>,
}

impl LeaseKeeper {
    /// Keeps `lease` from now on. `received`: when the reply that carried it arrived.
    #[must_use]
    pub fn start(client: Client, lease: &Lease, received: Instant) -> Self {
        let until = received + from_proto(lease.remaining);
        let (told, state) = watch::channel(KeptLease::Held { until });
        let request = ExtendLeasesRequest {
            worker: lease.worker.clone(),
            leases: vec![lease.name.clone()],
            duration: None,
        };
        let task = tokio::spawn(keep(client, request, until, told));
        Self { state, task }
    }

    /// What is known now; `changed` on it waits for news.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<KeptLease> {
        self.state.clone()
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    client: Client,
    request: ExtendLeasesRequest,
    mut until: Instant,
    told: watch::Sender<KeptLease>,
) {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        sleep((left / 3).max(PAUSE_MIN)).await;
        let reply = client.dispatch().extend_leases(request.clone()).await;
        let outcome = match reply.map_err(CallError::from) {
            Ok(reply) => reply.into_inner().results.into_iter().next().and_then(|r| r.outcome),
            Err(CallError::Refused(refused)) if !refused.is_passing() => {
                told.send_replace(KeptLease::Ended(refused));
                return;
            }
            // Lost or overloaded: what is left is shorter now, so the next try comes sooner.
            Err(_) => continue,
        };
        match outcome {
            Some(Outcome::Extension(extension)) => {
                until = Instant::now() + from_proto(extension.remaining);
                told.send_replace(KeptLease::Held { until });
            }
            Some(Outcome::Error(status)) => {
                let refused = Refused::from(&status);
                if !refused.is(ErrorReason::HoldExceeded) {
                    told.send_replace(KeptLease::Ended(Box::new(refused)));
                    return;
                }
                told.send_replace(KeptLease::Last { until });
                sleep_until(until).await;
                told.send_replace(KeptLease::Ended(Box::new(refused)));
                return;
            }
            None => {}
        }
    }
}
