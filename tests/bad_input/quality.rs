//! Requests about what answers are worth and how many are bought that are refused.

use piecework_client::proto::v1::{
    CreateProjectRequest, DynamicOverlap, ErrorReason as Reason, GetProjectQualityRequest, Project,
    ResolveTaskRequest, UpdateProjectRequest, WatchResultsRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::harness::{Daemon, Platform, next_result, refused};

const MAX: &str = "project.dynamic_overlap.max";
const TARGET: &str = "project.dynamic_overlap.target_confidence";

fn buys(overlap: u32, max: u32, target: Option<f64>) -> Project {
    let dynamic_overlap = Some(DynamicOverlap { max, target_confidence: target });
    Project {
        requester: "requesters/acme".to_owned(),
        title: "Which one?".to_owned(),
        overlap,
        dynamic_overlap,
        ..Project::default()
    }
}

/// Overlaps that make no sense, with the field to blame.
fn senseless() -> Vec<(Project, &'static str)> {
    let target = |target| (buys(2, 5, Some(target)), TARGET);
    vec![
        (buys(2, 0, None), MAX),
        (buys(3, 2, None), MAX),
        (buys(1_001, 1_001, None), "project.overlap"),
        (buys(2, 1_001, None), MAX),
        (buys(2, u32::MAX, None), MAX),
        target(0.0),
        target(-0.0),
        // Less than a millionth: nothing that can be kept.
        target(1e-9),
        target(-0.95),
        target(1.000_001),
        target(95.0),
        target(f64::NAN),
        target(f64::INFINITY),
        target(f64::NEG_INFINITY),
    ]
}

#[tokio::test]
async fn an_overlap_that_makes_no_sense_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let name = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let before = platform.picture().await;
    for (project, field) in senseless() {
        let request = CreateProjectRequest {
            project: Some(project.clone()),
            project_id: "wrong".to_owned(),
            request_id: String::new(),
        };
        let told = platform.client.projects().create_project(request).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, field);
        let told = update(&platform, &name, project, &["overlap", "dynamic_overlap"]).await;
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, field);
    }
    assert_eq!(platform.picture().await, before);
    // Certainty may be asked for, and no more than the overlap.
    for (id, project) in [("certain", buys(2, 5, Some(1.0))), ("same", buys(3, 3, None))] {
        let (overlap, dynamic_overlap) = (project.overlap, project.dynamic_overlap);
        platform.project_with(id, |p| Project { overlap, dynamic_overlap, ..p }).await;
    }
}

async fn update(
    platform: &Platform,
    name: &str,
    project: Project,
    paths: &[&str],
) -> Result<(), tonic::Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateProjectRequest {
        project: Some(Project { name: name.to_owned(), ..project }),
        update_mask: Some(FieldMask { paths }),
    };
    platform.client.projects().update_project(request).await.map(drop)
}

/// Whichever of the two is changed is the one that is wrong.
#[tokio::test]
async fn neither_end_of_an_overlap_passes_the_other() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let both = |project| Project { overlap: 2, ..buys_like(project, 4) };
    let name = platform.project_with("p", both).await;
    let before = platform.picture().await;
    let told = update(&platform, &name, buys(5, 0, None), &["overlap"]).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "project.overlap");
    let told = update(&platform, &name, buys(0, 1, None), &["dynamic_overlap"]).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, MAX);
    assert_eq!(platform.picture().await, before);
    update(&platform, &name, buys(5, 7, None), &["overlap", "dynamic_overlap"])
        .await
        .expect("both together");
    // Without a message it buys no more than its overlap.
    let fixed = Project { dynamic_overlap: None, ..buys(9, 0, None) };
    update(&platform, &name, fixed, &["overlap", "dynamic_overlap"]).await.expect("none");
}

fn buys_like(project: Project, max: u32) -> Project {
    let dynamic_overlap = Some(DynamicOverlap { max, target_confidence: None });
    Project { dynamic_overlap, ..project }
}

