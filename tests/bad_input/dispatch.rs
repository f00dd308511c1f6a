//! Requests of workers that are refused.

use std::time::Duration;

use piecework_client::proto::v1::{
    Answer, ErrorReason as Reason, ExplainTaskRequest, ExplainWorkerRequest, ExtendLeasesRequest,
    LeaseRequest, LeaseReturn, ListOffersRequest, Money, NextLease, Project, ReturnLeasesRequest,
    ReturnReason, SubmitAnswersRequest, SuspendWorkerRequest, WorkRequest,
};
use tonic::Code;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic_types::pb;

use crate::harness::{Daemon, Outcome, Platform, answer, labelled, refused, wire};

/// Longer than any time box.
const WEEK: Duration = Duration::from_secs(7 * 86_400 + 1);

fn ask(worker: &str) -> LeaseRequest {
    LeaseRequest { worker: worker.to_owned(), ..LeaseRequest::default() }
}

#[tokio::test]
async fn a_wrong_wish_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["t"]).await;
    let ann = platform.worker("ann").await;
    let before = platform.picture().await;

    let task = format!("{project}/tasks/t");
    let wait = wire(Duration::from_millis(60_001));
    let (out, soon) = ("except_projects[0]", wire(Duration::from_secs(60)));
    let below = Some(Money { micros: -1, currency: "EUR".to_owned() });
    let (invalid, malformed) = (Reason::FieldInvalid, Reason::NameMalformed);
    let wrong = [
        (LeaseRequest { wait, ..ask(&ann) }, invalid, "wait"),
        (LeaseRequest { count: 1_001, ..ask(&ann) }, invalid, "count"),
        (LeaseRequest { request_id: "a b".into(), ..ask(&ann) }, invalid, "request_id"),
        (LeaseRequest { task: task.clone(), count: 2, ..ask(&ann) }, invalid, "count"),
        (LeaseRequest { task: "t".into(), ..ask(&ann) }, malformed, "task"),
        (LeaseRequest { projects: vec!["p".into()], ..ask(&ann) }, malformed, "projects[0]"),
        (LeaseRequest { except_projects: vec!["p".into()], ..ask(&ann) }, malformed, out),
        (LeaseRequest { min_hourly: below, ..ask(&ann) }, invalid, "min_hourly.micros"),
        (LeaseRequest { within: wire(Duration::ZERO), ..ask(&ann) }, invalid, "within"),
        (LeaseRequest { within: wire(WEEK), ..ask(&ann) }, invalid, "within"),
        (LeaseRequest { task: task.clone(), within: soon, ..ask(&ann) }, invalid, "within"),
        (ask("ann"), malformed, "worker"),
    ];
    for (request, reason, field) in wrong {
        let told = platform.client.dispatch().lease(request).await;
        refused(told, Code::InvalidArgument, reason, field);
    }
    let (missing, precondition) = (Code::NotFound, Code::FailedPrecondition);
    let unknown = vec!["projects/unknown".to_owned()];
    let wrong = [
        (ask("workers/unknown"), missing, Reason::WorkerNotFound),
        (LeaseRequest { projects: unknown, ..ask(&ann) }, missing, Reason::ProjectNotFound),
        (LeaseRequest { task, ..ask(&ann) }, precondition, Reason::AssignmentMismatch),
    ];
    for (request, code, reason) in wrong {
        refused(platform.client.dispatch().lease(request).await, code, reason, "");
    }
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_request_id_of_lease_is_not_for_another_wish() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 3).await;
    let ann = platform.worker("ann").await;
    let request = LeaseRequest { request_id: "r1".to_owned(), ..ask(&ann) };
    platform.client.dispatch().lease(request.clone()).await.expect("leased");
    let before = platform.picture().await;
    let told = platform.client.dispatch().lease(LeaseRequest { count: 2, ..request }).await;
    refused(told, Code::AlreadyExists, Reason::RequestIdReused, "");
    assert_eq!(platform.picture().await, before);
}

async fn extend(platform: &Platform, worker: &str, lease: &str) -> Result<(), pb::Status> {
    let request = ExtendLeasesRequest {
        worker: worker.to_owned(),
        leases: vec![lease.to_owned()],
        duration: None,
    };
    let reply = platform.client.dispatch().extend_leases(request).await.expect("an answer");
    reply.into_inner().results.remove(0).outcome().map(drop)
}

async fn give_back(platform: &Platform, worker: &str, lease: &str) -> Result<(), pb::Status> {
    let reason = ReturnReason::NotForMe.into();
    let returns = vec![LeaseReturn { lease: lease.to_owned(), reason, comment: String::new() }];
    let request = ReturnLeasesRequest { worker: worker.to_owned(), returns };
    let reply = platform.client.dispatch().return_leases(request).await.expect("an answer");
    reply.into_inner().results.remove(0).outcome().map(drop)
}

