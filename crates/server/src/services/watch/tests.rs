//! Streams over a store in memory, with events published by hand.

use bytes::Bytes;
use piecework_core::change::{Change, Changed, TenantRow};
use piecework_core::event::{Event, What, WorkerEvent};
use piecework_core::requester::Labels;
use piecework_core::worker::{Worker, WorkerKind, WorkerSpec, WorkerState};
use piecework_core::{ClientId, Now, Sequence, TenantId, WallTime, WorkerId};
use piecework_proto::v1;
use piecework_proto::v1::EventType;
use piecework_storage::{CommandHeader, Store, StoreSettings, encode_command};
use tokio_stream::StreamExt;
use tonic::Status;
use tonic_types::StatusExt;

use super::*;
use crate::services::records;
use crate::services::tenant;

const TENANT: TenantId = TenantId::DEFAULT;
const LOG: Log = Log::Workers(TENANT);
const NEVER: Duration = Duration::from_secs(3_600);
/// A heartbeat is an event without a payload here.
const FRAMES: Frames<v1::Event> = Frames { record: records::event, heartbeat };

fn heartbeat(resume_token: String) -> v1::Event {
    v1::Event { resume_token, ..v1::Event::default() }
}

/// A daemon whose writer is the test.
struct World {
    store: Store,
    source: Source,
    publish: watch::Sender<Position>,
    stop: watch::Sender<bool>,
    events: u64,
}

impl World {
    fn new() -> World {
        let store = Store::in_memory(&StoreSettings::default());
        let (publish, published) = watch::channel(Position(0));
        let (stop, stopping) = watch::channel(false);
        let reader = Arc::new(Reader::new(store.view(tenant::current())));
        let source = Source { reader, published, stopping };
        let world = World { store, source, publish, stop, events: 0 };
        world.commit(&[changed(Change::Worker(Box::new(ann())))]);
        world
    }

    fn commit(&self, changes: &[Changed]) {
        let (actor, request_id, refusal) = (None, None, None);
        let header = CommandHeader { tenant: TENANT, kind: "test", actor, request_id, refusal };
        let mut body = Vec::new();
        encode_command(&mut body, &header, changes);
        let position = self.store.published().next();
        self.store.publish(&Bytes::from(body), position, Now::default()).unwrap();
        self.publish.send_replace(position);
    }

    fn suspend(&mut self) {
        self.events += 1;
        let sequence = Sequence(self.events);
        let suspended = WorkerEvent::Suspended { reason: format!("no {sequence}") };
        let what = What::Worker { worker: WorkerId(1), what: suspended };
        let event = Event { log: LOG, sequence, at: WallTime(1), what };
        let row = TenantRow { tenant: TenantId::DEFAULT, last_worker_event: sequence };
        self.commit(&[changed(Change::Tenant(row)), changed(Change::Event(Box::new(event)))]);
    }

    fn prune(&self, through: u64) {
        let gone = Change::EventsGone { log: LOG, through: Sequence(through) };
        self.commit(&[changed(gone)]);
    }

    fn watch(&self, token: &str, every: Duration) -> Result<Handed<v1::Event>, Status> {
        let query = query();
        let cursor = query.begin(&self.source.reader, token)?;
        Ok(follow(self.source.clone(), query, cursor, FRAMES, every))
    }
}

fn changed(change: Change) -> Changed {
    Changed { tenant: TENANT, change }
}

fn query() -> LogQuery {
    LogQuery::new(LOG, "workers/-".to_owned(), vec![EventType::Worker])
}

fn ann() -> Worker {
    let spec = WorkerSpec {
        kind: WorkerKind::Human,
        region: String::new(),
        device: String::new(),
        capacity: None,
        identity_cluster: String::new(),
        requester: None,
        labels: Labels::new(),
    };
    Worker {
        id: WorkerId(1),
        tenant: TENANT,
        name: ClientId::new("ann").unwrap(),
        spec,
        skills: std::collections::BTreeMap::new(),
        state: WorkerState::Active,
        created: WallTime(1),
        version: 1,
    }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

async fn next(stream: &mut Handed<v1::Event>) -> v1::Event {
    stream.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_stream_has_what_was_there_and_what_comes() {
    let mut world = World::new();
    world.suspend();
    world.suspend();
    let mut stream = world.watch("", NEVER).unwrap();
    for sequence in 1..=2 {
        let event = next(&mut stream).await;
        assert_eq!((event.sequence, event.previous_sequence), (sequence, sequence - 1));
    }
    world.suspend();
    assert_eq!(next(&mut stream).await.sequence, 3);
}

#[tokio::test]
async fn a_token_resumes_without_gap_or_repetition() {
    let mut world = World::new();
    for _ in 0..300 {
        world.suspend();
    }
    let mut stream = world.watch("", NEVER).unwrap();
    let mut last = v1::Event::default();
    for _ in 0..130 {
        last = next(&mut stream).await;
    }
    let mut stream = world.watch(&last.resume_token, NEVER).unwrap();
    for sequence in 131..=300 {
        let event = next(&mut stream).await;
        assert_eq!((event.sequence, event.previous_sequence), (sequence, sequence - 1));
    }
}

#[tokio::test]
async fn an_idle_stream_shows_that_it_lives_and_from_where_to_resume() {
    let mut world = World::new();
    world.suspend();
    let mut stream = world.watch("", Duration::from_millis(1)).unwrap();
    assert_eq!(next(&mut stream).await.sequence, 1);
    let heartbeat = next(&mut stream).await;
    assert!(heartbeat.payload.is_none());
    world.suspend();
    let mut resumed = world.watch(&heartbeat.resume_token, NEVER).unwrap();
    let event = next(&mut resumed).await;
    assert_eq!((event.sequence, event.previous_sequence), (2, 1));
}

#[tokio::test]
async fn a_token_ahead_of_the_log_is_refused() {
    let mut world = World::new();
    world.suspend();
    let ahead = Cursor { after: Sequence(9), previous: Sequence(9) };
    let status = world.watch(&query().token(ahead), NEVER).unwrap_err();
    assert_eq!(reason(&status), "RESUME_TOKEN_INVALID");
}

#[tokio::test]
async fn a_pruned_token_is_told_where_the_log_begins() {
    let mut world = World::new();
    for _ in 0..5 {
        world.suspend();
    }
    let old = query().token(Cursor { after: Sequence(1), previous: Sequence(1) });
    world.prune(3);
    let status = world.watch(&old, NEVER).unwrap_err();
    assert_eq!(reason(&status), "CURSOR_PRUNED");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["earliest_sequence"], "4");
    let mut stream = world.watch(&info.metadata["earliest_resume_token"], NEVER).unwrap();
    assert_eq!(next(&mut stream).await.sequence, 4);
    // Without a token a watcher takes what there is.
    let mut stream = world.watch("", NEVER).unwrap();
    assert_eq!(next(&mut stream).await.sequence, 4);
}

#[tokio::test]
async fn a_stream_ends_with_the_daemon_and_says_so() {
    let world = World::new();
    let mut stream = world.watch("", NEVER).unwrap();
    world.stop.send_replace(true);
    let status = stream.next().await.unwrap().unwrap_err();
    assert_eq!((reason(&status).as_str(), status.code()), ("DRAINING", tonic::Code::Unavailable));
    assert!(stream.next().await.is_none());
}
