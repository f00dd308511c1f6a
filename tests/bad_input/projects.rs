//! Requests about requesters, projects and workers that are refused.

use std::time::Duration;

use piecework_client::proto::v1::{
    CreateProjectRequest, CreateWorkerRequest, ErrorReason as Reason, GetProjectRequest,
    GetRatingRequest, GetWorkerRequest, GrantSkillRequest, LeasePolicy, PauseProjectRequest,
    Project, Requirements, SkillRequirement, UpdateProjectRequest, UpdateWorkerRequest, Worker,
    WorkerKind,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::harness::{Daemon, Platform, refused, wire};

/// A project that would be taken, but for what a test changes.
fn good() -> Project {
    Project {
        requester: "requesters/acme".to_owned(),
        title: "Which one?".to_owned(),
        ..Project::default()
    }
}

async fn create(platform: &Platform, id: &str, project: Project) -> Result<(), tonic::Status> {
    let request = CreateProjectRequest {
        project: Some(project),
        project_id: id.to_owned(),
        request_id: String::new(),
    };
    platform.client.projects().create_project(request).await.map(drop)
}

#[tokio::test]
async fn a_wrong_project_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let before = platform.picture().await;

    let skill = SkillRequirement { skill: "lang:fi".into(), min_level: 101 };
    let skills = Requirements { skills: vec![skill], ..Requirements::default() };
    let kinds = Requirements { kinds: vec![77], ..Requirements::default() };
    let rating = Requirements { min_rating: 101, ..Requirements::default() };
    let basis = Requirements { rating_basis: 3, ..Requirements::default() };
    let forever = LeasePolicy {
        duration: wire(Duration::from_secs(7 * 86_400 + 1)),
        ..LeasePolicy::default()
    };
    let with = |requirements| Project { requirements: Some(requirements), ..good() };
    let wrong = [
        (Project { title: String::new(), ..good() }, "project.title"),
        (Project { overlap: 1_001, ..good() }, "project.overlap"),
        (Project { payload_bytes_max: 65_537, ..good() }, "project.payload_bytes_max"),
        (Project { aggregation: 77, ..good() }, "project.aggregation"),
        (Project { assignment: 77, ..good() }, "project.assignment"),
        (Project { lease_policy: Some(forever), ..good() }, "project.lease_policy.duration"),
        (with(skills), "project.requirements.skills[0].min_level"),
        (with(kinds), "project.requirements.kinds[0]"),
        (with(rating), "project.requirements.min_rating"),
        (with(basis), "project.requirements.rating_basis"),
    ];
    for (project, field) in wrong {
        let told = create(&platform, "wrong", project).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, field);
    }
    let foreign = Project { requester: "acme".into(), ..good() };
    let told = create(&platform, "wrong", foreign).await;
    refused(told, Code::InvalidArgument, Reason::NameMalformed, "project.requester");
    let nobodys = Project { requester: "requesters/nobody".into(), ..good() };
    let told = create(&platform, "wrong", nobodys).await;
    refused(told, Code::NotFound, Reason::RequesterNotFound, "");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn an_id_follows_the_rule() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let before = platform.picture().await;

    for id in ["has space", "sl/ash", "~7", "-", "ünïcode", &"x".repeat(129)] {
        let told = create(&platform, id, good()).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, "project_id");
        let worker = Worker { kind: WorkerKind::Human.into(), ..Worker::default() };
        let request = CreateWorkerRequest {
            worker: Some(worker),
            worker_id: id.to_owned(),
            request_id: String::new(),
        };
        let told = platform.client.workers().create_worker(request).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, "worker_id");
    }
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_name_of_another_form_is_refused_and_an_unknown_one_is_not_found() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let before = platform.picture().await;

    let malformed =
        ["", "p", "projects/", "projects/p/", "projects/p/tasks/t", "workers/p", "Projects/p"];
    for name in malformed {
        let request = GetProjectRequest { name: name.to_owned(), min_position: String::new() };
        let told = platform.client.projects().get_project(request).await;
        refused(told, Code::InvalidArgument, Reason::NameMalformed, "name");
        let request = PauseProjectRequest { name: name.to_owned() };
        let told = platform.client.projects().pause_project(request).await;
        refused(told, Code::InvalidArgument, Reason::NameMalformed, "name");
    }
    let name = "projects/unknown".to_owned();
    let request = GetProjectRequest { name: name.clone(), min_position: String::new() };
    let told = platform.client.projects().get_project(request).await;
    let details = refused(told, Code::NotFound, Reason::ProjectNotFound, "");
    let info = details.error_info().expect("details");
    assert_eq!(info.metadata.get("name"), Some(&name));
    let told = platform.client.projects().pause_project(PauseProjectRequest { name }).await;
    refused(told, Code::NotFound, Reason::ProjectNotFound, "");
    let request = GetWorkerRequest { name: "workers/unknown".into(), min_position: String::new() };
    let told = platform.client.workers().get_worker(request).await;
    refused(told, Code::NotFound, Reason::WorkerNotFound, "");
    for as_worker in [false, true] {
        let rating = |name: &str| {
            let (name, min_position) = (name.to_owned(), String::new());
            GetRatingRequest { name, min_position, as_worker }
        };
        let told = platform.client.workers().get_rating(rating("workers/nobody")).await;
        refused(told, Code::NotFound, Reason::WorkerNotFound, "");
        let told = platform.client.workers().get_rating(rating("nobody")).await;
        refused(told, Code::InvalidArgument, Reason::NameMalformed, "name");
    }
    assert_eq!(platform.picture().await, before);
}

