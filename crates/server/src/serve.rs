//! The daemon's life: recover, serve, end.
//!
//! Not here: reading the configuration and signals (the binary), how it ends
//! (`ending.rs`).

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use piecework_proto::Gathered;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::{info, warn};

use crate::config::Config;
use crate::drain::Drain;
use crate::ending::{End, Serving};
use crate::http::{self, Phase};
use crate::metrics;
use crate::refiner::{Refinements, Refiner};
use crate::rpc::CountCalls;
use crate::services::{
    Life, Registry, Services, Sources, StatusFacts, StatusSource, Streams, tenant,
};
use crate::writer::{self, CommitError, RecoverError, Running};

/// How often histograms are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Calls and streams that one connection may have open.
const STREAMS_PER_CONNECTION: u32 = 4_096;
/// Streams a peer may reset before they were accepted; more close the connection.
const PENDING_RESETS: usize = 64;
/// Resets that a peer's mistakes may cost us; more close the connection.
const LOCAL_RESETS: usize = 1_024;
/// Bytes in all headers of one call.
const HEADER_BYTES: u32 = 16 * 1024;
/// Bytes a peer may send ahead on one stream.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Bytes a peer may send ahead on one connection.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Pings on quiet connections, and how long an answer may take.
const KEEPALIVE: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(20)];

/// As when opening the tables hangs: a supervisor starts the daemon again, and it
/// makes its tables anew.
const EXIT_START_AGAIN: u8 = 75;

/// Where the daemon can be reached.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// gRPC.
    pub listen: SocketAddr,
    /// Metrics and health.
    pub metrics: SocketAddr,
}

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There are no credentials yet: anybody who reaches the port may do anything.
    #[error(
        "{key} = {address} is not a loopback address, and there are no credentials yet; \
         use --insecure-bind if every host that reaches it may do everything"
    )]
    NotLoopback {
        /// Which key.
        key: &'static str,
        /// What it says.
        address: SocketAddr,
    },
    /// An address cannot be had.
    #[error("could not listen on {key} = {address}")]
    Bind {
        /// Which key.
        key: &'static str,
        /// What it says.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Metrics cannot be set up.
    #[error("could not set up metrics")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
    /// The data cannot be opened.
    #[error("could not open the data directory")]
    Recover(#[source] RecoverError),
    /// The writer died; what was acknowledged is in the journal.
    #[error("the writer stopped; start again to recover")]
    Commit(#[source] CommitError),
    /// The writer's thread is gone.
    #[error("the writer died of a mistake of ours; start again to recover")]
    WriterGone,
    /// gRPC cannot be served.
    #[error("could not serve gRPC")]
    Grpc(#[source] tonic::transport::Error),
}

impl ServeError {
    /// The process's exit code: 2 wrong configuration, 3 damaged data, 75 wrong
    /// tables that a new start makes anew, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::NotLoopback { .. } => 2,
            ServeError::Recover(error) if error.is_damage() => 3,
            ServeError::Commit(CommitError::Snapshot { .. }) => EXIT_START_AGAIN,
            _ => 1,
        }
    }
}

/// Runs the daemon until `stop` resolves, an operator drains it or the writer dies.
///
/// `ready` hears where it can be reached, once it answers calls.
///
/// # Errors
/// See [`ServeError`]. Everything acknowledged is durable in any case.
pub async fn serve(
    config: Config,
    ready: oneshot::Sender<Ready>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let begun = Instant::now();
    let grpc = bind("listen", config.listen, config.insecure_bind).await?;
    let scrape = bind("metrics_listen", config.metrics_listen, config.insecure_bind).await?;
    let at = Ready {
        listen: local(&grpc, config.listen),
        metrics: local(&scrape, config.metrics_listen),
    };
    let (phase, phases) = watch::channel(Phase::Starting);
    let http = spawn_http(scrape, phases)?;

    let (running, registry, refiner) = start(&config).await?;
    let end = End::new(Drain::new(config.shutdown_within()), phase);
    let refinements = refiner.refinements();
    let own = Own { running: &running, registry, refinements, end: &end, begun };
    let server = spawn_grpc(&config, own, grpc).await;
    end.phase.send_replace(Phase::Serving);
    info!(listen = %at.listen, metrics = %at.metrics, started_in_ms = begun.elapsed().as_millis(), "serving");
    // The caller may not care.
    let _ = ready.send(at);

    let ending = end.comes(running, stop, server).await;
    http.abort();
    // The writer has gone: it ends after the slice it is at.
    let _ = tokio::task::spawn_blocking(move || drop(refiner)).await;
    ending
}

async fn start(config: &Config) -> Result<(Running, Arc<Registry>, Refiner), ServeError> {
    let config = config.clone();
    let started = tokio::task::spawn_blocking(move || writer::start(&config)).await;
    let (running, replies) =
        started.map_err(|_| ServeError::WriterGone)?.map_err(ServeError::Recover)?;
    let registry = Arc::new(Registry::new(running.inbox(), &running.store()));
    let (hear, take_back) = (Arc::clone(&registry), Arc::clone(&registry));
    let unheard = move |answer| take_back.unheard(answer);
    let refiner = Refiner::start(running.store(), running.inbox(), tenant::current());
    let refiner = refiner.map_err(|error| ServeError::Recover(RecoverError::Thread(error)))?;
    let news = refiner.news();
    let told = move |projects| news.tell(projects);
    tokio::spawn(writer::fire(replies, move |ended| hear.ended(ended), unheard, told));
    Ok((running, registry, refiner))
}

async fn bind(
    key: &'static str,
    address: SocketAddr,
    insecure: bool,
) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() && !insecure {
        return Err(ServeError::NotLoopback { key, address });
    }
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { key, address, source })
}

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

