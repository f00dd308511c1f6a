//! The refiner: goes through all durable answers of a project together, now and then,
//! and tells the engine what they say of its crowd and of its results.
//!
//! A thread of its own. It follows the logs of projects whose aggregation asks for it,
//! keeps their votes (about twelve bytes each), refines while new answers come, and asks
//! the writer like any caller, in chunks. A start goes through the logs from their
//! beginning.
//!
//! Not here: the votes of one project (`project.rs`), one refinement (`round.rs`), the
//! methods (`piecework_core::quality`), what the engine makes of it (`apply/refine.rs`).

mod project;
mod round;
pub(crate) mod says;
mod unread;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use piecework_core::project::Project;
use piecework_core::{ProjectId, TenantId};
use piecework_storage::{Store, StoreError, give_way};
use tracing::error;

use crate::metrics;
use crate::writer::Inbox;
use project::Votes;

/// How often it is looked whether a refinement is due.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// News is gathered for so long: every group in the journal brings some.
const GATHER: Duration = Duration::from_millis(10);
/// Projects read at a time when it starts.
const PROJECTS_PAGE: usize = 256;

/// What the refiner has done for a project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refined {
    /// Counted answers that the last refinement went through.
    pub(crate) answers: u64,
    /// Refinements since the daemon started.
    pub(crate) rounds: u64,
    /// How long the last one took.
    pub(crate) took: Duration,
}

/// What the refiner has done, for whoever asks. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refinements {
    of: Arc<Mutex<BTreeMap<ProjectId, Refined>>>,
}

impl Refinements {
    /// `None`: nothing is refined there.
    pub(crate) fn of(&self, project: ProjectId) -> Option<Refined> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner).get(&project).copied()
    }

    fn put(&self, project: ProjectId, refined: Option<Refined>) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        match refined {
            Some(refined) => of.insert(project, refined),
            None => of.remove(&project),
        };
    }
}

/// Projects, and how many records came.
type Heard = Vec<(ProjectId, u32)>;

/// Where news of answers comes in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct News {
    to: Sender<Heard>,
}

impl News {
    /// These projects have so many new answers, results or terms, which readers can see.
    pub(crate) fn tell(&self, projects: Heard) {
        // The refiner may have ended.
        let _ = self.to.send(projects);
    }
}

/// The running thread. Dropping it ends it after the slice it is at.
pub(crate) struct Refiner {
    news: Option<News>,
    refinements: Refinements,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Refiner {
    /// Starts it for one tenant.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(store: Store, inbox: Inbox, tenant: TenantId) -> std::io::Result<Refiner> {
        let (to, news) = channel();
        let (refinements, stop) = (Refinements::default(), Arc::new(AtomicBool::new(false)));
        let (shared, stopped) = (refinements.clone(), Arc::clone(&stop));
        let work =
            Work { store, inbox, tenant, refinements: shared, stop: stopped, of: BTreeMap::new() };
        let body = move || {
            give_way();
            if let Err(error) = work.run(&news) {
                let error = &error as &dyn std::error::Error;
                error!(error, "results are not refined any more until the next start");
            }
        };
        let thread = std::thread::Builder::new().name("refiner".to_owned()).spawn(body)?;
        Ok(Refiner { news: Some(News { to }), refinements, stop, thread: Some(thread) })
    }

    /// Where to tell of answers.
    pub(crate) fn news(&self) -> News {
        self.news.clone().expect("it is there until it is dropped")
    }

    /// What it has done.
    pub(crate) fn refinements(&self) -> Refinements {
        self.refinements.clone()
    }
}

impl Drop for Refiner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.news = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Work {
    store: Store,
    inbox: Inbox,
    tenant: TenantId,
    refinements: Refinements,
    stop: Arc<AtomicBool>,
    of: BTreeMap<ProjectId, Votes>,
}

impl Work {
    fn run(mut self, news: &Receiver<Heard>) -> Result<(), StoreError> {
        let mut after = ProjectId(0);
        loop {
            let page = self.store.view(self.tenant).projects(after, PROJECTS_PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for project in page {
                self.follow(project.id)?;
            }
        }
        while !self.stop.load(Ordering::Acquire) {
            self.refine_what_is_due()?;
            match news.recv_timeout(LOOK_EVERY) {
                Ok(first) => {
                    std::thread::sleep(GATHER);
                    let all = first.into_iter().chain(news.try_iter().flatten());
                    self.hear(all)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    /// A project that is followed is read when that is worth it; any other may be one that
    /// is to be followed.
    fn hear(&mut self, news: impl Iterator<Item = (ProjectId, u32)>) -> Result<(), StoreError> {
        let (now, mut others) = (Instant::now(), BTreeSet::new());
        for (id, records) in news {
            match self.of.get_mut(&id) {
                Some(votes) => votes.hear(records, now),
                None => _ = others.insert(id),
            }
        }
        others.into_iter().try_for_each(|id| self.follow(id))
    }

    /// Reads what is new in a project's log.
    fn follow(&mut self, id: ProjectId) -> Result<(), StoreError> {
        let view = self.store.view(self.tenant);
        let tally = view.project_tally(id)?.unwrap_or_default();
        let is_wanted = |project: &Project| Votes::are_wanted(project, &tally);
        let Some(project) = view.project(id)?.filter(is_wanted) else {
            self.of.remove(&id);
            self.refinements.put(id, None);
            return Ok(());
        };
        let votes = self.of.entry(id).or_insert_with(|| Votes::new(&project));
        votes.follow(&view, &project, &self.stop)?;
        if self.refinements.of(id).is_none() {
            self.refinements.put(id, Some(Refined::default()));
        }
        Ok(())
    }

    fn refine_what_is_due(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        let ripe = |votes: &Votes| votes.wants_reading(now) || votes.is_due(now);
        let ripe = self.of.iter().filter(|(_, votes)| ripe(votes)).map(|(id, _)| *id);
        let ripe: Vec<ProjectId> = ripe.collect();
        for id in ripe {
            if self.of.get(&id).is_some_and(|votes| votes.wants_reading(now)) {
                self.follow(id)?;
            }
            let Some(votes) = self.of.get_mut(&id).filter(|votes| votes.is_due(now)) else {
                continue;
            };
            let begun = Instant::now();
            let answers = votes.answers();
            let asker = round::Asker { inbox: &self.inbox, tenant: self.tenant, stop: &self.stop };
            if !round::refine(votes, &asker) {
                continue;
            }
            let rounds = self.refinements.of(id).map_or(0, |refined| refined.rounds) + 1;
            let refined = Refined { answers, rounds, took: begun.elapsed() };
            metrics::refined(refined.took);
            self.refinements.put(id, Some(refined));
            // Its own results come back by the log, with what else has come since.
            self.follow(id)?;
        }
        Ok(())
    }
}
