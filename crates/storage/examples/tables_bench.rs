//! What rows cost: to encode, to publish, to write at a checkpoint, to read.
//!
//! `cargo run --release -p piecework-storage --example tables_bench -- [directory] [tasks]`
//!
//! First a task import (256 bytes of payload), then lease and submit cycles as
//! the engine makes them. CPU is that of the whole process, sled's threads
//! included; file growth is what sled takes on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use piecework_core::change::{Change, Changed};
use piecework_core::event::{Event, Log, What};
use piecework_core::lease::{Lease, LeaseState, Submitted};
use piecework_core::project::ProjectTally;
use piecework_core::quality::{Rating, Record};
use piecework_core::schema::{Answer, Content, Value};
use piecework_core::submission::{Review, Submission, Verdict};
use piecework_core::task::{TaskOrder, TaskRecord, TaskSpec, TaskState};
use piecework_core::worker::WorkerRecord;
use piecework_core::{
    ClientId, EngineTime, Fingerprint, LeaseId, Millis, Money, Now, Position, ProjectId, Revision,
    Sequence, TaskId, TaskNumber, TenantId, WallTime, WorkerId,
};
use piecework_storage::{CommandHeader, Room, Store, StoreSettings, encode_command};

const PROJECT: ProjectId = ProjectId(1);
const TASKS_PER_GROUP: u32 = 1_000;
const CYCLES_PER_GROUP: u32 = 64;
const WORKERS: u32 = 1_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("tables-bench-{}", std::process::id())),
        PathBuf::from,
    );
    let tasks = arguments.next().map_or(400_000, |n| n.parse().expect("a number of tasks"));
    let store = Store::open(&directory, &StoreSettings::default()).expect("a usable directory");
    store.opened().expect("a usable directory");
    let mut bench = Bench { store, position: 0, sequence: 0 };

    bench.phase("import, 256 B", tasks / TASKS_PER_GROUP, |group, _| {
        let specs = (0..TASKS_PER_GROUP).map(|n| Arc::new(spec(group * TASKS_PER_GROUP + n + 1)));
        vec![vec![Change::Specs(specs.collect())]]
    });
    bench.phase("lease + submit", tasks / 4 / CYCLES_PER_GROUP, |group, sequence| {
        let cycles = (0..CYCLES_PER_GROUP).map(|n| group * CYCLES_PER_GROUP + n + 1);
        cycles.flat_map(|number| cycle(number, sequence)).collect()
    });
    bench.phase("the same, scattered", tasks / 4 / CYCLES_PER_GROUP, |group, sequence| {
        let cycles = (0..CYCLES_PER_GROUP).map(|n| scattered(group * CYCLES_PER_GROUP + n, tasks));
        cycles.flat_map(|number| cycle(number, sequence)).collect()
    });
    bench.read(tasks);
    println!("resident {} MB", resident_bytes() / 1_000_000);
    drop(bench);
    std::fs::remove_dir_all(&directory).expect("the directory is ours");
}

struct Bench {
    store: Store,
    position: u64,
    sequence: u64,
}

impl Bench {
    fn phase(&mut self, name: &str, groups: u32, make: impl Fn(u32, &mut u64) -> Vec<Vec<Change>>) {
        let (mut rows, mut bytes) = (0_u64, 0_u64);
        let (mut encoded, mut published, mut written) = (Cost::ZERO, Cost::ZERO, Cost::ZERO);
        let disk = self.disk();
        for group in 0..groups {
            let commands = make(group, &mut self.sequence);
            let mut body = Vec::new();
            let started = Cost::now();
            for changes in commands {
                rows += u64::from(encode(&mut body, changes, self.position));
                self.position += 1;
            }
            encoded.add(&started);
            bytes += body.len() as u64;
            let body = Bytes::from(body);
            let (at, now) = (Position(self.position), Now::default());
            let started = Cost::now();
            self.store.publish(&body, at, now).expect("a good group");
            published.add(&started);
            if self.store.room() != Room::Free {
                let started = Cost::now();
                self.store.checkpoint_now().expect("a usable disk");
                written.add(&started);
            }
        }
        let started = Cost::now();
        self.store.checkpoint_now().expect("a usable disk");
        written.add(&started);
        println!("{name}: {rows} rows, {:.0} B of journal a row", per(bytes, rows));
        for (what, cost) in [("encode", encoded), ("publish", published), ("checkpoint", written)] {
            let (cpu, wall) = (cost.cpu_us / rows as f64, cost.wall_us / rows as f64);
            println!("  {what:10} {cpu:6.2} us CPU a row, {wall:6.2} us on the clock");
        }
        let grown = self.disk().saturating_sub(disk);
        println!("  file       {:.0} B a row, {} MB in all", per(grown, rows), self.disk() >> 20);
    }

    fn read(&self, tasks: u32) {
        let view = self.store.view(TenantId::DEFAULT);
        let reads = 100_000_u32;
        let started = Cost::now();
        let mut cost = Cost::ZERO;
        for n in 0..reads {
            let number = TaskNumber(scattered(n, tasks));
            view.spec(TaskId { project: PROJECT, number }).expect("readable").expect("there");
        }
        cost.add(&started);
        println!("read: {:.2} us CPU a spec at random", cost.cpu_us / f64::from(reads));
        let mut rows = 0_u32;
        let (started, mut cost) = (Cost::now(), Cost::ZERO);
        self.store.load(EngineTime(0), &mut |_| rows += 1).expect("readable");
        cost.add(&started);
        println!("load: {:.2} us CPU an image row, {rows} rows", cost.cpu_us / f64::from(rows));
    }

