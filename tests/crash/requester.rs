//! A requester of the run: brings tasks in, withdraws some, looks at them.

use std::time::Duration;

use fastrand::Rng;
use piecework_client::Refused;
use piecework_client::proto::v1::{
    CancelTasksRequest, CreateTasksRequest, GetTaskRequest, ListTasksRequest, NewTask, Task,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::Outcome;

use super::caller::{Caller, Phase};
use super::record::{Counts, Told};

const EVERY: Duration = Duration::from_millis(60);
/// Tasks that may be open in its project before it waits.
const OPEN_MAX: usize = 60;

/// One requester and its project.
#[derive(Debug)]
pub(super) struct Requester {
    project: String,
    caller: Caller,
    /// A connection of its own, to read what the other one wrote.
    reader: Caller,
    chance: Rng,
    calls: Vec<CreateTasksRequest>,
    tasks: Vec<String>,
}

impl Requester {
    pub(super) fn new(project: String, caller: Caller, reader: Caller, chance: Rng) -> Requester {
        Requester { project, caller, reader, chance, calls: Vec::new(), tasks: Vec::new() }
    }

    /// Brings in tasks while the daemon dies now and then.
    pub(super) async fn ask(mut self) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0.. {
            every.tick().await;
            if self.caller.phase() != Phase::Faults {
                break;
            }
            if self.look().await < OPEN_MAX {
                self.create(number).await;
            }
            if self.chance.u32(..6) == 0 && !self.calls.is_empty() {
                // Once more, as if the reply had been lost.
                let request = self.calls[self.chance.usize(..self.calls.len())].clone();
                self.send(&request).await;
            }
            if self.chance.u32(..6) == 0 && !self.tasks.is_empty() {
                self.cancel().await;
            }
        }
    }

    async fn create(&mut self, number: usize) {
        let tasks = (0..self.chance.usize(1..=5)).map(|item| {
            let payload = format!("{} {number} {item}", self.project);
            NewTask {
                // With an id of its own, or by the call's request id and its place.
                task_id: if self.chance.bool() {
                    format!("t{number}-{item}")
                } else {
                    String::new()
                },
                payload: payload.into_bytes().into(),
                overlap: self.chance.u32(1..=3),
                ..NewTask::default()
            }
        });
        let tasks = tasks.collect();
        let request_id = format!("create-{number}");
        let request = CreateTasksRequest { parent: self.project.clone(), tasks, request_id };
        let (position, names) = self.send(&request).await;
        self.calls.push(request);
        let newest = names.last().expect("at least one").clone();
        self.tasks.extend(names);
        self.read_back(newest, position).await;
    }

    async fn send(&self, request: &CreateTasksRequest) -> (String, Vec<String>) {
        let tasks = self.caller.client.tasks();
        let answered = self
            .caller
            .change(|| {
                let (mut tasks, request) = (tasks.clone(), request.clone());
                async move { tasks.create_tasks(request).await }
            })
            .await;
        let reply = answered.expect("a requester may create");
        let names: Vec<String> = reply
            .results
            .iter()
            .map(|result| result.clone().outcome().expect("a task").name)
            .collect();
        let payload = |task: &NewTask| String::from_utf8_lossy(&task.payload).into_owned();
        let told = request
            .tasks
            .iter()
            .zip(&names)
            .map(|(task, name)| Told::Created { payload: payload(task), name: name.clone() });
        answered.note(&self.caller.run.record, &reply.position, told);
        (reply.position.clone(), names)
    }

    /// Another connection, told the position, must see the task.
    async fn read_back(&self, name: String, position: String) {
        let request = GetTaskRequest { name: name.clone(), min_position: position };
        let tasks = self.reader.client.tasks();
        let answered = self
            .reader
            .ask(|| {
                let (mut tasks, request) = (tasks.clone(), request.clone());
                async move { tasks.get_task(request).await }
            })
            .await;
        let found = match &answered.reply {
            Ok(reply) => reply.task.as_ref().is_some_and(|task| task.name == name),
            Err(_) => false,
        };
        let told = Told::ReadBack { what: name, found };
        answered.note(&self.caller.run.record, "", [told]);
    }

    async fn cancel(&mut self) {
        let name = self.tasks.swap_remove(self.chance.usize(..self.tasks.len()));
        let request = CancelTasksRequest {
            parent: self.project.clone(),
            names: vec![name.clone()],
            revoke_leases: false,
        };
        let tasks = self.caller.client.tasks();
        let answered = self
            .caller
            .change(|| {
                let (mut tasks, request) = (tasks.clone(), request.clone());
                async move { tasks.cancel_tasks(request).await }
            })
            .await;
        let reply = answered.expect("a requester may cancel");
        let outcome = reply.results[0].clone().outcome();
        // One that is done stays so.
        let refused = outcome.err().map(|status| Refused::from(&status).reason);
        answered.note(
            &self.caller.run.record,
            &reply.position,
            [Told::Cancelled { name, refused }],
        );
    }

    /// A page of open tasks with their counts; how many it has.
    async fn look(&self) -> usize {
        let request = ListTasksRequest {
            parent: self.project.clone(),
            page_size: 1_000,
            filter: "state = OPEN".to_owned(),
            ..ListTasksRequest::default()
        };
        let tasks = self.reader.client.tasks();
        let answered = self
            .reader
            .ask(|| {
                let (mut tasks, request) = (tasks.clone(), request.clone());
                async move { tasks.list_tasks(request).await }
            })
            .await;
        let reply = answered.expect("a list");
        answered.note(
            &self.caller.run.record,
            "",
            reply.tasks.iter().map(|task| Told::Seen(counts(task))),
        );
        reply.tasks.len()
    }
}

/// The counts of a task.
pub(super) fn counts(task: &Task) -> Counts {
    let (counted, live, overlap) = (task.counted, task.live, task.overlap);
    Counts { task: task.name.clone(), counted, live, overlap }
}