fn spawn_http(
    listener: TcpListener,
    phases: watch::Receiver<Phase>,
) -> Result<JoinHandle<()>, ServeError> {
    let handle = metrics::install().map_err(ServeError::Metrics)?;
    let upkeep = handle.clone();
    Ok(tokio::spawn(async move {
        let mut every = tokio::time::interval(UPKEEP_EVERY);
        let keep = async {
            loop {
                every.tick().await;
                upkeep.run_upkeep();
            }
        };
        tokio::select! {
            served = http::serve(listener, handle, phases) => {
                if let Err(error) = served {
                    warn!(%error, "metrics are not served any more");
                }
            }
            () = keep => {}
        }
    }))
}

/// What the services stand on.
struct Own<'a> {
    running: &'a Running,
    registry: Arc<Registry>,
    refinements: Refinements,
    end: &'a End,
    begun: Instant,
}

async fn spawn_grpc(config: &Config, own: Own<'_>, listener: TcpListener) -> Serving {
    let Own { running, registry, refinements, end, begun } = own;
    let stopped = end.stopping.subscribe();
    let services = Services::new(
        running.inbox(),
        &running.store(),
        running.published(),
        stopped.clone(),
        Sources {
            status: status(running, begun, stopped),
            snapshots: running.snapshots(),
            refinements,
        },
        Streams { registry, terms: config.work_terms(), drain: end.drain.clone() },
    );
    let is_loopback = listener.local_addr().is_ok_and(|at| at.ip().is_loopback());
    let routes = services.routes(is_loopback || config.reflection).await;
    let mut closing = end.closing.subscribe();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let incoming = incoming.map(|accepted| accepted.map(Gathered::new));
    let server = Server::builder()
        .max_concurrent_streams(Some(STREAMS_PER_CONNECTION))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS))
        .http2_max_header_list_size(Some(HEADER_BYTES))
        .initial_stream_window_size(Some(STREAM_WINDOW))
        .initial_connection_window_size(Some(CONNECTION_WINDOW))
        .http2_keepalive_interval(Some(KEEPALIVE[0]))
        .http2_keepalive_timeout(Some(KEEPALIVE[1]))
        .layer(end.calls.clone())
        .layer(CountCalls::default())
        .add_routes(routes);
    tokio::spawn(server.serve_with_incoming_shutdown(incoming, async move {
        // A closed channel is an end, too.
        let _ = closing.wait_for(|closing| *closing).await;
    }))
}

/// How the daemon is, at the moment of asking.
fn status(running: &Running, begun: Instant, stopping: watch::Receiver<bool>) -> StatusSource {
    let (facts, store, inbox) = (running.facts(), running.store(), running.inbox());
    Arc::new(move || {
        let now = *facts.borrow();
        let life = match (*stopping.borrow(), inbox.is_draining()) {
            (true, _) => Life::Draining,
            (false, true) => Life::Stopped,
            (false, false) => Life::Serving,
        };
        StatusFacts {
            life,
            uptime: begun.elapsed(),
            durable: store.published(),
            engine_time: now.now.engine,
            gauges: now.gauges,
            journal_bytes: now.bounds.bytes,
            journal_segments: u32::try_from(now.bounds.segments).unwrap_or(u32::MAX),
            checkpoint: store.applied(),
            overlay_bytes: store.overlay_bytes(),
        }
    })
}
