//! Any bytes as the request of any call, on a small world that is prepared.
//!
//! The real services, writer and engine over tables and a journal in memory,
//! in one thread that steps the writer while a call waits.
//!
//! Not here: which bytes (`piecework_storage::fuzzing::mutated`, the fuzzer).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes};
use piecework_core::{Gauges, Limits, Position, WallTime};
use piecework_proto::{FILE_DESCRIPTOR_SET, v1};
use piecework_storage::{
    Group, Journal as _, JournalError, JournalId, LyingDisk, MemoryJournal, MemoryStore, OnDurable,
    SnapshotError, SnapshotSettings, Snapshots, Store, StoreError, StoreSettings,
};
use prost::Message;
use tokio::sync::watch;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::{Code, Request, Status};

use crate::config::Config;
use crate::drain::Drain;
use crate::refiner::Refinements;
use crate::services::{Life, Registry, Services, Sources, StatusFacts, StatusSource, Streams};
use crate::writer::SnapshotDesk;
use crate::writer::stepped::{Place, Reading, SteppedWriter};

/// How long a unary call may take, and how long a stream may say nothing.
const PATIENCE: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(2)];
/// How far time moves with each turn.
const TURN_MS: u64 = 1_000;
/// What a request that is no message is answered with, by the rules of gRPC.
const NO_MESSAGE: &str = "failed to decode Protobuf message";

/// A method of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// As in a URL: `/piecework.v1.TaskService/GetTask`.
    pub path: String,
    streams: bool,
}

/// Every method of the API, in the order of its files.
///
/// Panics when our own descriptors do not decode.
#[must_use]
pub fn methods() -> Vec<Method> {
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET);
    let files = set.expect("our own descriptors").file;
    let ours = files.into_iter().filter(|file| file.package() == "piecework.v1");
    let services = ours.flat_map(|file| file.service);
    let methods = services.flat_map(|service| {
        let name = service.name().to_owned();
        service.method.into_iter().map(move |method| Method {
            path: format!("/piecework.v1.{name}/{}", method.name()),
            streams: method.server_streaming() || method.client_streaming(),
        })
    });
    methods.collect()
}

/// Good requests: which method, by its number in [`methods`], and the message.
/// The first ones, in this order, prepare a world.
#[must_use]
pub fn seeds() -> Vec<(usize, Vec<u8>)> {
    let methods = methods();
    let number = |end: &str| {
        let found = methods.iter().position(|method| method.path.ends_with(end));
        found.expect("a method of ours")
    };
    let mut seeds: Vec<(usize, Vec<u8>)> =
        prepared().into_iter().map(|(end, message)| (number(end), message)).collect();
    // Whatever a request names, it names it first, or first in what it holds.
    let names = [
        "requesters/acme",
        "projects/cats",
        "projects/cats/tasks/t1",
        "workers/ann",
        "projects/cats/tasks/t1/leases/1",
        "projects/cats/results/1",
    ];
    for (number, name) in (0..methods.len()).flat_map(|m| names.map(|name| (m, name))) {
        let plain = v1::GetTaskRequest { name: name.to_owned(), ..v1::GetTaskRequest::default() };
        let plain = plain.encode_to_vec();
        let mut nested = vec![0x0a, u8::try_from(plain.len()).expect("a short name")];
        nested.extend_from_slice(&plain);
        seeds.extend([(number, plain), (number, nested)]);
    }
    seeds
}

