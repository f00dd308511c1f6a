//! Works for a worker: one handler function, and everything around it.
//!
//! ```no_run
//! # use piecework_client::{Client, Runtime, Work};
//! # async fn example(client: Client) -> Result<(), piecework_client::WorkError> {
//! Runtime::builder(client, "workers/ann")
//!     .handler(|task| async move { Work::Answer(task.lease.payload) })
//!     .concurrency(4)
//!     .run(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Leases come over one `Work` stream, as many as there are free hands. They are
//! kept alive from a thread of their own, so a handler may block. A connection
//! that breaks is made again: what runs goes on, what was answered meanwhile is
//! submitted then, what had not begun begins. Asked to end, the runtime finishes
//! what runs and returns the rest.
//!
//! Not here: what follows from what (`book.rs`), the stream (`session.rs`).

mod book;
mod held;
mod replies;
mod session;
mod task;

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use piecework_proto::v1::ReturnReason;
use piecework_proto::v1::work_request::PresentWorker;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

pub use self::task::{End, Ended, Finished, Task, Work};

use self::book::{Book, Order, Terms};
use self::session::{Event, Patience, Session, Told};
use crate::client::Client;
use crate::error::CallError;

type Handler = Arc<dyn Fn(Task) -> Pin<Box<dyn Future<Output = Work> + Send>> + Send + Sync>;
type Report = Box<dyn FnMut(Finished) + Send>;
type Wish = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a runtime ended in good order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to, or has done as many tasks as it was to do.
    Drained,
    /// There was nothing to do for longer than it was to wait; the daemon's words.
    Idle(String),
}

/// Why a runtime cannot go on. Leases that it held run out, or go on with the next one.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The daemon refuses the worker: unknown, suspended.
    #[error(transparent)]
    Refused(CallError),
    /// The daemon could not be reached for longer than it was to be tried.
    #[error(transparent)]
    Unreachable(CallError),
    /// It was asked to end, and not all could be said in time.
    #[error("the daemon has not heard of all that was done before the time to end was over")]
    NotDrained,
    /// The machine has no thread for the stream.
    #[error("could not start the thread that keeps leases alive")]
    Thread(#[source] std::io::Error),
    /// The stream's thread is gone.
    #[error("the thread that keeps leases alive died of a mistake of ours")]
    Died,
}

/// A runtime without a handler.
#[derive(Debug)]
pub struct RuntimeBuilder {
    client: Client,
    worker: String,
}

/// A worker's runtime. `run` begins it.
pub struct Runtime {
    client: Client,
    terms: Terms,
    patience: Patience,
    handler: Handler,
    report: Report,
    hurry: Wish,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Runtime { terms, patience, .. } = self;
        f.debug_struct("Runtime").field("terms", terms).field("patience", patience).finish()
    }
}

impl RuntimeBuilder {
    /// What does a task. Called on the runtime that `run` is called on, once for each lease.
    /// A handler that panics returns its lease as not for this worker.
    #[must_use]
    pub fn handler<F, Fut>(self, handler: F) -> Runtime
    where
        F: Fn(Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Work> + Send + 'static,
    {
        let worker = PresentWorker { worker: self.worker, ..PresentWorker::default() };
        Runtime {
            client: self.client,
            terms: Terms { worker, concurrency: 1, task_within: None, at_most: None, only: None },
            patience: Patience { reconnect_within: None, idle_within: None, drain_within: None },
            handler: Arc::new(move |task| Box::pin(handler(task))),
            report: Box::new(|_| {}),
            hurry: Box::pin(pending()),
        }
    }
}

impl Runtime {
    /// Of `worker` (`workers/{worker}`).
    #[must_use]
    pub fn builder(client: Client, worker: impl Into<String>) -> RuntimeBuilder {
        RuntimeBuilder { client, worker: worker.into() }
    }

    /// Handlers at a time, and leases held at a time; by default one.
    #[must_use]
    pub fn concurrency(mut self, handlers: u32) -> Self {
        self.terms.concurrency = handlers.max(1);
        self
    }

    /// What the worker wants; `worker` and `capacity` of it are not looked at.
    #[must_use]
    pub fn wishes(mut self, wishes: PresentWorker) -> Self {
        let worker = std::mem::take(&mut self.terms.worker.worker);
        self.terms.worker = PresentWorker { worker, ..wishes };
        self
    }

    /// A hard deadline for each task; by default the longest that its project lets it be held.
    #[must_use]
    pub fn task_within(mut self, within: Duration) -> Self {
        self.terms.task_within = Some(within);
        self
    }

    /// Ends after so many tasks.
    #[must_use]
    pub fn at_most(mut self, tasks: u64) -> Self {
        self.terms.at_most = Some(tasks);
        self
    }

    /// Does only this lease (`leases/{lease}`), which the worker holds already, and ends.
    #[must_use]
    pub fn only(mut self, lease: impl Into<String>) -> Self {
        self.terms.only = Some(lease.into());
        self.terms.at_most = Some(1);
        self
    }

