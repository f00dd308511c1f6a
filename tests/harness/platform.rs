//! A platform's back end: speaks for requesters and workers, with defaults.
//!
//! What a test is not about is not written in it. Everything here must work; a
//! test that wants a refusal makes the call itself, through `client`.
//!
//! Not here: reading (`reads.rs`).

use std::time::Duration;

use piecework_client::proto::v1::{
    Aggregation, Answer, AnswerField, AnswerFieldKind, AnswerSchema, CreateProjectRequest,
    CreateRequesterRequest, CreateTasksRequest, CreateWorkerRequest, Lease, LeasePolicy,
    LeaseRequest, LeaseResponse, NewTask, Project, Receipt, Requester, SubmitAnswersRequest,
    Worker, WorkerKind,
};
use piecework_client::{Client, to_proto};
use tonic_types::pb;

use super::refusal::Outcome;

/// How long a test's worker waits for work that must come.
const WAIT: Duration = Duration::from_secs(20);

/// Talks to one daemon.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    pub(crate) client: Client,
}

/// The answer that chooses this label.
pub(crate) fn labelled(label: &str) -> bytes::Bytes {
    serde_json::json!({ "label": label }).to_string().into()
}

/// One answer in a submission.
pub(crate) fn answer(lease: &str, label: &str) -> Answer {
    Answer { lease: lease.to_owned(), answer: labelled(label), content_type: String::new() }
}

/// A duration in a request.
pub(crate) fn wire(duration: Duration) -> Option<prost_types::Duration> {
    Some(to_proto(duration))
}

impl Platform {
    /// `projects/{id}` of `requesters/acme`, with one field `label` of `a`, `b` or `c`, by
    /// majority.
    pub(crate) async fn project(&self, id: &str) -> String {
        self.project_with(id, |project| project).await
    }

    /// The same, changed.
    pub(crate) async fn project_with(
        &self,
        id: &str,
        change: impl FnOnce(Project) -> Project,
    ) -> String {
        let requester = Some(Requester { display_name: "Acme".into(), ..Requester::default() });
        let request = CreateRequesterRequest {
            requester,
            requester_id: "acme".to_owned(),
            request_id: String::new(),
        };
        self.client.requesters().create_requester(request).await.expect("a requester");
        let field = AnswerField {
            name: "label".to_owned(),
            kind: AnswerFieldKind::Choice.into(),
            choices: ["a", "b", "c"].map(str::to_owned).to_vec(),
            required: true,
            ..AnswerField::default()
        };
        let project = change(Project {
            requester: "requesters/acme".to_owned(),
            title: "Which one?".to_owned(),
            instructions: [("en".to_owned(), "Choose.".to_owned())].into(),
            schema: Some(AnswerSchema { fields: vec![field] }),
            aggregation: Aggregation::Majority.into(),
            ..Project::default()
        });
        let request = CreateProjectRequest {
            project: Some(project),
            project_id: id.to_owned(),
            request_id: String::new(),
        };
        let created = self.client.projects().create_project(request).await.expect("a project");
        created.into_inner().project.expect("a project").name
    }

    /// A project whose leases last a second and whose lapsed places are free at once.
    pub(crate) async fn hasty_project(&self, id: &str) -> String {
        self.project_with(id, |project| Project {
            lease_policy: Some(LeasePolicy {
                duration: wire(Duration::from_secs(1)),
                max_hold: wire(Duration::from_secs(60)),
                late_window: wire(Duration::from_secs(3600)),
                late_grace: wire(Duration::ZERO),
                ..LeasePolicy::default()
            }),
            ..project
        })
        .await
    }

    /// Tasks with these ids, each of which is its payload too. Returns their names.
    pub(crate) async fn tasks(&self, project: &str, ids: &[&str]) -> Vec<String> {
        let task = |id: &&str| NewTask {
            task_id: (*id).to_owned(),
            payload: id.as_bytes().to_vec().into(),
            ..NewTask::default()
        };
        self.new_tasks(project, ids.iter().map(task).collect()).await
    }