#[tokio::test]
async fn another_workers_lease_does_not_exist() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.tasks(&project, &["t"]).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let lease = platform.lease(&ann, &project).await.name;
    let before = platform.picture().await;

    // Bob is told the same of Ann's lease as of one that never was.
    for name in [lease.as_str(), "leases/7-7-7"] {
        let told = platform.try_submit(&bob, name, "a").await;
        let submit = refused(told, Code::NotFound, Reason::LeaseNotFound, "");
        let told = extend(&platform, &bob, name).await;
        let extend = refused(told, Code::NotFound, Reason::LeaseNotFound, "");
        let told = give_back(&platform, &bob, name).await;
        let give_back = refused(told, Code::NotFound, Reason::LeaseNotFound, "");
        for details in [submit, extend, give_back] {
            let info = details.error_info().expect("details");
            assert_eq!(info.metadata.get("name").map(String::as_str), Some(name));
            assert_eq!(info.metadata.get("worker"), Some(&bob));
        }
    }
    let told = platform.try_submit(&ann, "leases/x", "a").await;
    refused(told, Code::InvalidArgument, Reason::NameMalformed, "answers[0].lease");
    assert_eq!(platform.picture().await, before);
    platform.submit(&ann, &lease, "a").await;
}

#[tokio::test]
async fn a_used_or_returned_lease_takes_no_other_answer() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 2).await;
    let ann = platform.worker("ann").await;
    let used = platform.lease(&ann, &project).await.name;
    let returned = platform.lease(&ann, &project).await.name;
    let receipt = platform.submit(&ann, &used, "a").await;
    give_back(&platform, &ann, &returned).await.expect("returned");
    let before = platform.picture().await;

    let told = platform.try_submit(&ann, &used, "b").await;
    let details = refused(told, Code::FailedPrecondition, Reason::LeaseUsed, "");
    let info = details.error_info().expect("details");
    assert_eq!(info.metadata.get("submission"), Some(&receipt.submission));
    let told = extend(&platform, &ann, &used).await;
    refused(told, Code::FailedPrecondition, Reason::LeaseEnded, "");
    let told = give_back(&platform, &ann, &used).await;
    refused(told, Code::FailedPrecondition, Reason::LeaseEnded, "");
    let told = platform.try_submit(&ann, &returned, "a").await;
    refused(told, Code::FailedPrecondition, Reason::LeaseEnded, "");
    // Returned again, nothing changes.
    give_back(&platform, &ann, &returned).await.expect("returned before");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn one_bad_answer_names_its_field_and_its_neighbours_are_taken() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 30).await;
    let ann = platform.worker("ann").await;

    let bytes = |bytes: &str| bytes::Bytes::copy_from_slice(bytes.as_bytes());
    let (misfit, invalid) = (Reason::AnswerInvalid, Reason::FieldInvalid);
    let wrong = [
        (labelled("z"), "", misfit, "answers[1].answer.label"),
        (bytes("{}"), "", misfit, "answers[1].answer.label"),
        (bytes(r#"{"label":7}"#), "", misfit, "answers[1].answer.label"),
        (bytes("a"), "", misfit, "answers[1].answer"),
        (bytes(r#"["a"]"#), "", misfit, "answers[1].answer"),
        (bytes(&"x".repeat(262_145)), "", Reason::LimitExceeded, "answers[1].answer"),
        (labelled("a"), "a\u{7}b", invalid, "answers[1].content_type"),
    ];
    for (bad, content_type, reason, field) in wrong {
        let leases = platform.ask(&ann, &project, 3).await.leases;
        let [first, middle, last] = leases.as_slice() else { panic!("three leases") };
        let answers = vec![
            answer(&first.name, "a"),
            Answer { lease: middle.name.clone(), answer: bad, content_type: content_type.into() },
            answer(&last.name, "b"),
        ];
        let request = SubmitAnswersRequest { worker: ann.clone(), answers, next: None };
        let reply = platform.client.dispatch().submit_answers(request).await.expect("an answer");
        let results = reply.into_inner().results.try_into().expect("three outcomes");
        let [good, bad, also_good]: [_; 3] = results;
        assert_eq!(good.outcome().expect("taken").lease, first.name);
        refused(bad.outcome(), Code::InvalidArgument, reason, field);
        assert_eq!(also_good.outcome().expect("taken").lease, last.name);
        // The lease still lives: corrected, the answer is taken.
        platform.submit(&ann, &middle.name, "c").await;
    }
    assert_eq!(platform.stats(&project).await.counted, 21);
}

#[tokio::test]
async fn a_bulk_call_has_one_to_a_thousand_items() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let ann = platform.worker("ann").await;
    let mut dispatch = platform.client.dispatch();
    let submit = |count: usize| SubmitAnswersRequest {
        worker: ann.clone(),
        answers: vec![answer("leases/1-1-1", "a"); count],
        next: None,
    };
    let told = dispatch.submit_answers(submit(0)).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "answers");
    let told = dispatch.submit_answers(submit(1_001)).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "answers");
    let request = ReturnLeasesRequest { worker: ann.clone(), returns: Vec::new() };
    let told = dispatch.return_leases(request).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "returns");
    let leases = vec!["leases/1-1-1".to_owned(); 1_001];
    let request = ExtendLeasesRequest { worker: ann.clone(), leases, duration: None };
    let told = dispatch.extend_leases(request).await;
    refused(told, Code::InvalidArgument, Reason::LimitExceeded, "leases");
}

