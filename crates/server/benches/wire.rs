//! Instructions between bytes from a socket and a command, and from grants to bytes.
//!
//! On what `piecework bench` makes (`crates/core/benches/ground`). Calls of one item
//! are counted a hundred at a time. `cargo xtask instructions` runs it beside the others
//! and compares with the committed baseline; crates/README.md says what it needs.
//!
//! Not here: sockets, HTTP/2, the way to the writer and back.

#![expect(missing_docs, reason = "gungraun's macros write items of their own")]

#[path = "../../core/benches/ground/mod.rs"]
mod ground;

use std::hint::black_box;

use bytes::Bytes;
use gungraun::prelude::*;
use piecework_core::lease::Grant;
use piecework_core::{Command, TenantId, WallTime};
use piecework_proto::v1;
use piecework_server::testing::{LeaseReplies, submit_command};
use piecework_storage::{CommandHeader, GroupBody, Store, StoreSettings};
use prost::Message as _;

use ground::{Ground, WORKERS, tidied, worker_id};

/// Grants of some calls, of one worker each, and what their replies are written from.
struct Granted {
    replies: LeaseReplies,
    calls: Vec<Vec<Grant>>,
    now: WallTime,
}

#[library_benchmark(teardown = are_submits)]
#[bench::one(tidied(requests(1)))]
#[bench::hundred(tidied(requests(100)))]
fn submit(requests: Vec<Bytes>) -> Vec<Command> {
    requests.into_iter().map(|request| submit_command(black_box(request))).collect()
}

#[library_benchmark]
#[bench::one(tidied(granted(1)))]
#[bench::hundred(tidied(granted(100)))]
fn lease(granted: Granted) -> (Granted, Vec<Vec<u8>>) {
    let encoded = encode(black_box(&granted));
    (granted, encoded)
}

fn encode(granted: &Granted) -> Vec<Vec<u8>> {
    let Granted { replies, calls, now } = granted;
    let calls = calls.iter().enumerate();
    calls.map(|(worker, grants)| replies.encode(&worker_id(worker), grants, *now)).collect()
}

/// Requests that answer a hundred leases, `each` so many.
fn requests(each: u32) -> Vec<Bytes> {
    let request = |(worker, reply): (usize, Vec<u8>)| {
        let reply = v1::LeaseResponse::decode(&*reply).expect("a reply");
        let answer = |lease: v1::Lease| v1::Answer {
            lease: lease.name,
            answer: Bytes::from_static(br#"{"label":"a"}"#),
            content_type: String::new(),
        };
        let answers = reply.leases.into_iter().map(answer).collect();
        let worker = format!("workers/{}", worker_id(worker));
        v1::SubmitAnswersRequest { worker, answers, next: None }.encode_to_vec().into()
    };
    encode(&granted(each)).into_iter().enumerate().map(request).collect()
}

/// A hundred grants, `each` so many; all is published.
fn granted(each: u32) -> Granted {
    let mut ground = Ground::warm();
    let workers = WORKERS / each as usize;
    let calls = (0..workers).map(|worker| ground.lease(worker, each)).collect();
    let mut body = GroupBody::default();
    for decided in &ground.history {
        let (tenant, kind) = (decided.request.tenant, decided.request.command.kind());
        let header = CommandHeader { tenant, kind, actor: None, request_id: None, refusal: None };
        body.push(&header, &decided.changes);
    }
    let store = Store::in_memory(&StoreSettings::default());
    store.publish(&body.finish().into(), ground.position, ground.now).expect("rows of our own");
    let replies = LeaseReplies::new(store.view(TenantId::DEFAULT));
    Granted { replies, calls, now: ground.now.wall }
}

fn are_submits(commands: Vec<Command>) {
    for command in commands {
        assert!(matches!(command, Command::Submit(submit) if !submit.items.is_empty()));
    }
}

library_benchmark_group!(name = wire, benchmarks = [submit, lease]);
main!(library_benchmark_groups = wire);
