//! Results as they become final, without a gap, for as long as it takes.
//!
//! The stream is opened again from the last token whenever it breaks. Each
//! result says which one came before it; if that is not the one seen last, a
//! result is missing, and the watcher stops rather than go on without it.
//!
//! Not here: keeping the token over a restart of the client; take it from
//! `token` after the result has been dealt with.

use std::time::Duration;

use piecework_proto::v1::watch_results_response::Frame;
use piecework_proto::v1::{WatchResultsRequest, WatchResultsResponse, WatchedResult};
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Status, Streaming};

use crate::client::Client;
use crate::error::CallError;
use crate::retry::Retry;

/// The daemon sends a heartbeat every 20 seconds; after three the stream is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Why watching cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The daemon refuses the stream: no such project, a token that is not one, events pruned.
    #[error(transparent)]
    Refused(CallError),
    /// A result that was never seen lies between two that were.
    #[error(
        "a result is missing: {got} says that it follows {claimed}, but {seen} was the last one"
    )]
    Gap {
        /// Sequence of the result seen last; 0 for none.
        seen: u64,
        /// What the next result names as the one before it.
        claimed: u64,
        /// Sequence of that next result.
        got: u64,
    },
}

/// What the watcher has to tell.
#[derive(Debug)]
pub enum Watched {
    /// The next result.
    Result(Box<WatchedResult>),
    /// The stream broke; it is opened again after a pause.
    Interrupted {
        /// Why.
        cause: CallError,
        /// When it is tried again.
        retry_in: Duration,
    },
}

/// A project's results, one after the other.
#[derive(Debug)]
pub struct ResultWatcher {
    client: Client,
    project: String,
    token: String,
    include_provisional: bool,
    /// Sequence of the last result; `None` while a token given from outside leaves it unknown.
    seen: Option<u64>,
    stream: Option<Streaming<WatchResultsResponse>>,
    heard: Instant,
    failures: u32,
    not_before: Instant,
}

impl ResultWatcher {
    /// Watches `project` (`projects/{project}`) from `token`; empty: from its first result.
    #[must_use]
    pub fn new(client: Client, project: String, token: String) -> Self {
        let seen = token.is_empty().then_some(0);
        let now = Instant::now();
        Self {
            client,
            project,
            token,
            include_provisional: false,
            seen,
            stream: None,
            heard: now,
            failures: 0,
            not_before: now,
        }
    }

    /// Watches also what is not sure yet. The token is one of a watcher that did the same.
    #[must_use]
    pub fn with_provisional(mut self) -> Self {
        self.include_provisional = true;
        self
    }

    /// Resumes after everything that `next` has returned so far.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The next result, or news about the connection. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Watching cannot go on; see [`WatchError`].
    pub async fn next(&mut self) -> Result<Watched, WatchError> {
        loop {
            match self.frame().await {
                Ok(Some(Frame::Result(result))) => return self.accept(result),
                Ok(Some(Frame::Heartbeat(heartbeat))) => self.token = heartbeat.resume_token,
                // A frame of a later version.
                Ok(None) => {}
                Err(status) => return self.interrupted(status.into()),
            }
        }
    }

    /// The next result, passing over interruptions.
    ///
    /// # Errors
    /// As `next`.
    pub async fn next_result(&mut self) -> Result<WatchedResult, WatchError> {
        loop {
            if let Watched::Result(result) = self.next().await? {
                return Ok(*result);
            }
        }
    }

    async fn frame(&mut self) -> Result<Option<Frame>, Status> {
        if self.stream.is_none() {
            sleep_until(self.not_before).await;
            let request = WatchResultsRequest {
                parent: self.project.clone(),
                resume_token: self.token.clone(),
                include_provisional: self.include_provisional,
            };
            let stream = self.client.results().watch_results(request).await?.into_inner();
            self.heard = Instant::now();
            self.stream = Some(stream);
        }
        let Some(stream) = &mut self.stream else { return Ok(None) };
        match timeout_at(self.heard + SILENCE_MAX, stream.message()).await {
            Err(_) => Err(Status::unavailable("the stream has been silent for too long")),
            Ok(message) => {
                let message = message?.ok_or_else(|| Status::unavailable("the stream ended"))?;
                self.heard = Instant::now();
                self.failures = 0;
                Ok(message.frame)
            }
        }
    }

    fn accept(&mut self, result: WatchedResult) -> Result<Watched, WatchError> {
        let got = result.result.as_ref().map_or(0, |result| result.sequence);
        let claimed = result.previous_sequence;
        let follows = self.seen.is_none_or(|seen| seen == claimed);
        if !follows || got <= claimed {
            self.stream = None;
            return Err(WatchError::Gap { seen: self.seen.unwrap_or(claimed), claimed, got });
        }
        self.seen = Some(got);
        self.token.clone_from(&result.resume_token);
        Ok(Watched::Result(Box::new(result)))
    }

    fn interrupted(&mut self, cause: CallError) -> Result<Watched, WatchError> {
        self.stream = None;
        if !cause.is_passing() {
            return Err(WatchError::Refused(cause));
        }
        let retry_in = Retry::default().pause(self.failures, &cause);
        self.failures += 1;
        self.not_before = Instant::now() + retry_in;
        Ok(Watched::Interrupted { cause, retry_in })
    }
}
