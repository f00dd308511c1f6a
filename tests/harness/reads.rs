//! What a platform reads back, whole lists at a time.

use std::collections::BTreeMap;

use piecework_client::proto::v1::watch_results_response::Frame;
use piecework_client::proto::v1::{
    Event, GetProjectStatsRequest, GetStatusRequest, GetStatusResponse, GetTaskRequest,
    GetWorkerRequest, Lease, ListEventsRequest, ListLeasesRequest, ListProjectsRequest,
    ListRequestersRequest, ListResultsRequest, ListSubmissionsRequest, ListTasksRequest,
    ListWorkersRequest, ProjectStats, Result as TaskResult, Submission, Task, WatchResultsRequest,
    WatchResultsResponse, WatchedResult, Worker,
};
use tonic::Streaming;

use super::platform::Platform;
use super::wait::in_time;

/// Asks for page after page.
macro_rules! pages {
    ($service:expr, $call:ident, $request:expr, $items:ident) => {{
        let mut request = $request;
        let mut all = Vec::new();
        loop {
            let page = $service.$call(request.clone()).await.expect("a page").into_inner();
            all.extend(page.$items);
            if page.next_page_token.is_empty() {
                break all;
            }
            request.page_token = page.next_page_token;
        }
    }};
}

impl Platform {
    /// Tasks of a project, in order.
    pub(crate) async fn list_tasks(&self, project: &str, filter: &str) -> Vec<Task> {
        let (parent, filter) = (project.to_owned(), filter.to_owned());
        let request = ListTasksRequest { parent, filter, ..ListTasksRequest::default() };
        pages!(self.client.tasks(), list_tasks, request, tasks)
    }

    /// One task.
    pub(crate) async fn task(&self, name: &str) -> Task {
        let request = GetTaskRequest { name: name.to_owned(), min_position: String::new() };
        let found = self.client.tasks().get_task(request).await.expect("a task");
        found.into_inner().task.expect("a task")
    }

    /// One worker.
    pub(crate) async fn get_worker(&self, name: &str) -> Worker {
        let request = GetWorkerRequest { name: name.to_owned(), min_position: String::new() };
        let found = self.client.workers().get_worker(request).await.expect("a worker");
        found.into_inner().worker.expect("a worker")
    }

    /// All workers.
    pub(crate) async fn list_workers(&self) -> Vec<Worker> {
        let request = ListWorkersRequest::default();
        pages!(self.client.workers(), list_workers, request, workers)
    }

    /// A worker's live leases.
    pub(crate) async fn leases(&self, worker: &str) -> Vec<Lease> {
        let request = ListLeasesRequest { worker: worker.to_owned(), ..Default::default() };
        pages!(self.client.dispatch(), list_leases, request, leases)
    }

    /// A project's counts.
    pub(crate) async fn stats(&self, project: &str) -> ProjectStats {
        let request =
            GetProjectStatsRequest { name: project.to_owned(), min_position: String::new() };
        let found = self.client.projects().get_project_stats(request).await.expect("stats");
        found.into_inner().stats.expect("stats")
    }

    /// The newest result of each task.
    pub(crate) async fn results(&self, project: &str) -> Vec<TaskResult> {
        let request =
            ListResultsRequest { parent: project.to_owned(), ..ListResultsRequest::default() };
        pages!(self.client.results(), list_results, request, results)
    }

    /// Submissions of a task or worker.
    pub(crate) async fn submissions(&self, parent: &str, filter: &str) -> Vec<Submission> {
        let (parent, filter) = (parent.to_owned(), filter.to_owned());
        let request = ListSubmissionsRequest { parent, filter, ..Default::default() };
        pages!(self.client.submissions(), list_submissions, request, submissions)
    }

    /// The whole log of a project or of all workers.
    pub(crate) async fn events(&self, parent: &str) -> Vec<Event> {
        let request =
            ListEventsRequest { parent: parent.to_owned(), ..ListEventsRequest::default() };
        pages!(self.client.events(), list_events, request, events)
    }

    /// How the daemon is.
    pub(crate) async fn status(&self) -> GetStatusResponse {
        self.client.admin().get_status(GetStatusRequest {}).await.expect("a status").into_inner()
    }

    /// A stream of results after a token.
    pub(crate) async fn watch(
        &self,
        project: &str,
        token: &str,
    ) -> Streaming<WatchResultsResponse> {
        let request = WatchResultsRequest {
            parent: project.to_owned(),
            resume_token: token.to_owned(),
            include_provisional: false,
        };
        self.client.results().watch_results(request).await.expect("a stream").into_inner()
    }

    /// Everything that the API shows, but for the time that passes. Two that are
    /// equal have the same state between them.
    pub(crate) async fn picture(&self) -> BTreeMap<String, String> {
        let mut picture = BTreeMap::new();
        let mut show = |what: &str, seen: String| {
            picture.insert(what.to_owned(), seen);
        };
        let requesters = ListRequestersRequest::default();
        let requesters = pages!(self.client.requesters(), list_requesters, requesters, requesters);
        show("requesters", format!("{requesters:?}"));
        let projects = ListProjectsRequest::default();
        for project in pages!(self.client.projects(), list_projects, projects, projects) {
            let name = &project.name;
            show(name, format!("{project:?}"));
            let mut stats = self.stats(name).await;
            (stats.oldest_ready_age, stats.forecast) = (None, None);
            show(&format!("{name} stats"), format!("{stats:?}"));
            show(&format!("{name} results"), format!("{:?}", self.results(name).await));
            show(&format!("{name} events"), format!("{:?}", self.events(name).await));
            for task in self.list_tasks(name, "").await {
                let whole = self.task(&task.name).await;
                show(&task.name, format!("{whole:?}"));
            }
        }
        for worker in self.list_workers().await {
            let name = worker.name;
            show(&name, format!("{:?}", self.get_worker(&name).await));
            let submissions = self.submissions(&name, "").await;
            show(&format!("{name} submissions"), format!("{submissions:?}"));
            let mut leases = self.leases(&name).await;
            for lease in &mut leases {
                // They run, and the time that they end is told anew in each reply.
                (lease.remaining, lease.hold_remaining, lease.expire_time) = (None, None, None);
            }
            show(&format!("{name} leases"), format!("{leases:?}"));
        }
        show("workers log", format!("{:?}", self.events("workers/-").await));
        picture
    }
}

/// The next result of a stream, past heartbeats.
pub(crate) async fn next_result(stream: &mut Streaming<WatchResultsResponse>) -> WatchedResult {
    loop {
        let message = in_time("a result comes", stream.message()).await;
        let message = message.expect("the stream goes on");
        match message.expect("the stream goes on").frame.expect("a frame") {
            Frame::Result(result) => return result,
            Frame::Heartbeat(_) => {}
        }
    }
}
