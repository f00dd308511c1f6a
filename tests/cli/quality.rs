//! What a person types about the worth of answers: buying them, setting a result, asking
//! what they were worth.

use piecework_client::proto::v1::CancelTasksRequest;
use serde_json::Value;

use crate::harness::{Daemon, piecework_at};

#[tokio::test]
async fn an_overlap_is_said_with_its_ends_and_its_target() {
    let daemon = Daemon::start().await;
    let at = async |args: &[&str]| piecework_at(&daemon.server(), args).await;
    at(&["requester", "create", "acme"]).await.ended(0);
    let create = |flags: &[&'static str]| {
        [&["project", "create", "birds", "--requester", "acme"][..], flags].concat()
    };
    // What is no number, or stands alone, is wrong usage: nobody is asked.
    for (flags, says) in [
        (&["--up-to", "many"][..], "--up-to"),
        (&["--up-to=-1"], "--up-to"),
        (&["--up-to", "1.5"], "--up-to"),
        (&["--up-to", "5", "--target", "high"], "--target"),
        (&["--target", "0.9"], "--up-to"),
        (&["--overlap", "two"], "--overlap"),
    ] {
        at(&create(flags)).await.ended(2).says(&[says]);
    }
    let (max, target) = ("project.dynamic_overlap.max", "dynamic_overlap.target_confidence");
    for (flags, field) in [
        (&["--up-to", "0"][..], max),
        (&["--up-to", "1001"], max),
        (&["--overlap", "3", "--up-to", "2"], max),
        (&["--overlap", "1001"], "project.overlap"),
        (&["--up-to", "5", "--target", "0"], target),
        (&["--up-to", "5", "--target=-0.5"], target),
        (&["--up-to", "5", "--target", "1.01"], target),
        (&["--up-to", "5", "--target", "nan"], target),
        (&["--up-to", "5", "--target", "inf"], target),
    ] {
        at(&create(flags)).await.ended(1).says(&[field, "FIELD_INVALID"]);
    }
    let list = at(&["-o", "json", "project", "list"]).await.ended(0).json();
    assert_eq!(list.as_array().map(Vec::len), Some(0), "{list}");
    let good = ["--overlap", "2", "--up-to", "7", "--target", "1", "-o", "json"];
    let shown = at(&create(&good)).await.ended(0).json();
    assert_eq!((&shown["overlap"], &shown["dynamicOverlap"]["max"]), (&2.into(), &7.into()));
    assert_eq!(shown["dynamicOverlap"]["targetConfidence"].as_f64(), Some(1.0), "{shown}");
}

#[tokio::test]
async fn a_result_is_set_by_name_or_refused_with_the_reason() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let names = platform.tasks(&project, &["t", "gone", "done"]).await;
    let request = CancelTasksRequest {
        parent: project.clone(),
        names: vec![names[1].clone()],
        revoke_leases: false,
    };
    platform.client.tasks().cancel_tasks(request).await.expect("cancelled");
    let at = async |args: &[&str]| piecework_at(&daemon.server(), args).await;
    let fits = r#"{"label":"a"}"#;
    for (args, code, says) in [
        (["p/tasks/t", r#"{"label":"horse"}"#], 1, ["answer.label", "ANSWER_INVALID"]),
        (["p/tasks/t", "a"], 1, ["answer", "ANSWER_INVALID"]),
        (["p/tasks/t", "{}"], 1, ["answer.label", "ANSWER_INVALID"]),
        (["p/tasks/unknown", fits], 1, ["p/tasks/unknown", "TASK_NOT_FOUND"]),
        (["p/tasks/~99", fits], 1, ["~99", "TASK_NOT_FOUND"]),
        (["unknown/tasks/t", fits], 1, ["projects/unknown", "PROJECT_NOT_FOUND"]),
        (["p/tasks/gone", fits], 1, ["gone", "TASK_CANCELLED"]),
        (["p", fits], 2, ["`p`", "PROJECT/tasks/TASK"]),
        (["p/tasks/has space", fits], 1, ["has space", "NAME_MALFORMED"]),
        // Nothing comes from stdin here.
        (["p/tasks/t", "-"], 1, ["answer", "ANSWER_INVALID"]),
    ] {
        let told = at(&[&["task", "resolve"][..], &args].concat()).await;
        told.ended(code).says(&says);
    }
    at(&["task", "resolve", "p/tasks/t"]).await.ended(2).says(&["<ANSWER>"]);
    assert!(platform.results(&project).await.is_empty());

    let table = at(&["task", "resolve", "p/tasks/t", fits]).await.ended(0);
    table.prints(&["p/tasks/t", "DONE"]);
    let json = ["-o", "json", "task", "resolve", "p/tasks/~3", r#"{ "label": "b" }"#];
    let told = at(&json).await.ended(0).json();
    assert_eq!(told["state"], "TASK_STATE_DONE", "{told}");
    let results = platform.results(&project).await;
    let said: Vec<&[u8]> = results.iter().map(|result| &result.answer[..]).collect();
    assert_eq!(said, [fits.as_bytes(), br#"{ "label": "b" }"#]);
}

#[tokio::test]
async fn what_answers_are_worth_is_printed_in_every_format() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project =
        platform.project_with("p", |p| piecework_client::proto::v1::Project { overlap: 2, ..p });
    let project = project.await;
    platform.tasks(&project, &["agreed", "argued"]).await;
    for (worker, labels) in [("ann", ["a", "a"]), ("bob", ["a", "b"])] {
        let worker = platform.worker(worker).await;
        for label in labels {
            platform.answer_one(&worker, &project, label).await;
        }
    }
    let at = async |args: &[&str]| piecework_at(&daemon.server(), args).await;
    let quality = ["project", "quality", "p"];
    let table = at(&quality).await.ended(0);
    table.prints(&["2 finished tasks with 4 answers", "agreement", "label: result, given", "ann"]);
    let json = at(&[&["-o", "json"], &quality[..]].concat()).await.ended(0).json();
    let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    assert_eq!((number(&json["tasks"]), number(&json["answers"])), (Some(2), Some(4)), "{json}");
    assert_eq!(json["confusion"][0]["choices"], serde_json::json!(["a", "b", "c"]));
    for (only, head, row) in [
        ("workers", "worker,answers,agreed,accuracy", "ann,2,2,"),
        ("agreement", "agreement,tasks", "0.9\u{2013}1.0,1"),
        ("values", "with answers,tasks,mean confidence,as in the end", "2,2,"),
        ("confusion", "field,result,given,answers", "label,a,b,1"),
    ] {
        let csv = at(&[&quality[..], &["-o", "csv", "--only", only]].concat()).await.ended(0);
        let mut lines = csv.stdout.lines();
        assert_eq!(lines.next(), Some(head), "{}", csv.stdout);
        assert!(lines.any(|line| line.starts_with(row)), "no {row} in {}", csv.stdout);
    }
    for format in ["table", "json", "csv"] {
        let told = at(&["project", "quality", "unknown", "-o", format]).await.ended(1);
        assert_eq!(told.stdout, "", "{format}");
        told.says(&["projects/unknown", "PROJECT_NOT_FOUND"]);
    }
    at(&["project", "quality", "workers/x"]).await.ended(2).says(&["workers/x"]);
    at(&["project", "quality", "p", "--only", "colour"]).await.ended(2).says(&["agreement"]);
    at(&["project", "quality"]).await.ended(2).says(&["<PROJECT>"]);
}