    fn disk(&self) -> u64 {
        self.store.size_on_disk().expect("a usable disk")
    }
}

fn encode(body: &mut Vec<u8>, changes: Vec<Change>, position: u64) -> u32 {
    let tenant = TenantId::DEFAULT;
    let changes: Vec<Changed> =
        changes.into_iter().map(|change| Changed { tenant, change }).collect();
    let id = ClientId::new(&format!("request-{position}"));
    let header = CommandHeader {
        tenant,
        kind: "submit",
        actor: None,
        request_id: id.as_ref(),
        refusal: None,
    };
    encode_command(body, &header, &changes)
}

/// A task's number, far from that of the next `n`.
fn scattered(n: u32, tasks: u32) -> u32 {
    1 + n.wrapping_mul(2_654_435_761) % tasks
}

fn order() -> TaskOrder {
    TaskOrder {
        priority: 0,
        deadline: None,
        wanted: 3,
        most: 0,
        ready_at: EngineTime(123_456),
        size_class: 0,
        duration_class: 0,
    }
}

fn spec(number: u32) -> TaskSpec {
    TaskSpec {
        id: TaskId { project: PROJECT, number: TaskNumber(number) },
        name: ClientId::new(&format!("img-{number:08}")),
        payload: vec![b'x'; 256],
        content_type: "application/json".to_owned(),
        labels: std::collections::BTreeMap::new(),
        expected: None,
        order: order(),
        content: Fingerprint::of(&[&number.to_le_bytes()]),
        created: WallTime(1_800_000_000_000),
    }
}

/// One task is leased once, and answered: the rows of two commands.
#[expect(clippy::too_many_lines, reason = "nouns are long")]
fn cycle(number: u32, sequence: &mut u64) -> Vec<Vec<Change>> {
    let task = TaskId { project: PROJECT, number: TaskNumber(number) };
    let (id, worker) = (LeaseId { task, number: 1 }, WorkerId(1 + number % WORKERS));
    *sequence += 1;
    let event = Event {
        log: Log::Project(PROJECT),
        sequence: Sequence(*sequence),
        at: WallTime(1_800_000_000_000),
        what: What::Submitted(id),
    };
    let record = TaskRecord {
        id: task,
        order: order(),
        state: TaskState::Open,
        last_lease: 1,
        last_answer: 0,
        expiries: 0,
        lapsed: false,
        attempts: Vec::new(),
        broken: Vec::new(),
        result: None,
        result_revision: 0,
        said: None,
        resolved: false,
    };
    let rating = Rating { record: Record::of_counts(5, 4), ..Rating::default() };
    let behaviour = WorkerRecord { worker, rating, ..WorkerRecord::default() };
    let tally = ProjectTally { project: PROJECT, granted: *sequence, ..ProjectTally::default() };
    let lease = |state| Lease {
        id,
        worker,
        request: 0,
        revision: Revision(1),
        granted: EngineTime(123_456),
        granted_wall: WallTime(1_800_000_000_000),
        deadline: EngineTime(723_456),
        state,
        claim_by: None,
        draft: false,
    };
    let answer = br#"{"label":"cat","sure":true}"#.to_vec();
    let fingerprint = Fingerprint::of(&[&answer]);
    let submitted = Submitted {
        verdict: Verdict::Counted,
        payable_micros: 20_000,
        answer: fingerprint,
        meaning: fingerprint,
        values: vec![Some(Value::Choice(1))],
        judged: None,
        at: WallTime(1_800_000_060_000),
        took: Millis(60_000),
        order: 1,
    };
    let submission = Submission {
        lease: id,
        worker,
        revision: Revision(1),
        answer: Answer {
            bytes: answer,
            content_type: "application/json".to_owned(),
            content: Content::Other,
            fingerprint,
            meaning: fingerprint,
        },
        verdict: Verdict::Counted,
        review: Review::None,
        counted: true,
        payable: Money { micros: 20_000, ..Money::NONE },
        leased: WallTime(1_800_000_000_000),
        submitted: WallTime(1_800_000_060_000),
        took: Millis(60_000),
        nth: 1 + number / WORKERS,
    };
    let leased = vec![
        Change::Lease(Box::new(lease(LeaseState::Live))),
        Change::Task(Box::new(record.clone())),
        Change::WorkerRecord(behaviour),
        Change::ProjectTally(tally),
    ];
    let answered = vec![
        Change::Lease(Box::new(lease(LeaseState::Submitted(submitted)))),
        Change::Submission(Box::new(submission)),
        Change::Task(Box::new(TaskRecord { last_answer: 1, ..record })),
        Change::WorkerRecord(behaviour),
        Change::ProjectTally(tally),
        Change::Event(Box::new(event)),
    ];
    vec![leased, answered]
}

/// Microseconds, of processors and on the clock.
struct Cost {
    cpu_us: f64,
    wall_us: f64,
}

struct Moment {
    cpu_us: f64,
    wall: Instant,
}

impl Cost {
    const ZERO: Cost = Cost { cpu_us: 0.0, wall_us: 0.0 };

    fn now() -> Moment {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu_us = cpu.tv_sec as f64 * 1e6 + cpu.tv_nsec as f64 / 1e3;
        Moment { cpu_us, wall: Instant::now() }
    }

    fn add(&mut self, since: &Moment) {
        self.cpu_us += Cost::now().cpu_us - since.cpu_us;
        self.wall_us += since.wall.elapsed().as_secs_f64() * 1e6;
    }
}

fn per(bytes: u64, rows: u64) -> f64 {
    bytes as f64 / rows as f64
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4096
}
