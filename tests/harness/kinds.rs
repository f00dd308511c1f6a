//! A project whose answers have a field of every kind.

use bytes::Bytes;
use piecework_client::proto::v1::{
    Answer, AnswerField, AnswerFieldKind, AnswerSchema, Receipt, SubmitAnswersRequest,
};
use tonic_types::pb;

use super::{Outcome, Platform};

/// One field, required.
pub(crate) fn field(name: &str, kind: AnswerFieldKind, choices: &[&str]) -> AnswerField {
    AnswerField {
        name: name.to_owned(),
        kind: kind.into(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        required: true,
        ..AnswerField::default()
    }
}

/// `label` of a, b; `seen` any of tail, ears; `sure`; `age` 0 to 120, within 1 the same;
/// `name`; and `note`, which may be left out.
pub(crate) fn all_kinds() -> AnswerSchema {
    use AnswerFieldKind::{Boolean, Choice, Free, MultiChoice, Number, Text};
    let age = field("age", Number, &[]);
    AnswerSchema {
        fields: vec![
            field("label", Choice, &["a", "b"]),
            field("seen", MultiChoice, &["tail", "ears"]),
            field("sure", Boolean, &[]),
            AnswerField { tolerance: 1.0, least: Some(0.0), most: Some(120.0), ..age },
            field("name", Text, &[]),
            AnswerField { required: false, ..field("note", Free, &[]) },
        ],
    }
}

impl Platform {
    /// Bytes under a lease, of a media type that may be empty.
    pub(crate) async fn submit_bytes(
        &self,
        worker: &str,
        lease: &str,
        bytes: &str,
        content_type: &str,
    ) -> Result<Receipt, pb::Status> {
        let answer = Answer {
            lease: lease.to_owned(),
            answer: Bytes::copy_from_slice(bytes.as_bytes()),
            content_type: content_type.to_owned(),
        };
        let request =
            SubmitAnswersRequest { worker: worker.to_owned(), answers: vec![answer], next: None };
        let reply = self.client.dispatch().submit_answers(request).await.expect("an answer");
        reply.into_inner().results.remove(0).outcome()
    }
}
