//! Results that one can trust for fewer answers bought: dynamic overlap, revisions,
//! a requester's own word, and what a refinement of all answers changes.

use piecework_client::proto::v1::{
    Aggregation, CancelTasksRequest, DynamicOverlap, ErrorReason as Reason,
    GetProjectQualityRequest, GetProjectStatsRequest, Project, ResolveTaskRequest, ResultMethod,
    ResultState, TaskState, Verdict, WatchResultsRequest,
};
use tonic::Code;

use crate::harness::{Daemon, Platform, label_of, next_result, refused, wait_until};

fn dynamic(project: Project) -> Project {
    let dynamic_overlap = Some(DynamicOverlap { max: 5, target_confidence: Some(0.6) });
    Project { overlap: 2, dynamic_overlap, ..project }
}

async fn resolve(platform: &Platform, name: &str, label: &str) -> Result<(), tonic::Status> {
    let request = ResolveTaskRequest {
        name: name.to_owned(),
        answer: format!(r#"{{"label":"{label}"}}"#).into(),
        content_type: String::new(),
    };
    platform.client.tasks().resolve_task(request).await.map(drop)
}

#[tokio::test]
async fn a_task_buys_answers_until_it_is_sure_and_says_what_is_likely_meanwhile() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", dynamic).await;
    platform.tasks(&project, &["agreed", "argued"]).await;
    let request = WatchResultsRequest {
        parent: project.clone(),
        include_provisional: true,
        ..WatchResultsRequest::default()
    };
    let mut all = platform.client.results().watch_results(request).await.unwrap().into_inner();
    let workers = platform.workers(["ann", "bob", "cid"]).await;
    for (worker, labels) in workers.iter().zip([["a", "a"], ["a", "b"]]) {
        for label in labels {
            platform.answer_one(worker, &project, label).await;
        }
    }
    let [agreed, argued] = [next_result(&mut all).await, next_result(&mut all).await];
    let agreed = agreed.result.unwrap();
    assert_eq!((agreed.task_id.as_str(), agreed.state()), ("agreed", ResultState::Final));
    assert_eq!((agreed.confidence, agreed.votes.len()), (1.0, 2));
    let argued = argued.result.unwrap();
    assert_eq!((argued.task_id.as_str(), argued.confidence), ("argued", 0.5));
    assert_eq!((argued.state(), argued.revision), (ResultState::Provisional, 1));

    // Of the two only the one that is unsure wants a third.
    platform.answer_one(&workers[2], &project, "b").await;
    let settled = next_result(&mut all).await.result.unwrap();
    assert_eq!((settled.task_id.as_str(), label_of(&settled.answer)), ("argued", "b".into()));
    assert_eq!((settled.state(), settled.revision), (ResultState::Final, 2));
    // Whoever asks for what is final only never saw the first.
    let results = platform.results(&project).await;
    assert_eq!(results.iter().map(|r| r.revision).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_requester_may_say_what_the_result_is() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", |project| Project { overlap: 2, ..project }).await;
    let [name] = platform.tasks(&project, &["t"]).await.try_into().expect("one task");
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let held = platform.lease(&bob, &project).await;
    platform.answer_one(&ann, &project, "a").await;

    let unfit = resolve(&platform, &name, "horse").await;
    refused(unfit, Code::InvalidArgument, Reason::AnswerInvalid, "answer.label");
    assert_eq!(platform.task(&name).await.state(), TaskState::Open);
    resolve(&platform, &name, "c").await.expect("a result");
    resolve(&platform, &name, "c").await.expect("the same again");
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!((label_of(&result.answer).as_str(), result.confidence), ("c", 1.0));
    assert_eq!((result.method(), result.revision), (ResultMethod::Requester, 1));
    // What was under way is paid, and changes nothing.
    let receipt = platform.submit(&bob, &held.name, "b").await;
    assert_eq!(receipt.verdict(), Verdict::KeptPayable);
    assert_eq!(platform.results(&project).await[0].revision, 1);

    let [gone] = platform.tasks(&project, &["gone"]).await.try_into().expect("one task");
    let request = CancelTasksRequest {
        parent: project.clone(),
        names: vec![gone.clone()],
        revoke_leases: false,
    };
    platform.client.tasks().cancel_tasks(request).await.expect("cancelled");
    let late = resolve(&platform, &gone, "a").await;
    refused(late, Code::FailedPrecondition, Reason::TaskCancelled, "");
}

/// Two who know, and three of whom each likes one letter: the majority follows those,
/// all answers together tell who knows.
#[tokio::test]
async fn all_answers_together_revise_what_the_first_ones_said() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let refined =
        |project| Project { overlap: 5, aggregation: Aggregation::Unspecified.into(), ..project };
    let project = platform.project_with("p", refined).await;
    let names: Vec<String> = (0..60).map(|n| format!("t{n:02}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    platform.tasks(&project, &ids).await;
    let truth = |n: usize| ["a", "b", "c"][n * 7 % 3];
    let workers = platform.workers(["ann", "bob", "cid", "dan", "eve"]).await;
    for n in 0..ids.len() {
        for (w, worker) in workers.iter().enumerate() {
            // The three who guess come first, and often guess the same.
            let guess = ["a", "b", "c"][(n * n / 2 + w * (n % 4) / 2) % 3];
            let label = if w < 3 { guess } else { truth(n) };
            platform.answer_one(worker, &project, label).await;
        }
    }
    let refinement = wait_until("refinements come to rest", async || {
        let request = GetProjectStatsRequest { name: project.clone(), ..Default::default() };
        let stats = platform.client.projects().get_project_stats(request).await.unwrap();
        let refinement = stats.into_inner().stats.unwrap().refinement.expect("it is refined");
        (refinement.pending_answers == 0).then_some(refinement)
    })
    .await;
    assert_eq!(refinement.answers, 300);
    let results = platform.results(&project).await;
    let wrong = results.iter().enumerate().filter(|(n, r)| label_of(&r.answer) != truth(*n));
    assert_eq!(wrong.count(), 0);
    let smoothed = results.iter().filter(|r| r.method() == ResultMethod::Smoothed);
    assert!(smoothed.clone().count() > 0, "nothing was revised");
    assert!(smoothed.clone().all(|r| r.revision > 1));
}

#[tokio::test]
async fn one_answer_a_task_is_refined_once_the_requester_knows_better() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let alone = |project| Project { aggregation: Aggregation::Unspecified.into(), ..project };
    let project = platform.project_with("p", alone).await;
    let names = platform.tasks(&project, &["t1", "t2", "t3"]).await;
    let [ann] = platform.workers(["ann"]).await;
    for _ in &names {
        platform.answer_one(&ann, &project, "a").await;
    }
    let refinement = async || {
        let request = GetProjectStatsRequest { name: project.clone(), ..Default::default() };
        let stats = platform.client.projects().get_project_stats(request).await.unwrap();
        stats.into_inner().stats.unwrap().refinement
    };
    assert_eq!(refinement().await, None, "no answer tells anything of another");
    resolve(&platform, &names[0], "b").await.expect("a result");
    let refined = wait_until("all answers are gone through", async || {
        refinement().await.filter(|refinement| refinement.answers > 0)
    })
    .await;
    assert_eq!((refined.answers, refined.pending_answers), (3, 0));
}

#[tokio::test]
async fn a_requester_sees_who_errs_how_and_what_one_more_answer_was_worth() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project_with("p", dynamic).await;
    platform.tasks(&project, &["agreed", "argued"]).await;
    let workers = platform.workers(["ann", "bob", "cid"]).await;
    for (worker, labels) in workers.iter().zip([vec!["a", "a"], vec!["a", "b"], vec!["b"]]) {
        for label in labels {
            platform.answer_one(worker, &project, label).await;
        }
    }
    let request = GetProjectQualityRequest { name: project.clone(), ..Default::default() };
    let told = platform.client.projects().get_project_quality(request).await.unwrap();
    let quality = told.into_inner().quality.unwrap();
    assert_eq!((quality.tasks, quality.answers, quality.answers_at_most), (2, 5, 10));
    // One task of which all say the same, one of which two of three do.
    let bins: Vec<u64> = quality.agreement.iter().map(|bin| bin.tasks).collect();
    assert_eq!(bins, [0, 0, 0, 0, 0, 0, 1, 0, 0, 1]);
    let [confusion] = quality.confusion.try_into().expect("one field");
    assert_eq!((confusion.field.as_str(), confusion.choices.len()), ("label", 3));
    // Of what is a two said a; of what is b one said a, and two said b.
    let given: Vec<Vec<u64>> = confusion.rows.into_iter().map(|row| row.given).collect();
    assert_eq!(given, [[2, 0, 0], [1, 2, 0], [0, 0, 0]]);
    let counts: Vec<(&str, u64, u64)> =
        quality.workers.iter().map(|w| (w.worker.as_str(), w.answers, w.agreed)).collect();
    assert_eq!(counts, [("workers/ann", 2, 1), ("workers/bob", 2, 2), ("workers/cid", 1, 1)]);
    let had: Vec<(u32, u64)> = quality.values.iter().map(|v| (v.answers, v.tasks)).collect();
    assert_eq!(had, [(1, 2), (2, 2), (3, 1)]);
    assert!(quality.values.iter().all(|v| (0.0..=1.0).contains(&v.confidence)));
}