    /// Ends when there has been nothing to do for so long; by default it waits for ever.
    #[must_use]
    pub fn idle_within(mut self, wait: Duration) -> Self {
        self.patience.idle_within = Some(wait);
        self
    }

    /// Gives up when the daemon cannot be reached for so long; by default it never does.
    #[must_use]
    pub fn reconnect_within(mut self, within: Duration) -> Self {
        self.patience.reconnect_within = Some(within);
        self
    }

    /// Once asked to end, what runs has so long to finish before it is cancelled and returned;
    /// by default until its own deadline.
    #[must_use]
    pub fn drain_within(mut self, within: Duration) -> Self {
        self.patience.drain_within = Some(within);
        self
    }

    /// Hears how each lease ended, in that order.
    #[must_use]
    pub fn report(mut self, report: impl FnMut(Finished) + Send + 'static) -> Self {
        self.report = Box::new(report);
        self
    }

    /// When this resolves, what runs is not waited for any more: it is cancelled and returned.
    #[must_use]
    pub fn hurry(mut self, hurry: impl Future<Output = ()> + Send + 'static) -> Self {
        self.hurry = Box::pin(hurry);
        self
    }

    /// Works until `shutdown` resolves, then finishes what runs and returns what has not begun.
    ///
    /// Dropping the future drops the handlers; their leases run out.
    ///
    /// # Errors
    /// See [`WorkError`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<Stopped, WorkError> {
        let Runtime { client, terms, patience, handler, mut report, hurry } = self;
        let (events, heard) = mpsc::unbounded_channel();
        let (told, mut orders) = mpsc::unbounded_channel();
        start_session(client, Book::new(terms), patience, heard, told)?;
        let mut hands = Hands {
            handler,
            running: JoinSet::new(),
            names: HashMap::new(),
            handles: HashMap::new(),
        };
        let mut shutdown = std::pin::pin!(once(shutdown));
        let mut hurry = std::pin::pin!(once(hurry));
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => return Err(WorkError::Died),
                    Some(Told::Over(end)) => return end,
                    Some(Told::Order(Order::Start(task))) => hands.start(*task),
                    Some(Told::Order(Order::Cancel(lease))) => hands.cancel(&lease),
                    Some(Told::Order(Order::Report(finished))) => report(*finished),
                },
                Some(ended) = hands.running.join_next_with_id() => {
                    if let Some((lease, work)) = hands.ended(ended) {
                        // A session that is gone says so above.
                        let _ = events.send(Event::Worked(lease, work));
                    }
                }
                () = &mut shutdown => {
                    let _ = events.send(Event::Drain);
                }
                () = &mut hurry => {
                    let _ = events.send(Event::Hurry);
                }
            }
        }
    }
}

/// Resolves with `future`, and never again.
fn once(future: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let mut future = Some(Box::pin(future));
    std::future::poll_fn(move |context| match &mut future {
        Some(running) => running.as_mut().poll(context).map(|()| future = None),
        None => std::task::Poll::Pending,
    })
}

/// The stream's thread; it ends by itself once it is over or nobody is there any more.
fn start_session(
    client: Client,
    book: Book,
    patience: Patience,
    events: mpsc::UnboundedReceiver<Event>,
    told: mpsc::UnboundedSender<Told>,
) -> Result<(), WorkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(WorkError::Thread)?;
    let body = move || {
        runtime.block_on(async move {
            // On this thread's own connection: the other one is served by threads that a
            // handler may block.
            Session::new(client.on_a_connection_of_its_own(), book, patience, events, told)
                .run()
                .await;
        });
    };
    let thread = std::thread::Builder::new().name("piecework-work".to_owned()).spawn(body);
    thread.map(drop).map_err(WorkError::Thread)
}

/// Handlers that run.
struct Hands {
    handler: Handler,
    running: JoinSet<Work>,
    names: HashMap<Id, String>,
    handles: HashMap<String, AbortHandle>,
}

impl Hands {
    fn start(&mut self, task: Task) {
        let lease = task.lease.name.clone();
        let handler = Arc::clone(&self.handler);
        // Called in its own task, so that a panic before the first await is its own, too.
        let handle = self.running.spawn(async move { handler(task).await });
        self.names.insert(handle.id(), lease.clone());
        self.handles.insert(lease, handle);
    }

    fn cancel(&mut self, lease: &str) {
        if let Some(handle) = self.handles.remove(lease) {
            self.names.remove(&handle.id());
            handle.abort();
        }
    }

    /// `None`: it was cancelled before.
    fn ended(&mut self, ended: Result<(Id, Work), JoinError>) -> Option<(String, Work)> {
        let (id, work) = match ended {
            Ok(ended) => ended,
            // Given back as out of time it would come straight back, for ever.
            Err(error) => (error.id(), Work::Return(ReturnReason::NotForMe)),
        };
        let lease = self.names.remove(&id)?;
        self.handles.remove(&lease);
        Some((lease, work))
    }
}
