//! The calls of the API, one file per gRPC service.
//!
//! A handler parses (`wire`), asks the engine or reads the tables, and formats
//! (`wire`). Nothing here decides anything about tasks.
//!
//! Not here: listening, transport limits, metrics (`serve.rs`).

mod cache;
mod call;
pub(crate) mod reader;
mod records;
mod referred;
pub(crate) mod tenant;
mod watch;
mod work;

mod admin;
mod dispatch;
mod event;
pub(crate) mod grants;
mod log;
mod page;
mod project;
mod quality;
mod requester;
mod result;
mod submission;
mod task;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use piecework_core::limits::MESSAGE_BYTES_MAX;
use piecework_core::{EngineTime, Gauges, Position};
use piecework_proto::FILE_DESCRIPTOR_SET;
use piecework_proto::v1::admin_service_server::AdminServiceServer;
use piecework_proto::v1::dispatch_service_server::DispatchServiceServer;
use piecework_proto::v1::event_service_server::EventServiceServer;
use piecework_proto::v1::project_service_server::ProjectServiceServer;
use piecework_proto::v1::requester_service_server::RequesterServiceServer;
use piecework_proto::v1::result_service_server::ResultServiceServer;
use piecework_proto::v1::submission_service_server::SubmissionServiceServer;
use piecework_proto::v1::task_service_server::TaskServiceServer;
use piecework_proto::v1::worker_service_server::WorkerServiceServer;
use piecework_storage::Store;
use tokio::sync::watch as channel;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::error;

use crate::drain::Drain;
use crate::refiner::Refinements;
use crate::services::call::Desk;
use crate::services::reader::Reader;
use crate::services::work::House;
use crate::writer::{Inbox, SnapshotDesk};

pub(crate) use work::{Registry, WorkTerms};

/// Room above `MESSAGE_BYTES_MAX` in replies: pages are cut at the limit, and
/// the page token and the position come on top.
const REPLY_SLACK_BYTES: usize = 64 * 1024;
/// How often an idle stream shows that it lives.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// How the daemon is, at the moment of asking.
#[derive(Debug, Clone)]
pub(crate) struct StatusFacts {
    /// What it is doing.
    pub(crate) life: Life,
    /// How long this process has run.
    pub(crate) uptime: Duration,
    /// The newest position that is durable.
    pub(crate) durable: Position,
    /// Time that leases have lived through.
    pub(crate) engine_time: EngineTime,
    /// Counts over everything.
    pub(crate) gauges: Gauges,
    /// Size of all segments, preallocated ones included.
    pub(crate) journal_bytes: u64,
    /// Segment files.
    pub(crate) journal_segments: u32,
    /// Everything up to here is in the tables on disk.
    pub(crate) checkpoint: Position,
    /// Rows in memory that the next checkpoints will write.
    pub(crate) overlay_bytes: u64,
}

/// What the daemon is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Answering calls.
    Serving,
    /// Finishing what it has.
    Draining,
    /// Its writer has died.
    Stopped,
}

/// Where the facts come from. Called once per `GetStatus`.
pub(crate) type StatusSource = Arc<dyn Fn() -> StatusFacts + Send + Sync>;

/// What is told by others than the writer and the tables.
pub(crate) struct Sources {
    /// How the daemon is.
    pub(crate) status: StatusSource,
    /// Where snapshots are asked for.
    pub(crate) snapshots: SnapshotDesk,
    /// What the refiner has done.
    pub(crate) refinements: Refinements,
}

/// All gRPC services over one writer and one store.
pub(crate) struct Services {
    desk: Arc<Desk>,
    status: StatusSource,
    snapshots: SnapshotDesk,
    streams: Streams,
}

/// What `Work` streams need besides the desk.
pub(crate) struct Streams {
    /// Which of them speaks for a worker.
    pub(crate) registry: Arc<Registry>,
    /// What is asked of their clients.
    pub(crate) terms: WorkTerms,
    /// The daemon's end, for which operators may ask.
    pub(crate) drain: Drain,
}

impl Services {
    /// `published`: the newest position that readers can see. `stopping`: becomes
    /// true when streams are to end.
    pub(crate) fn new(
        inbox: Inbox,
        store: &Store,
        published: channel::Receiver<Position>,
        stopping: channel::Receiver<bool>,
        sources: Sources,
        streams: Streams,
    ) -> Services {
        let Sources { status, snapshots, refinements } = sources;
        let reader = Arc::new(Reader::new(store.view(tenant::current())));
        let desk = Arc::new(Desk { inbox, reader, published, stopping, refinements });
        Services { desk, status, snapshots, streams }
    }

    /// Every service, with health and, where asked, reflection. A service is
    /// healthy until the daemon stops.
    pub(crate) async fn routes(self, reflection: bool) -> Routes {
        let Services { desk, status, snapshots, streams } = self;
        let Streams { registry, terms, drain } = streams;
        let house =
            Arc::new(House { desk: Arc::clone(&desk), registry, terms, drain: drain.clone() });
        let heartbeat = HEARTBEAT_EVERY;
        let desk = || Arc::clone(&desk);
        let (health, health_service) = tonic_health::server::health_reporter();
        let mut routes = Routes::new(health_service);
        let mut names = Vec::new();
        macro_rules! serve {
            ($server:ident, $api:expr) => {{
                let server = $server::new($api)
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX + REPLY_SLACK_BYTES);
                names.push(name_of(&server));
                routes = routes.add_service(server);
            }};
        }
        serve!(RequesterServiceServer, requester::RequesterApi(desk()));
        serve!(ProjectServiceServer, project::ProjectApi(desk()));
        serve!(TaskServiceServer, task::TaskApi(desk()));
        serve!(WorkerServiceServer, worker::WorkerApi(desk()));
        serve!(DispatchServiceServer, dispatch::DispatchApi { house });
        serve!(SubmissionServiceServer, submission::SubmissionApi(desk()));
        serve!(EventServiceServer, event::EventApi { desk: desk(), heartbeat });
        serve!(ResultServiceServer, result::ResultApi { desk: desk(), heartbeat });
        serve!(AdminServiceServer, admin::AdminApi { status, snapshots, drain });
        if reflection {
            routes = with_reflection(routes);
        }
        for name in &names {
            health.set_service_status(*name, ServingStatus::Serving).await;
        }
        tokio::spawn(tell_the_end(health, names, desk().stopping.clone()));
        routes
    }
}

fn name_of<S: NamedService>(_: &S) -> &'static str {
    S::NAME
}

/// Both versions of reflection: older tools know only the first.
fn with_reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => {
            error!(%error, "no reflection: our own descriptors do not decode");
            routes
        }
    }
}

/// Once the daemon stops, nothing is healthy any more.
async fn tell_the_end(
    health: HealthReporter,
    names: Vec<&'static str>,
    mut stopping: channel::Receiver<bool>,
) {
    // A closed channel is an end, too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    for name in names.into_iter().chain([""]) {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
}
