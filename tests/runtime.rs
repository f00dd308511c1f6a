//! The client's worker runtime against the real daemon.

mod command;
mod connection;
mod handlers;

use std::sync::{Arc, Mutex, PoisonError};

use piecework_client::{End, Finished};

/// How leases ended, as the runtime reports it. Clones share it.
#[derive(Debug, Clone, Default)]
struct Ends(Arc<Mutex<Vec<Finished>>>);

impl Ends {
    /// For `Runtime::report`.
    fn note(&self) -> impl FnMut(Finished) + Send + 'static {
        let ends = self.clone();
        move |finished| ends.lock().push(finished)
    }

    fn all(&self) -> Vec<End> {
        self.lock().iter().map(|finished| finished.end.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Finished>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