#[tokio::test]
async fn a_bundle_larger_than_the_cap_is_refused_before_any_answer_is_taken() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 2).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    let before = platform.picture().await;
    let next = Some(NextLease { count: 1_001, ..NextLease::default() });
    let request = SubmitAnswersRequest { worker: ann, answers: vec![answer(&lease, "a")], next };
    let told = platform.client.dispatch().submit_answers(request).await;
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, "next.count");
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_suspended_worker_gets_nothing_and_brings_nothing() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    platform.numbered_tasks(&project, 2).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    let request = SuspendWorkerRequest { name: ann.clone(), reason: "too fast".to_owned() };
    platform.client.workers().suspend_worker(request).await.expect("suspended");
    let before = platform.picture().await;

    let told = platform.client.dispatch().lease(ask(&ann)).await;
    let details = refused(told, Code::FailedPrecondition, Reason::WorkerSuspended, "");
    let info = details.error_info().expect("details");
    assert_eq!(info.metadata.get("suspend_reason").map(String::as_str), Some("too fast"));
    let told = platform.try_submit(&ann, &lease, "a").await;
    refused(told, Code::FailedPrecondition, Reason::WorkerSuspended, "");
    let told = extend(&platform, &ann, &lease).await;
    refused(told, Code::FailedPrecondition, Reason::LeaseEnded, "");
    assert_eq!(platform.picture().await, before);
    assert_eq!(platform.stats(&project).await.live_leases, 0);
}

#[tokio::test]
async fn what_is_not_there_yet_says_so() {
    let daemon = Daemon::start().await;
    let channel = Endpoint::from_shared(daemon.server()).unwrap().connect().await.unwrap();
    let mut grpc = Grpc::new(channel);
    for path in ["/piecework.v1.DispatchService/Guess", "/piecework.v2.TaskService/CreateTasks"] {
        grpc.ready().await.expect("connected");
        let codec = tonic_prost::ProstCodec::<WorkRequest, WorkRequest>::default();
        let request = tonic::Request::new(WorkRequest::default());
        let told = grpc.unary(request, PathAndQuery::from_static(path), codec).await;
        assert_eq!(told.unwrap_err().code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_question_names_its_field_and_what_is_not_there() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    let offers = |worker: &str| ListOffersRequest {
        worker: worker.to_owned(),
        ..ListOffersRequest::default()
    };
    let (invalid, malformed) = (Reason::FieldInvalid, Reason::NameMalformed);
    let below = Some(Money { micros: -1, currency: String::new() });
    let wrong = [
        (offers("ann"), malformed, "worker"),
        (
            ListOffersRequest { projects: vec!["p".into()], ..offers(&ann) },
            malformed,
            "projects[0]",
        ),
        (ListOffersRequest { min_hourly: below, ..offers(&ann) }, invalid, "min_hourly.micros"),
        (
            ListOffersRequest { page_token: "no".into(), ..offers(&ann) },
            Reason::PageTokenInvalid,
            "page_token",
        ),
    ];
    for (request, reason, field) in wrong {
        let told = platform.client.dispatch().list_offers(request).await;
        refused(told, Code::InvalidArgument, reason, field);
    }
    let told = platform.client.dispatch().list_offers(offers("workers/unknown")).await;
    refused(told, Code::NotFound, Reason::WorkerNotFound, "");

    let task = |name: &str, worker: &str| ExplainTaskRequest {
        name: name.to_owned(),
        worker: worker.to_owned(),
        min_position: String::new(),
    };
    let unknown = format!("{project}/tasks/unknown");
    let wrong = [
        (task("t", ""), Code::InvalidArgument, malformed, "name"),
        (task(&unknown, "ann"), Code::InvalidArgument, malformed, "worker"),
        (task(&unknown, ""), Code::NotFound, Reason::TaskNotFound, ""),
        (task("projects/none/tasks/t", ""), Code::NotFound, Reason::ProjectNotFound, ""),
    ];
    for (request, code, reason, field) in wrong {
        refused(platform.client.tasks().explain_task(request).await, code, reason, field);
    }
    let worker =
        |name: &str| ExplainWorkerRequest { name: name.to_owned(), min_position: String::new() };
    let told = platform.client.workers().explain_worker(worker("ann")).await;
    refused(told, Code::InvalidArgument, malformed, "name");
    let told = platform.client.workers().explain_worker(worker("workers/unknown")).await;
    refused(told, Code::NotFound, Reason::WorkerNotFound, "");
}
