//! The daemon's end, from the wish to the last checkpoint.
//!
//! Nothing is granted any more, streams are told to go, and while the calls
//! that were open finish, answers are still taken and status is told. Then the
//! port closes, the writer closes the journal, the tables get a checkpoint, and
//! whatever is still open is cut.
//!
//! Not here: who asks for it, and how long it may take (`drain.rs`).

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::drain::Drain;
use crate::http::Phase;
use crate::open_calls::OpenCalls;
use crate::serve::ServeError;
use crate::writer::{Ending, Running};

/// gRPC, as it runs.
pub(crate) type Serving = JoinHandle<Result<(), tonic::transport::Error>>;

/// All that must hear of the end.
#[derive(Debug)]
pub(crate) struct End {
    /// Who asks for it.
    pub(crate) drain: Drain,
    /// What it waits for.
    pub(crate) calls: OpenCalls,
    /// Streams are to go.
    pub(crate) stopping: watch::Sender<bool>,
    /// The port is to close.
    pub(crate) closing: watch::Sender<bool>,
    /// What supervisors are told.
    pub(crate) phase: watch::Sender<Phase>,
}

impl End {
    /// Of a daemon that starts. `drain`: how it will be asked.
    pub(crate) fn new(drain: Drain, phase: watch::Sender<Phase>) -> End {
        let (stopping, closing) = (watch::Sender::new(false), watch::Sender::new(false));
        End { drain, calls: OpenCalls::default(), stopping, closing, phase }
    }

    /// Waits for the end and brings it about.
    pub(crate) async fn comes(
        self,
        mut running: Running,
        stop: impl Future<Output = ()>,
        mut server: Serving,
    ) -> Result<(), ServeError> {
        let drain = &self.drain;
        let mut signals = pin!(async {
            stop.await;
            drain.hurry();
            pending::<Infallible>().await
        });
        let died = tokio::select! {
            never = &mut signals => match never {},
            () = drain.asked() => None,
            ending = running.ended() => Some(ending),
            served = &mut server => {
                return served.map_err(|_| ServeError::WriterGone)?.map_err(ServeError::Grpc);
            }
        };
        let begun = Instant::now();
        info!(within_ms = drain.ask(None).as_millis(), "draining");
        self.phase.send_replace(Phase::Draining);
        running.drain();
        self.stopping.send_replace(true);
        let calls = async {
            self.calls.have_ended().await;
            self.closing.send_replace(true);
            // How it ended does not matter any more.
            let _ = (&mut server).await;
        };
        let is_cut = tokio::select! {
            never = &mut signals => match never {},
            () = calls => false,
            () = drain.calls_are_over() => true,
        };
        if is_cut {
            warn!("some connections did not end in time and are cut");
            server.abort();
        }
        let ending = match died {
            Some(ending) => ending,
            None => running.stop(drain.remaining()).await,
        };
        match ending {
            Ending::Orderly => {
                info!(took_ms = begun.elapsed().as_millis(), "ended");
                Ok(())
            }
            Ending::Failed(error) => Err(ServeError::Commit(error)),
            Ending::Gone => Err(ServeError::WriterGone),
        }
    }
}