    /// Tasks `t1` to `t{count}`.
    pub(crate) async fn numbered_tasks(&self, project: &str, count: usize) -> Vec<String> {
        let ids: Vec<String> = (1..=count).map(|number| format!("t{number}")).collect();
        self.tasks(project, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// These tasks. Returns their names.
    pub(crate) async fn new_tasks(&self, project: &str, tasks: Vec<NewTask>) -> Vec<String> {
        let parent = project.to_owned();
        let request = CreateTasksRequest { parent, tasks, request_id: String::new() };
        let created = self.client.tasks().create_tasks(request).await.expect("tasks").into_inner();
        let name = |result: piecework_client::proto::v1::CreateTaskResult| {
            result.outcome().expect("a task").name
        };
        created.results.into_iter().map(name).collect()
    }

    /// `workers/{id}`, a person with room for many leases.
    pub(crate) async fn worker(&self, id: &str) -> String {
        let worker = Worker { kind: WorkerKind::Human.into(), capacity: 100, ..Worker::default() };
        let request = CreateWorkerRequest {
            worker: Some(worker),
            worker_id: id.to_owned(),
            request_id: String::new(),
        };
        let created = self.client.workers().create_worker(request).await.expect("a worker");
        created.into_inner().worker.expect("a worker").name
    }

    /// Several of them.
    pub(crate) async fn workers<const N: usize>(&self, ids: [&str; N]) -> [String; N] {
        let mut names = ids.map(str::to_owned);
        for name in &mut names {
            *name = self.worker(name).await;
        }
        names
    }

    /// Whatever there is for the worker in the project now, at most `count`.
    pub(crate) async fn ask(&self, worker: &str, project: &str, count: u32) -> LeaseResponse {
        let request = LeaseRequest {
            worker: worker.to_owned(),
            count,
            projects: vec![project.to_owned()],
            ..LeaseRequest::default()
        };
        self.client.dispatch().lease(request).await.expect("an answer").into_inner()
    }

    /// One lease, waited for if need be.
    pub(crate) async fn lease(&self, worker: &str, project: &str) -> Lease {
        let request = LeaseRequest {
            worker: worker.to_owned(),
            wait: wire(WAIT),
            projects: vec![project.to_owned()],
            ..LeaseRequest::default()
        };
        let leased = self.client.dispatch().lease(request).await.expect("an answer").into_inner();
        let why = leased.empty_reason;
        leased.leases.into_iter().next().unwrap_or_else(|| panic!("no lease: {why}"))
    }

    /// One task after the other until none is left, all with this label. Returns how many.
    pub(crate) async fn work_off(&self, worker: &str, project: &str, label: &str) -> usize {
        let mut done = 0;
        loop {
            let leases = self.ask(worker, project, 50).await.leases;
            if leases.is_empty() {
                return done;
            }
            for lease in leases {
                self.submit(worker, &lease.name, label).await;
                done += 1;
            }
        }
    }

    /// An answer that must be taken.
    pub(crate) async fn submit(&self, worker: &str, lease: &str, label: &str) -> Receipt {
        self.try_submit(worker, lease, label).await.expect("a receipt")
    }

    /// An answer that may be refused.
    pub(crate) async fn try_submit(
        &self,
        worker: &str,
        lease: &str,
        label: &str,
    ) -> Result<Receipt, pb::Status> {
        let request = SubmitAnswersRequest {
            worker: worker.to_owned(),
            answers: vec![answer(lease, label)],
            next: None,
        };
        let reply = self.client.dispatch().submit_answers(request).await.expect("an answer");
        reply.into_inner().results.into_iter().next().expect("one item").outcome()
    }

    /// Leases once and submits.
    pub(crate) async fn answer_one(&self, worker: &str, project: &str, label: &str) -> Receipt {
        let lease = self.lease(worker, project).await;
        self.submit(worker, &lease.name, label).await
    }
}
