//! Schemas that make no sense, answers that do not fit theirs, changes that would make
//! answers mean something else.

use piecework_client::proto::v1::{
    AnswerField, AnswerFieldKind, AnswerSchema, CreateProjectRequest, ErrorReason as Reason,
    Project, UpdateProjectRequest,
};
use prost_types::FieldMask;
use tonic::Code;

use crate::harness::{Daemon, Platform, all_kinds, field, refused};

/// All fields of an answer that fits, but for one that a test says.
fn with(name: &str, value: &str) -> String {
    let members = [
        ("label", r#""a""#),
        ("seen", r#"["tail"]"#),
        ("sure", "true"),
        ("age", "7"),
        ("name", r#""Tom""#),
    ];
    let member = |(known, good): (&str, &str)| {
        format!(r#""{known}": {}"#, if known == name { value } else { good })
    };
    format!("{{{}}}", members.map(member).join(", "))
}

#[tokio::test]
async fn an_answer_of_each_kind_that_does_not_fit_names_its_field() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let with_all = |project| Project { schema: Some(all_kinds()), ..project };
    let project = platform.project_with("p", with_all).await;
    platform.tasks(&project, &["t"]).await;
    let ann = platform.worker("ann").await;
    let lease = platform.lease(&ann, &project).await.name;
    let before = platform.picture().await;

    let wrong = [
        (with("label", r#""c""#), "answers[0].answer.label"),
        (with("label", "1"), "answers[0].answer.label"),
        (with("label", "null"), "answers[0].answer.label"),
        (with("seen", r#"["tail", "wings"]"#), "answers[0].answer.seen[1]"),
        (with("seen", r#"["ears", "tail", "ears"]"#), "answers[0].answer.seen[2]"),
        (with("seen", r#"["ears", 1]"#), "answers[0].answer.seen[1]"),
        (with("seen", r#""tail""#), "answers[0].answer.seen"),
        (with("sure", r#""true""#), "answers[0].answer.sure"),
        (with("sure", "1"), "answers[0].answer.sure"),
        (with("age", "NaN"), "answers[0].answer.age"),
        (with("age", "-Infinity"), "answers[0].answer.age"),
        (with("age", "1e999"), "answers[0].answer.age"),
        (with("age", "120.5"), "answers[0].answer.age"),
        (with("age", "-1"), "answers[0].answer.age"),
        (with("age", r#""7""#), "answers[0].answer.age"),
        (with("name", "7"), "answers[0].answer.name"),
        (with("name", r#""Tom", "name": "Tim""#), "answers[0].answer.name"),
        (with("name", r#""Tom", "extra": 1, "extra": 2"#), "answers[0].answer.extra"),
        (r#"{"label": "a"}"#.to_owned(), "answers[0].answer.seen"),
        (r#"{"label": "a", "seen": [}"#.to_owned(), "answers[0].answer.seen"),
        ("{".to_owned(), "answers[0].answer"),
        ("[]".to_owned(), "answers[0].answer"),
    ];
    for (answer, path) in wrong {
        let told = platform.submit_bytes(&ann, &lease, &answer, "").await;
        refused(told, Code::InvalidArgument, Reason::AnswerInvalid, path);
    }
    let told = platform.submit_bytes(&ann, &lease, &with("", ""), "text/plain").await;
    refused(told, Code::InvalidArgument, Reason::AnswerInvalid, "answers[0].content_type");
    assert_eq!(platform.picture().await, before);
    // The lease still lives.
    platform.submit_bytes(&ann, &lease, &with("", ""), "").await.expect("taken");
}

async fn create(platform: &Platform, fields: Vec<AnswerField>) -> Result<(), tonic::Status> {
    let project = Project {
        requester: "requesters/acme".to_owned(),
        title: "Which one?".to_owned(),
        schema: Some(AnswerSchema { fields }),
        ..Project::default()
    };
    let request = CreateProjectRequest {
        project: Some(project),
        project_id: "wrong".to_owned(),
        request_id: String::new(),
    };
    platform.client.projects().create_project(request).await.map(drop)
}

#[tokio::test]
async fn a_schema_that_makes_no_sense_names_its_field() {
    use AnswerFieldKind::{Boolean, Choice, Free, MultiChoice, Number, Text};
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let before = platform.picture().await;

    let number = || field("n", Number, &[]);
    let wrong = [
        (field("n", Choice, &[]), "choices"),
        (field("n", MultiChoice, &[]), "choices"),
        (field("n", MultiChoice, &["a", "a"]), "choices[1]"),
        (field("n", Boolean, &["a"]), "choices"),
        (field("n", Text, &["a"]), "choices"),
        (field("n", Free, &["a"]), "choices"),
        (field("n", Number, &["1"]), "choices"),
        (AnswerField { tolerance: -1.0, ..number() }, "tolerance"),
        (AnswerField { tolerance: f64::NAN, ..number() }, "tolerance"),
        (AnswerField { tolerance: 1.0, ..field("n", Text, &[]) }, "tolerance"),
        (AnswerField { least: Some(f64::INFINITY), ..number() }, "least"),
        (AnswerField { least: Some(2.0), most: Some(1.0), ..number() }, "most"),
        (AnswerField { most: Some(1.0), ..field("n", Boolean, &[]) }, "most"),
        (AnswerField { kind: 0, ..number() }, "kind"),
        (AnswerField { kind: 77, ..number() }, "kind"),
    ];
    for (wrong, part) in wrong {
        let told = create(&platform, vec![field("good", Boolean, &[]), wrong]).await;
        let path = format!("project.schema.fields[1].{part}");
        refused(told, Code::InvalidArgument, Reason::FieldInvalid, &path);
    }
    let told = create(&platform, vec![field("n", Text, &[]), field("n", Boolean, &[])]).await;
    let path = "project.schema.fields[1].name";
    refused(told, Code::InvalidArgument, Reason::FieldInvalid, path);
    assert_eq!(platform.picture().await, before);
}

#[tokio::test]
async fn a_schema_grows_by_optional_fields_at_its_end_and_nothing_else() {
    use AnswerFieldKind::{Boolean, Text};
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let with_all = |project| Project { schema: Some(all_kinds()), ..project };
    let name = platform.project_with("p", with_all).await;
    let before = platform.picture().await;

    type Change<'a> = &'a dyn Fn(&mut Vec<AnswerField>);
    let update = async |change: Change<'_>| {
        let mut schema = all_kinds();
        change(&mut schema.fields);
        let project = Project { name: name.clone(), schema: Some(schema), ..Project::default() };
        let update_mask = Some(FieldMask { paths: vec!["schema".to_owned()] });
        let request = UpdateProjectRequest { project: Some(project), update_mask };
        platform.client.projects().update_project(request).await.map(drop)
    };
    let optional = || AnswerField { required: false, ..field("new", Boolean, &[]) };
    let wrong: [Change<'_>; 11] = [
        &|fields| drop(fields.pop()),
        &|fields| fields.swap(0, 1),
        &|fields| fields.insert(0, optional()),
        &|fields| fields.push(field("new", Boolean, &[])),
        &|fields| fields[0].choices.push("c".to_owned()),
        &|fields| fields[1].choices.truncate(1),
        &|fields| fields[2] = field("sure", Text, &[]),
        &|fields| fields[3].tolerance = 2.0,
        &|fields| fields[3].least = None,
        &|fields| fields[3].most = Some(119.0),
        &|fields| fields[4].required = false,
    ];
    for change in wrong {
        let told = update(change).await;
        refused(told, Code::FailedPrecondition, Reason::SchemaChange, "project.schema");
    }
    assert_eq!(platform.picture().await, before);
    update(&|fields| fields.push(optional())).await.expect("it only grows");
}
