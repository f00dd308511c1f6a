//! Which stream speaks for a worker: the one with the newest `Hello`.
//!
//! Leases that ended go to that stream's mail. Not here: what a stream does about
//! it (`session.rs`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use piecework_core::command::{ReturnItem, ReturnLeases};
use piecework_core::lease::{Lease, ReturnReason};
use piecework_core::{Command, Outcome, Request, WorkerId};
use piecework_storage::{Store, View};
use tokio::sync::mpsc;
use tracing::debug;

use crate::services::tenant;
use crate::writer::{Answer, Ended, Inbox, Mail};

/// Numbers the streams of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionId(u64);

/// All streams, by the workers for whom they speak.
pub(crate) struct Registry {
    inbox: Inbox,
    view: View,
    owners: Mutex<Owners>,
}

#[derive(Default)]
struct Owners {
    last: u64,
    by_worker: HashMap<WorkerId, (SessionId, mpsc::UnboundedSender<Mail>)>,
}

impl Registry {
    pub(crate) fn new(inbox: Inbox, store: &Store) -> Registry {
        let view = store.view(tenant::current());
        Registry { inbox, view, owners: Mutex::default() }
    }

    /// A stream takes over these workers; those who spoke for them hear of it.
    /// From now on its mail brings the leases that end.
    pub(super) fn enter(
        &self,
        mail: &mpsc::UnboundedSender<Mail>,
        workers: impl Iterator<Item = WorkerId>,
    ) -> SessionId {
        self.inbox.listen(true);
        let mut owners = self.lock();
        owners.last += 1;
        let id = SessionId(owners.last);
        for worker in workers {
            if let Some((_, older)) = owners.by_worker.insert(worker, (id, mail.clone())) {
                // It may have gone.
                let _ = older.send(Mail::Lost(worker));
            }
        }
        id
    }

    /// A stream has ended. Workers that a newer one took over are not touched.
    pub(super) fn leave(&self, id: SessionId, workers: impl Iterator<Item = WorkerId>) {
        self.inbox.listen(false);
        let mut owners = self.lock();
        for worker in workers {
            if owners.by_worker.get(&worker).is_some_and(|(owner, _)| *owner == id) {
                owners.by_worker.remove(&worker);
            }
        }
    }

    /// Passes on the leases that a group ended.
    pub(crate) fn ended(&self, ended: Vec<Ended>) {
        let owners = self.lock();
        for ended in ended {
            if let Some((_, mail)) = owners.by_worker.get(&ended.worker) {
                // It may have gone.
                let _ = mail.send(Mail::Ended(ended));
            }
        }
    }

    /// An answer whose asker has gone. What was pushed goes back at once: nobody will
    /// ask for it again. (What a call got stays: its retry gets the same.)
    pub(crate) fn unheard(&self, answer: Answer) {
        let Ok(Outcome::Leased(leased)) = answer.outcome else { return };
        let pushed = leased.grants.into_iter().filter(|grant| grant.lease.claim_by.is_some());
        let pushed: Vec<Lease> = pushed.map(|grant| grant.lease).collect();
        let Some(worker) = pushed.first().map(|lease| lease.worker) else { return };
        let (view, inbox) = (self.view.clone(), self.inbox.clone());
        // Where this fails they go back when nobody claims them.
        tokio::task::spawn_blocking(move || {
            let Ok(Some(worker)) = view.worker(worker) else { return };
            let item =
                |lease: Lease| ReturnItem { lease: lease.id, reason: ReturnReason::Unstarted };
            let items = pushed.into_iter().map(item).collect();
            let command = Command::Return(ReturnLeases { worker: worker.name, items });
            if let Err(why) = inbox.tell(Request { tenant: tenant::current(), command }) {
                debug!(%why, "leases that could not be sent were not returned");
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use piecework_core::{LeaseId, TaskId};
    use piecework_storage::{MemoryKeyValue, StoreSettings};

    use super::*;
    use crate::writer::{How, LaneLimits};

    fn ended(worker: WorkerId) -> Ended {
        let lease = LeaseId { task: TaskId::default(), number: 1 };
        Ended { worker, lease, how: How::Expired }
    }

    #[test]
    fn the_newest_hello_hears_of_a_worker_and_the_older_one_that_it_is_lost() {
        let inbox = Inbox::new(LaneLimits { requests: 1, bytes: 1 });
        let store =
            Store::with_key_value(Arc::new(MemoryKeyValue::new()), &StoreSettings::default());
        let registry = Registry::new(inbox.clone(), &store.expect("empty tables"));
        let (old, mut old_mail) = mpsc::unbounded_channel();
        let (new, mut new_mail) = mpsc::unbounded_channel();
        let (ann, ben) = (WorkerId(1), WorkerId(2));
        let older = registry.enter(&old, [ann, ben].into_iter());
        let newer = registry.enter(&new, [ann].into_iter());
        assert!(inbox.has_listeners());
        registry.ended(vec![ended(ann), ended(ben)]);
        assert!(matches!(old_mail.try_recv(), Ok(Mail::Lost(WorkerId(1)))));
        assert!(matches!(old_mail.try_recv(), Ok(Mail::Ended(e)) if e.worker == ben));
        assert!(matches!(new_mail.try_recv(), Ok(Mail::Ended(e)) if e.worker == ann));
        registry.leave(older, [ann, ben].into_iter());
        registry.ended(vec![ended(ann), ended(ben)]);
        assert!(old_mail.try_recv().is_err());
        assert!(new_mail.try_recv().is_ok());
        registry.leave(newer, [ann].into_iter());
        assert!(!inbox.has_listeners());
        assert!(registry.lock().by_worker.is_empty());
    }
}