async fn update(
    platform: &Platform,
    project: Project,
    paths: &[&str],
) -> Result<(), tonic::Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request =
        UpdateProjectRequest { project: Some(project), update_mask: Some(FieldMask { paths }) };
    platform.client.projects().update_project(request).await.map(drop)
}

#[tokio::test]
async fn an_update_is_refused_whole() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let name = platform.project("p").await;
    let project = Project { name: name.clone(), title: "Another".into(), ..Project::default() };
    let before = platform.picture().await;

    let told = update(&platform, project.clone(), &["title", "colour"]).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "update_mask");
    let told = update(&platform, project.clone(), &["title", "requester"]).await;
    refused(told, Code::InvalidArgument, Reason::FieldImmutable, "requester");
    let told = update(&platform, project.clone(), &["title", "schema"]).await;
    refused(told, Code::FailedPrecondition, Reason::SchemaChange, "project.schema");
    let malformed = Project { etag: "zz".into(), ..project.clone() };
    let told = update(&platform, malformed, &["title"]).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "project.etag");
    assert_eq!(platform.picture().await, before);

    let request = GetProjectRequest { name, min_position: String::new() };
    let read = platform.client.projects().get_project(request).await.unwrap().into_inner();
    let seen = read.project.unwrap().etag;
    update(&platform, project.clone(), &["title"]).await.expect("changed");
    let before = platform.picture().await;
    let stale = Project { etag: seen, title: "A third".into(), ..project };
    let told = update(&platform, stale, &["title"]).await;
    let details = refused(told, Code::Aborted, Reason::EtagMismatch, "");
    assert!(details.error_info().expect("details").metadata.contains_key("etag"));
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_wrong_worker_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let worker = platform.worker("ann").await;
    let before = platform.picture().await;

    let create = |worker: Worker| {
        let request = CreateWorkerRequest {
            worker: Some(worker),
            worker_id: "bob".to_owned(),
            request_id: String::new(),
        };
        let mut workers = platform.client.workers();
        async move { workers.create_worker(request).await }
    };
    let told = create(Worker::default()).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "worker.kind");
    let told = create(Worker { kind: 77, ..Worker::default() }).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "worker.kind");
    let human = WorkerKind::Human.into();
    // The second is -1, as a number without a sign.
    for capacity in [101, u32::MAX] {
        let told = create(Worker { kind: human, capacity, ..Worker::default() }).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, "worker.capacity");
        let request = UpdateWorkerRequest {
            worker: Some(Worker { name: worker.clone(), capacity, ..Worker::default() }),
            update_mask: Some(FieldMask { paths: vec!["capacity".into()] }),
            allow_missing: false,
        };
        let told = platform.client.workers().update_worker(request).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, "worker.capacity");
    }

    let request = GrantSkillRequest {
        name: worker.clone(),
        skill: "lang:fi".into(),
        level: 101,
        ..GrantSkillRequest::default()
    };
    let told = platform.client.workers().grant_skill(request).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "level");
    let changed = Worker { name: worker, region: "x".repeat(129), ..Worker::default() };
    let request = UpdateWorkerRequest {
        worker: Some(changed),
        update_mask: Some(FieldMask { paths: vec!["region".into()] }),
        allow_missing: false,
    };
    let told = platform.client.workers().update_worker(request).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "worker.region");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn an_id_or_request_id_with_other_content_is_refused() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let told = create(&platform, "p", Project { title: "Another".into(), ..good() }).await;
    refused(told, Code::AlreadyExists, Reason::IdTaken, "");

    let request = CreateProjectRequest {
        project: Some(good()),
        project_id: String::new(),
        request_id: "r1".to_owned(),
    };
    let mut projects = platform.client.projects();
    projects.create_project(request.clone()).await.expect("created");
    let before = platform.picture().await;
    let other = CreateProjectRequest {
        project: Some(Project { title: "Another".into(), ..good() }),
        ..request
    };
    let told = projects.create_project(other).await;
    refused(told, Code::AlreadyExists, Reason::RequestIdReused, "");
    assert_eq!(platform.picture().await, before);
}
