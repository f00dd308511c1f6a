//! Workers who never pause, and ride out every restart with the client's retries.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use piecework_client::proto::v1::{
    CreateTasksRequest, ExtendLeasesRequest, Lease, LeaseRequest, LeaseState, NewTask, Receipt,
    SubmitAnswersRequest,
};
use piecework_client::{Client, Retry, request_id};
use tonic::{Response, Status};

use crate::harness::{Outcome, answer, wire};

/// Tasks that a worker brings at a time, and half of its answers until the next.
const TASKS: usize = 60;
/// How long a call without work waits.
const WAIT: Duration = Duration::from_secs(2);

/// What all workers together were told. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Load {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    project: String,
    answers: AtomicU64,
    ridden: AtomicU64,
    restarts: AtomicU64,
    finishing: AtomicBool,
    told: Mutex<Told>,
}

/// Names of tasks, and receipts.
type Told = (BTreeSet<String>, Vec<Receipt>);

impl Load {
    pub(super) fn new(project: String) -> Load {
        Load { shared: Arc::new(Shared { project, ..Shared::default() }) }
    }

    /// Answers taken so far.
    pub(super) fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }

    /// Calls that worked only at a later try.
    pub(super) fn ridden(&self) -> u64 {
        self.shared.ridden.load(Ordering::Relaxed)
    }

    /// The daemon runs again.
    pub(super) fn restarted(&self) {
        self.shared.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Everybody may finish what it holds and go.
    pub(super) fn finish(&self) {
        self.shared.finishing.store(true, Ordering::Relaxed);
    }

    /// Tasks that were created and receipts that were given.
    pub(super) fn told(&self) -> Told {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, tell: impl FnOnce(&mut Told)) {
        tell(&mut self.shared.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn call<T, Fut>(&self, what: &str, call: impl Fn() -> Fut) -> T
    where
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let tries = AtomicU64::new(0);
        let counted = || {
            tries.fetch_add(1, Ordering::Relaxed);
            call()
        };
        let reply = Retry::default().call(counted).await;
        if tries.into_inner() > 1 {
            self.shared.ridden.fetch_add(1, Ordering::Relaxed);
        }
        reply.unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }
}

/// Brings tasks and works them off until the load is to finish. `holds`: over how many restarts
/// the worker keeps a lease before it answers.
pub(super) async fn toil(load: Load, client: Client, worker: String, holds: u64) {
    for number in 0_usize.. {
        let finishing = load.shared.finishing.load(Ordering::Relaxed);
        if finishing {
            return;
        }
        if number.is_multiple_of(TASKS / 2) {
            bring(&load, &client).await;
        }
        let held = lease(&load, &client, &worker).await;
        if !held.is_empty() {
            keep(&load, &client, &held, holds).await;
        }
        for held in held {
            submit(&load, &client, &held).await;
        }
    }
}

async fn bring(load: &Load, client: &Client) {
    let request = CreateTasksRequest {
        parent: load.shared.project.clone(),
        tasks: vec![NewTask { payload: "x".into(), ..NewTask::default() }; TASKS],
        request_id: request_id(),
    };
    let call = || {
        let (mut tasks, request) = (client.tasks(), request.clone());
        async move { tasks.create_tasks(request).await }
    };
    let created = load.call("CreateTasks", call).await;
    let names = created.results.into_iter().map(|item| item.outcome().expect("a task").name);
    load.tell(|(tasks, _)| tasks.extend(names));
}

async fn lease(load: &Load, client: &Client, worker: &str) -> Vec<Lease> {
    let request = LeaseRequest {
        worker: worker.to_owned(),
        count: 2,
        wait: wire(WAIT),
        request_id: request_id(),
        ..LeaseRequest::default()
    };
    let call = || {
        let (mut dispatch, request) = (client.dispatch(), request.clone());
        async move { dispatch.lease(request).await }
    };
    let leases = load.call("Lease", call).await.leases;
    assert!(leases.iter().all(|lease| lease.state() == LeaseState::Live), "{leases:?}");
    leases
}

/// Extends once, and again until so many restarts have passed.
async fn keep(load: &Load, client: &Client, held: &[Lease], restarts: u64) {
    let until = load.shared.restarts.load(Ordering::Relaxed) + restarts;
    let request = ExtendLeasesRequest {
        worker: held[0].worker.clone(),
        leases: held.iter().map(|lease| lease.name.clone()).collect(),
        duration: None,
    };
    loop {
        let call = || {
            let (mut dispatch, request) = (client.dispatch(), request.clone());
            async move { dispatch.extend_leases(request).await }
        };
        for item in load.call("ExtendLeases", call).await.results {
            item.outcome().expect("it lives");
        }
        let finishing = load.shared.finishing.load(Ordering::Relaxed);
        if finishing || load.shared.restarts.load(Ordering::Relaxed) >= until {
            return;
        }
    }
}

async fn submit(load: &Load, client: &Client, held: &Lease) {
    let request = SubmitAnswersRequest {
        worker: held.worker.clone(),
        answers: vec![answer(&held.name, "a")],
        next: None,
    };
    let call = || {
        let (mut dispatch, request) = (client.dispatch(), request.clone());
        async move { dispatch.submit_answers(request).await }
    };
    let mut reply = load.call("SubmitAnswers", call).await;
    let receipt = reply.results.remove(0).outcome().expect("it is taken");
    load.tell(|(_, receipts)| receipts.push(receipt));
    load.shared.answers.fetch_add(1, Ordering::Relaxed);
}
