//! Requests about weights, tiers, lists and relaxation steps that are refused.

use std::time::Duration;

use piecework_client::proto::v1::{
    CreateProjectRequest, CreateRequesterRequest, ErrorReason as Reason, GetProjectRequest,
    Project, Relaxation, Requester, Requirements, SkillRequirement, UpdateProjectRequest,
    UpdateRequesterRequest, WorkerKind,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::harness::{Daemon, Platform, refused, wire};

async fn requester(platform: &Platform, requester: Requester) -> Result<(), tonic::Status> {
    let request = CreateRequesterRequest {
        requester: Some(requester),
        requester_id: "wrong".to_owned(),
        request_id: String::new(),
    };
    platform.client.requesters().create_requester(request).await.map(drop)
}

/// What every step below begins from: demanding, so that there is much to loosen.
fn own() -> Requirements {
    Requirements {
        skills: vec![SkillRequirement { skill: "maps".to_owned(), min_level: 60 }],
        min_rating: 80,
        regions: vec!["fi".to_owned(), "se".to_owned()],
        kinds: vec![WorkerKind::Human.into()],
        quota_per_worker: 7,
        rating_basis: 1,
    }
}

fn step(seconds: u64, change: impl FnOnce(&mut Requirements)) -> Relaxation {
    let mut requirements = own();
    change(&mut requirements);
    Relaxation { after: wire(Duration::from_secs(seconds)), requirements: Some(requirements) }
}

fn steps(relaxation: Vec<Relaxation>) -> Project {
    Project {
        requester: "requesters/acme".to_owned(),
        title: "Which one?".to_owned(),
        requirements: Some(own()),
        relaxation,
        ..Project::default()
    }
}

async fn project(platform: &Platform, id: &str, project: Project) -> Result<(), tonic::Status> {
    let request = CreateProjectRequest {
        project: Some(project),
        project_id: id.to_owned(),
        request_id: String::new(),
    };
    platform.client.projects().create_project(request).await.map(drop)
}

#[tokio::test]
async fn a_wrong_share_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let invalid = (Code::InvalidArgument, Reason::FieldInvalid);
    let malformed = (Code::InvalidArgument, Reason::NameMalformed);
    let long = (Code::InvalidArgument, Reason::LimitExceeded);
    let many = vec!["workers/ann".to_owned(); 10_001];
    let bare = vec!["workers/ann".to_owned(), "bob".to_owned()];
    let wrong = [
        (Requester { weight: 10_001, ..Requester::default() }, invalid, "weight"),
        (Requester { tier_ceiling: 5, ..Requester::default() }, invalid, "tier_ceiling"),
        (
            Requester { blocked_workers: bare.clone(), ..Requester::default() },
            malformed,
            "blocked_workers[1]",
        ),
        (
            Requester { allowed_workers: bare, ..Requester::default() },
            malformed,
            "allowed_workers[1]",
        ),
        (
            Requester { blocked_workers: many.clone(), ..Requester::default() },
            long,
            "blocked_workers",
        ),
        (Requester { allowed_workers: many, ..Requester::default() }, long, "allowed_workers"),
    ];
    for (message, (code, reason), field) in wrong {
        let field = format!("requester.{field}");
        refused(requester(&platform, message.clone()).await, code, reason, &field);
        let message = Requester { name: "requesters/acme".to_owned(), ..message };
        let path = field["requester.".len()..].split('[').next().unwrap_or_default();
        let request = UpdateRequesterRequest {
            requester: Some(message),
            update_mask: Some(FieldMask { paths: vec![path.to_owned()] }),
        };
        let told = platform.client.requesters().update_requester(request).await;
        refused(told, code, reason, &field);
    }
    let mut projects = platform.client.projects();
    let tier = Project { tier: Some(5), ..steps(Vec::new()) };
    refused(
        project(&platform, "wrong", tier.clone()).await,
        Code::InvalidArgument,
        Reason::FieldInvalid,
        "project.tier",
    );
    let request = UpdateProjectRequest {
        project: Some(Project { name: "projects/p".to_owned(), ..tier }),
        update_mask: Some(FieldMask { paths: vec!["tier".to_owned()] }),
    };
    let told = projects.update_project(request).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "project.tier");
}