#[tokio::test]
async fn the_worth_of_answers_is_told_of_projects_that_are_there() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let ask = |name: &str, min_position: &str| {
        let (name, min_position) = (name.to_owned(), min_position.to_owned());
        let mut projects = platform.client.projects();
        let request = GetProjectQualityRequest { name, min_position };
        async move { projects.get_project_quality(request).await }
    };
    for name in ["", "p", "projects/", "projects/p/tasks/t", "workers/p"] {
        let told = ask(name, "").await;
        refused(told, Code::InvalidArgument, Reason::NameMalformed, "name");
    }
    let told = ask("projects/unknown", "").await;
    let details = refused(told, Code::NotFound, Reason::ProjectNotFound, "");
    let named = details.error_info().expect("details").metadata.get("name").cloned();
    assert_eq!(named.as_deref(), Some("projects/unknown"));
    let told = ask("projects/p", "soon").await;
    refused(told, Code::InvalidArgument, Reason::PositionInvalid, "min_position");
    // Nothing is finished: nothing is known, and that is no failure.
    let quality = ask("projects/p", "").await.expect("told").into_inner().quality.expect("it");
    assert_eq!((quality.tasks, quality.answers, quality.workers.len()), (0, 0, 0));
}

/// A token says which results were asked for: with others it would skip some.
#[tokio::test]
async fn a_resume_token_belongs_to_results_with_or_without_provisional_ones() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["t1", "t2"]).await;
    let ann = platform.worker("ann").await;
    platform.work_off(&ann, &project, "a").await;
    let watch = |include_provisional: bool, resume_token: &str| {
        let (parent, resume_token) = (project.clone(), resume_token.to_owned());
        let request = WatchResultsRequest { parent, resume_token, include_provisional };
        let mut results = platform.client.results();
        async move { results.watch_results(request).await }
    };
    for all in [false, true] {
        let mut stream = watch(all, "").await.expect("a stream").into_inner();
        let first = next_result(&mut stream).await;
        let told = watch(!all, &first.resume_token).await.map(drop);
        let wrong = Reason::ResumeTokenInvalid;
        refused(told, Code::InvalidArgument, wrong, "resume_token");
        let mut same = watch(all, &first.resume_token).await.expect("a stream").into_inner();
        let second = next_result(&mut same).await;
        assert_eq!(second.previous_sequence, first.result.expect("a result").sequence);
    }
    let request = WatchResultsRequest {
        parent: "projects/unknown".to_owned(),
        include_provisional: true,
        ..WatchResultsRequest::default()
    };
    let told = platform.client.results().watch_results(request).await.map(drop);
    refused(told, Code::NotFound, Reason::ProjectNotFound, "");
}

#[tokio::test]
async fn a_result_that_cannot_be_set_changes_nothing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [task] = platform.tasks(&project, &["t"]).await.try_into().expect("one task");
    let before = platform.picture().await;
    let resolve = |name: &str, answer: &str, content_type: &str| {
        let request = ResolveTaskRequest {
            name: name.to_owned(),
            answer: answer.to_owned().into(),
            content_type: content_type.to_owned(),
        };
        let mut tasks = platform.client.tasks();
        async move { tasks.resolve_task(request).await }
    };
    let fits = r#"{"label":"a"}"#;
    for (answer, content_type, field) in [
        (r#"{"label":"horse"}"#, "", "answer.label"),
        (r#"{"label":7}"#, "", "answer.label"),
        (r#"{"label":null}"#, "", "answer.label"),
        ("{}", "", "answer.label"),
        (r#"{"label":NaN}"#, "", "answer.label"),
        ("", "", "answer"),
        ("[]", "", "answer"),
        (fits, "text/plain", "content_type"),
    ] {
        let told = resolve(&task, answer, content_type).await;
        refused(told, Code::InvalidArgument, Reason::AnswerInvalid, field);
    }
    let told = resolve("projects/p", fits, "").await;
    refused(told, Code::InvalidArgument, Reason::NameMalformed, "name");
    let told = resolve("projects/p/tasks/unknown", fits, "").await;
    refused(told, Code::NotFound, Reason::TaskNotFound, "");
    let told = resolve("projects/unknown/tasks/t", fits, "").await;
    refused(told, Code::NotFound, Reason::ProjectNotFound, "");
    assert_eq!(platform.picture().await, before);
}
