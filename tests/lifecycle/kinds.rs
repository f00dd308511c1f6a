//! What answers of every kind say together.

use piecework_client::proto::v1::{
    Aggregation, BooleanVotes, ChoiceVotes, NumberVotes, Project, ResultState,
};

use crate::harness::{Daemon, Platform, all_kinds};

async fn answer(platform: &Platform, worker: &str, project: &str, bytes: &str) -> String {
    let lease = platform.lease(worker, project).await.name;
    platform.submit_bytes(worker, &lease, bytes, "").await.expect("taken").submission
}

const ANSWERS: [&str; 3] = [
    r#"{"label":"a","seen":["tail","ears"],"sure":true,"age":7,"name":"New York","note":{"x":1}}"#,
    r#"{"note":[],"name":"Turku","age":7.5,"sure":false,"seen":["ears"],"label":"b"}"#,
    r#"{"label":"b","seen":[],"sure":true,"age":99,"name":" ＮＥＷ   york"}"#,
];

#[tokio::test]
async fn each_kind_has_its_own_way_to_agree() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let three = |project| Project { schema: Some(all_kinds()), overlap: 3, ..project };
    let project = platform.project_with("p", three).await;
    platform.tasks(&project, &["t"]).await;
    let workers = platform.workers(["ann", "bob", "cid"]).await;
    let mut submissions = Vec::new();
    for (worker, bytes) in workers.iter().zip(ANSWERS) {
        submissions.push(answer(&platform, worker, &project, bytes).await);
    }

    let [result] = platform.results(&project).await.try_into().expect("one result");
    let expected = r#"{"label":"b","seen":["ears"],"sure":true,"age":7.5,"name":"New York"}"#;
    assert_eq!(String::from_utf8_lossy(&result.answer), expected);
    assert_eq!(
        (result.state(), result.content_type.as_str()),
        (ResultState::Final, "application/json")
    );
    assert!((result.confidence - 2.0 / 3.0).abs() < 1e-5, "{}", result.confidence);
    let votes = &result.field_votes;
    let names: Vec<_> = votes.iter().map(|v| (v.field.as_str(), v.answers)).collect();
    assert_eq!(names, [("label", 3), ("seen", 3), ("sure", 3), ("age", 3), ("name", 3)]);
    let choice = |choice: &str, votes| ChoiceVotes { choice: choice.to_owned(), votes };
    assert_eq!(votes[0].choices, [choice("a", 1), choice("b", 2)]);
    assert_eq!(votes[1].choices, [choice("tail", 1), choice("ears", 2)]);
    assert_eq!(votes[2].booleans, Some(BooleanVotes { no: 1, yes: 2 }));
    let numbers = NumberVotes { median: 7.5, spread: 0.5, least: 7.0, most: 99.0, agree: 2 };
    assert_eq!(votes[3].numbers, Some(numbers));
    let texts = votes[4].texts.as_ref().expect("texts");
    let told: Vec<_> =
        texts.commonest.iter().map(|t| (t.text.as_str(), t.submission.as_str(), t.votes)).collect();
    let said = [("New York", submissions[0].as_str(), 2), ("Turku", submissions[1].as_str(), 1)];
    assert_eq!((texts.distinct, told.as_slice()), (2, &said[..]));
}

#[tokio::test]
async fn collected_answers_are_listed_and_not_decided() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let collect = |project| Project {
        schema: Some(all_kinds()),
        overlap: 3,
        aggregation: Aggregation::Collect.into(),
        ..project
    };
    let project = platform.project_with("p", collect).await;
    platform.tasks(&project, &["t"]).await;
    let workers = platform.workers(["ann", "bob", "cid"]).await;
    for (worker, bytes) in workers.iter().zip(ANSWERS) {
        assert!(platform.results(&project).await.is_empty(), "not all are in");
        answer(&platform, worker, &project, bytes).await;
    }
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!((result.state(), result.incomplete), (ResultState::Final, false));
    assert!(result.answer.is_empty() && result.content_type.is_empty());
    assert_eq!((result.confidence, result.votes.len()), (0.0, 3));
    assert_eq!(result.field_votes.len(), 5, "how the votes fell is told all the same");
    assert_eq!(result.field_votes[2].booleans, Some(BooleanVotes { no: 1, yes: 2 }));
}

#[tokio::test]
async fn two_spellings_of_an_object_agree_and_a_retry_is_told_by_its_bytes() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let first = |project| Project {
        schema: None,
        overlap: 2,
        aggregation: Aggregation::First.into(),
        ..project
    };
    let project = platform.project_with("p", first).await;
    platform.tasks(&project, &["t"]).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let lease = platform.lease(&ann, &project).await.name;
    let submit = async |bytes| platform.submit_bytes(&ann, &lease, bytes, "").await;
    let receipt = submit(r#"{"a":1,"b":"x"}"#).await.expect("taken");
    assert_eq!(submit(r#"{"a":1,"b":"x"}"#).await.expect("the first receipt"), receipt);
    submit(r#"{"b":"x","a":1}"#).await.expect_err("other bytes are another answer");
    answer(&platform, &bob, &project, r#"{ "b": "x", "a": 1.0 }"#).await;
    let [result] = platform.results(&project).await.try_into().expect("one result");
    assert_eq!((result.confidence, &result.answer[..]), (1.0, &br#"{"a":1,"b":"x"}"#[..]));
}