#[tokio::test]
async fn a_step_that_changes_a_protected_rule_or_asks_for_more_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let before = platform.picture().await;
    let month = 30 * 86_400;
    let wrong: [(Vec<Relaxation>, &str); 13] = [
        (vec![Relaxation { after: None, ..step(1, |_| {}) }], "[0].after"),
        (vec![step(0, |_| {})], "[0].after"),
        (vec![step(month + 1, |_| {})], "[0].after"),
        (vec![step(60, |_| {}), step(60, |_| {})], "[1].after"),
        (vec![step(1, |r| r.kinds.clear())], "[0].requirements.kinds"),
        (vec![step(1, |r| r.quota_per_worker = 8)], "[0].requirements.quota_per_worker"),
        (vec![step(1, |r| r.min_rating = 81)], "[0].requirements.min_rating"),
        (vec![step(1, |r| r.rating_basis = 2)], "[0].requirements.rating_basis"),
        (
            vec![step(1, |r| r.min_rating = 0), step(2, |r| r.min_rating = 1)],
            "[1].requirements.min_rating",
        ),
        (vec![step(1, |r| r.skills[0].min_level = 61)], "[0].requirements.skills"),
        (vec![step(1, |r| r.skills[0].min_level = 101)], "[0].requirements.skills[0].min_level"),
        (vec![step(1, |r| r.regions.truncate(1))], "[0].requirements.regions"),
        (vec![step(1, |r| r.regions.clear()), step(2, |_| {})], "[1].requirements.regions"),
    ];
    for (relaxation, field) in wrong {
        let told = project(&platform, "wrong", steps(relaxation)).await;
        let field = format!("project.relaxation{field}");
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, &field);
    }
    let nine = (1..=9).map(|n| step(n, |_| {})).collect();
    let told = project(&platform, "wrong", steps(nine)).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "project.relaxation");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn requirements_that_steps_would_exceed_are_refused_and_the_project_stays() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let taken = steps(vec![step(60, |r| r.min_rating = 85), step(600, |r| r.skills.clear())]);
    let taken = Project { requirements: Some(Requirements { min_rating: 90, ..own() }), ..taken };
    project(&platform, "q", taken.clone()).await.expect("taken");
    let told = |min_rating| {
        let requirements = Some(Requirements { min_rating, ..own() });
        let project = Project { name: "projects/q".to_owned(), requirements, ..Project::default() };
        let mut projects = platform.client.projects();
        async move {
            let paths = vec!["requirements".to_owned()];
            let request = UpdateProjectRequest {
                project: Some(project),
                update_mask: Some(FieldMask { paths }),
            };
            projects.update_project(request).await
        }
    };
    // The first step asks for 85.
    let field = "project.relaxation[0].requirements.min_rating";
    refused(told(84).await, Code::InvalidArgument, Reason::FieldInvalid, field);
    let request = GetProjectRequest { name: "projects/q".to_owned(), min_position: String::new() };
    let read = platform.client.projects().get_project(request).await.expect("read");
    let kept = read.into_inner().project.expect("a project");
    assert_eq!((kept.relaxation, kept.requirements), (taken.relaxation, taken.requirements));
}

#[tokio::test]
async fn an_update_cannot_bring_a_step_that_lowers_a_protected_rule() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    project(&platform, "q", steps(vec![step(60, |r| r.min_rating = 0)])).await.expect("taken");
    let before = platform.picture().await;
    for (step, field) in [
        (step(60, |r| r.kinds.clear()), "kinds"),
        (step(60, |r| r.quota_per_worker = 0), "quota_per_worker"),
    ] {
        let project = Project { name: "projects/q".to_owned(), ..steps(vec![step]) };
        let request = UpdateProjectRequest {
            project: Some(project),
            update_mask: Some(FieldMask { paths: vec!["relaxation".to_owned()] }),
        };
        let told = platform.client.projects().update_project(request).await;
        let field = format!("project.relaxation[0].requirements.{field}");
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, &field);
    }
    assert_eq!(platform.picture().await, before);
}