/// Requests that make the world: two workers with leases, one answer given.
fn prepared() -> Vec<(&'static str, Vec<u8>)> {
    let requester = v1::CreateRequesterRequest {
        requester: Some(v1::Requester { display_name: "Acme".into(), ..Default::default() }),
        requester_id: "acme".into(),
        request_id: "r1".into(),
    };
    let answer = v1::Answer {
        lease: "projects/cats/tasks/t1/leases/1".into(),
        answer: Bytes::from_static(br#"{"label":"a"}"#),
        ..Default::default()
    };
    let submit = v1::SubmitAnswersRequest {
        worker: "workers/ann".into(),
        answers: vec![answer],
        ..Default::default()
    };
    vec![
        ("/CreateRequester", requester.encode_to_vec()),
        ("/CreateProject", project().encode_to_vec()),
        ("/CreateTasks", tasks().encode_to_vec()),
        ("/CreateWorker", worker("ann").encode_to_vec()),
        ("/CreateWorker", worker("bob").encode_to_vec()),
        ("/Lease", lease("ann", 2).encode_to_vec()),
        ("/Lease", lease("bob", 1).encode_to_vec()),
        ("/SubmitAnswers", submit.encode_to_vec()),
    ]
}

fn project() -> v1::CreateProjectRequest {
    let field = v1::AnswerField {
        name: "label".into(),
        kind: v1::AnswerFieldKind::Choice.into(),
        choices: vec!["a".into(), "b".into()],
        required: true,
        ..Default::default()
    };
    let project = v1::Project {
        requester: "requesters/acme".into(),
        title: "Cats".into(),
        instructions: [("en".to_owned(), "Choose.".to_owned())].into(),
        schema: Some(v1::AnswerSchema { fields: vec![field] }),
        ..Default::default()
    };
    v1::CreateProjectRequest {
        project: Some(project),
        project_id: "cats".into(),
        request_id: "p1".into(),
    }
}

fn tasks() -> v1::CreateTasksRequest {
    let task = |id: &str| v1::NewTask {
        task_id: id.into(),
        payload: vec![1, 2, 3].into(),
        ..Default::default()
    };
    v1::CreateTasksRequest {
        parent: "projects/cats".into(),
        tasks: ["t1", "t2", "", ""].map(task).to_vec(),
        request_id: "t1".into(),
    }
}

fn worker(id: &str) -> v1::CreateWorkerRequest {
    let kind = v1::WorkerKind::Human.into();
    v1::CreateWorkerRequest {
        worker: Some(v1::Worker { kind, capacity: 10, ..Default::default() }),
        worker_id: id.into(),
        request_id: format!("w-{id}"),
    }
}

fn lease(worker: &str, count: u32) -> v1::LeaseRequest {
    v1::LeaseRequest {
        worker: format!("workers/{worker}"),
        count,
        request_id: format!("l-{worker}"),
        ..Default::default()
    }
}

/// Asks `method`, by its number modulo how many there are, with these bytes.
///
/// Panics on an answer `INTERNAL`, and when the world is not whole afterwards.
pub fn request(method: usize, bytes: &[u8]) {
    let mut world = World::prepared();
    world.ask(method, bytes);
    world.check();
}

/// A daemon in one thread, in memory.
pub struct World {
    methods: Vec<Method>,
    runtime: tokio::runtime::Runtime,
    routes: Routes,
    writer: SteppedWriter<MemoryJournal, LyingDisk>,
    reading: Reading,
    /// Streams end when it goes.
    _stopping: watch::Sender<bool>,
}

struct Memory(MemoryStore);

impl Place for Memory {
    type Journal = MemoryJournal;
    type Disk = LyingDisk;

    fn tables(&self) -> Result<Store, StoreError> {
        Ok(Store::in_memory(&StoreSettings::default()))
    }

    fn snapshots(&self) -> Result<Snapshots<LyingDisk>, SnapshotError> {
        Snapshots::open(LyingDisk::new(0), SnapshotSettings::new(JournalId(9)))
    }

    fn journal(&self, _: Position, on_durable: OnDurable) -> Result<MemoryJournal, JournalError> {
        Ok(MemoryJournal::open(&self.0, on_durable))
    }
}

impl World {
    /// An empty one.
    ///
    /// Panics when there is no thread or memory for it.
    #[must_use]
    pub fn empty() -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let reading = Reading { boot_ms: 1, wall: WallTime(1_700_000_000_000) };
        let place = Memory(MemoryStore::new(JournalId(9)));
        let writer = SteppedWriter::open(&place, &Limits::default(), reading, Box::new(|_| {}));
        let writer = writer.expect("an empty world");
        let store = writer.store().clone();
        let (publish, published) = watch::channel(store.published());
        store.subscribe(Box::new(move |position| _ = publish.send_replace(position)));
        let (stopping, stopped) = watch::channel(false);
        let (status, snapshots) = (status(&store), SnapshotDesk::closed());
        let registry = Arc::new(Registry::new(writer.inbox(), &store));
        let config = Config::default();
        let drain = Drain::new(config.shutdown_within());
        let streams = Streams { registry, terms: config.work_terms(), drain };
        let refinements = Refinements::default();
        let sources = Sources { status, snapshots, refinements };
        let services = Services::new(writer.inbox(), &store, published, stopped, sources, streams);
        let routes = runtime.block_on(services.routes(false));
        World { methods: methods(), runtime, routes, writer, reading, _stopping: stopping }
    }

    /// One with a requester, a project, tasks, workers, leases and an answer.
    ///
    /// Panics when one of these is refused.
    #[must_use]
    pub fn prepared() -> World {
        let mut world = World::empty();
        for (end, message) in prepared() {
            let method = world.methods.iter().position(|method| method.path.ends_with(end));
            let told = world.ask(method.expect("a method of ours"), &message);
            assert!(matches!(told, Some(Ok(_))), "{end}: {told:?}");
        }
        world
    }

    /// The first message of the answer, or why there is none. `None`: a stream
    /// that says nothing yet.
    ///
    /// Panics on an answer `INTERNAL`.
    pub fn ask(&mut self, method: usize, bytes: &[u8]) -> Option<Result<Bytes, Status>> {
        let Method { path, streams } = self.methods[method % self.methods.len()].clone();
        let patience = PATIENCE[usize::from(streams)];
        let told = self.answer(&path, Bytes::copy_from_slice(bytes), patience);
        if let Some(Err(status)) = &told {
            let ours = status.code() == Code::Internal && !status.message().contains(NO_MESSAGE);
            assert!(!ours, "{path} with {bytes:02x?}: {status:?}");
        }
        told
    }

    fn answer(
        &mut self,
        path: &str,
        message: Bytes,
        patience: Duration,
    ) -> Option<Result<Bytes, Status>> {
        let path = path.parse().expect("a path of ours");
        let mut grpc = Grpc::new(self.routes.clone());
        let asking = async move {
            let Ok(()) = grpc.ready().await;
            let stream = grpc.server_streaming(Request::new(message), path, AsIs).await?;
            stream.into_inner().message().await.map(Option::unwrap_or_default)
        };
        let (writer, reading) = (&mut self.writer, &mut self.reading);
        self.runtime.block_on(async move {
            let begun = Instant::now();
            let mut asking = std::pin::pin!(asking);
            loop {
                tokio::select! {
                    biased;
                    told = &mut asking => return Some(told),
                    () = tokio::task::yield_now() => {}
                }
                step(writer, reading);
                if begun.elapsed() > patience {
                    return None;
                }
            }
        })
    }

    /// All groups of its journal, in order.
    ///
    /// Panics when the journal cannot be read.
    pub fn groups(&mut self) -> Vec<Group> {
        let journal = self.writer.journal();
        let groups = journal.read(journal.bounds().oldest).expect("nothing was trimmed");
        groups.collect::<Result<_, _>>().expect("a journal in memory")
    }

    /// Holds the engine's indexes against its rows, and loads the tables.
    ///
    /// Panics when they disagree.
    pub fn check(&mut self) {
        step(&mut self.writer, &mut self.reading);
        if let Err(broken) = self.writer.check() {
            panic!("the engine is broken: {broken}");
        }
        let store = self.writer.store();
        store.checkpoint_now().expect("tables in memory");
        store.check_pages().expect("tables in memory");
    }
}

/// Time moves on, the writer takes a turn and its group becomes durable.
fn step(writer: &mut SteppedWriter<MemoryJournal, LyingDisk>, reading: &mut Reading) {
    reading.boot_ms += TURN_MS;
    reading.wall.0 += TURN_MS;
    writer.turn(*reading, 64).expect("a journal in memory");
    while writer.step_cold() {}
    writer.journal().complete(usize::MAX);
    writer.deliver();
}

fn status(store: &Store) -> StatusSource {
    let store = store.clone();
    Arc::new(move || StatusFacts {
        life: Life::Serving,
        uptime: Duration::ZERO,
        durable: store.published(),
        engine_time: store.applied_now().engine,
        gauges: Gauges::default(),
        journal_bytes: 0,
        journal_segments: 0,
        checkpoint: store.applied(),
        overlay_bytes: store.overlay_bytes(),
    })
}

/// Messages as bytes, in both directions.
#[derive(Debug, Clone, Copy)]
struct AsIs;

impl Codec for AsIs {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = AsIs;
    type Decoder = AsIs;

    fn encoder(&mut self) -> AsIs {
        AsIs
    }

    fn decoder(&mut self) -> AsIs {
        AsIs
    }
}

impl Encoder for AsIs {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for AsIs {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
