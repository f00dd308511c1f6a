//! Clients that read the logs: dense, in order, results as revisions of each other, and
//! never anything that is lost.

use std::collections::BTreeMap;

use piecework_core::event::{Event, Log};
use piecework_core::{ProjectId, Sequence, TenantId};
use piecework_storage::Store;

use super::Failure;
use crate::laws::Stream;

/// Tenants that a run may use.
pub(super) const TENANTS: [TenantId; 2] = [TenantId(1), TenantId(2)];

/// One watcher and everything that it was shown.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    pub(super) shown: BTreeMap<(Log, Sequence), Event>,
    logs: BTreeMap<Log, Stream>,
}

impl Watcher {
    /// Reads at most `most` records of every log behind what it knows.
    pub(super) fn read(&mut self, store: &Store, most: usize) -> Result<(), Failure> {
        for tenant in TENANTS {
            let view = store.view(tenant);
            let read = |error| Failure::new("read", format!("a watcher cannot read: {error}"));
            let projects = view.projects(ProjectId(0), 100).map_err(read)?;
            let logs = projects.iter().map(|project| Log::Project(project.id));
            for log in logs.chain([Log::Workers(tenant)]) {
                let after = self.logs.get(&log).map_or(Sequence(0), Stream::last);
                let page = view.events(log, after, most, &mut |_| true).map_err(read)?;
                for event in page.events {
                    self.take(log, event)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, log: Log, event: Event) -> Result<(), Failure> {
        let told = self.logs.entry(log).or_default().take(&event);
        told.map_err(|broken| Failure::new("stream", format!("P9: {broken}")))?;
        self.shown.insert((log, event.sequence), event);
        Ok(())
    }
}
