//! What the family's devices finished, and what the daemon has of it.
//!
//! Written down on the device at the moment an answer is finished, before anything is sent;
//! compared at the end with what the daemon lists. A finished answer that the daemon neither
//! has nor refused with a reason is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use piecework_client::Client;
use piecework_client::proto::v1::{ListSubmissionsRequest, Submission};

use crate::session::answer;

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notebook {
    pages: Arc<Mutex<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    /// Answers by lease.
    finished: BTreeMap<String, Bytes>,
    /// Leases whose answer the daemon acknowledged.
    receipts: BTreeMap<String, u64>,
    refused: BTreeMap<String, String>,
}

/// Both sides, compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// Answers that devices finished.
    pub(super) finished: usize,
    /// Of those, acknowledged to a device.
    pub(super) acknowledged: usize,
    /// Of those, refused with a reason.
    pub(super) refused: usize,
    /// Answers that the daemon has.
    pub(super) stored: usize,
    /// Finished, and neither stored as they were nor refused.
    pub(super) lost: usize,
    /// Stored more than once, or without a device that finished them.
    pub(super) doubled: usize,
}

impl Notebook {
    /// An answer is finished.
    pub(super) fn finished(&self, lease: &str, answer: &Bytes) {
        self.write(|pages| pages.finished.insert(lease.to_owned(), answer.clone()));
    }

    /// The daemon acknowledged it.
    pub(super) fn acknowledged(&self, lease: &str) {
        self.write(|pages| *pages.receipts.entry(lease.to_owned()).or_default() += 1);
    }

    /// The daemon refused it.
    pub(super) fn refused(&self, lease: &str, why: &str) {
        self.write(|pages| pages.refused.insert(lease.to_owned(), why.to_owned()));
    }

    fn write<T>(&self, write: impl FnOnce(&mut Pages) -> T) {
        write(&mut self.pages.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Compares with everything that the daemon has of these workers.
    pub(super) async fn compare(&self, client: &Client, workers: &[String]) -> Result<Balance> {
        let mut stored = Vec::new();
        for worker in workers {
            stored.extend(submissions(client, worker).await?);
        }
        Ok(self.balance(&stored))
    }

    fn balance(&self, stored: &[Submission]) -> Balance {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_lease: BTreeMap<&str, Vec<&Bytes>> = BTreeMap::new();
        for submission in stored {
            by_lease.entry(&submission.lease).or_default().push(&submission.answer);
        }
        let is_lost = |(lease, answer): &(&String, &Bytes)| {
            let kept = by_lease.get(lease.as_str()).is_some_and(|kept| kept.contains(answer));
            !kept && !pages.refused.contains_key(*lease)
        };
        let doubled = by_lease.iter().map(|(lease, kept)| {
            let ours = usize::from(pages.finished.contains_key(*lease));
            kept.len().saturating_sub(ours)
        });
        Balance {
            finished: pages.finished.len(),
            acknowledged: pages.receipts.len(),
            refused: pages.refused.len(),
            stored: stored.len(),
            lost: pages.finished.iter().filter(is_lost).count(),
            doubled: doubled.sum(),
        }
    }
}

async fn submissions(client: &Client, worker: &str) -> Result<Vec<Submission>> {
    let mut request = ListSubmissionsRequest {
        parent: worker.to_owned(),
        page_size: 1_000,
        ..ListSubmissionsRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page = answer(client.submissions().list_submissions(request.clone()).await)?;
        all.extend(page.submissions);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(lease: &str, answer: &'static str) -> Submission {
        Submission { lease: lease.to_owned(), answer: answer.into(), ..Submission::default() }
    }

    #[test]
    fn what_the_daemon_has_not_or_has_otherwise_is_lost() {
        let notebook = Notebook::default();
        for lease in ["a", "b", "c", "d"] {
            notebook.finished(lease, &"x".into());
        }
        notebook.acknowledged("a");
        notebook.acknowledged("a");
        notebook.refused("d", "TASK_DONE");
        let daemon = [stored("a", "x"), stored("b", "y"), stored("e", "x")];
        let balance = notebook.balance(&daemon);
        assert_eq!((balance.finished, balance.acknowledged, balance.refused), (4, 1, 1));
        assert_eq!((balance.stored, balance.lost), (3, 2), "b is another answer, c is missing");
        assert_eq!(balance.doubled, 1, "nobody finished e");
    }
}
