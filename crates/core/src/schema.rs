//! What an answer looks like: the schema of a project and one answer.
//!
//! The edge parses JSON once and hands over the top-level fields; the engine
//! compares them with the schema. Only choice fields are aggregated; fields of
//! another kind are accepted as they are.
//!
//! Not here: counting votes (`quality`), JSON parsing (server).

use std::collections::BTreeMap;

use crate::Fingerprint;

/// The named fields of an answer. Without any, every answer is accepted and the
/// first one is the result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// In the order in which the requester wrote them; only grows at the end.
    pub fields: Vec<Field>,
}

/// One field of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The member's name in the JSON object.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// An answer without it is refused.
    pub required: bool,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// One of these strings. Aggregated by vote.
    Choice(Vec<String>),
    /// Anything; kept with the submission, not aggregated.
    Other,
}

/// One worker's answer, as the edge took it apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Exactly what the worker sent.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub content_type: String,
    /// Members of the JSON object, where it is one; strings as they are,
    /// anything else as `None` (present, not a string).
    pub fields: Option<BTreeMap<String, Option<String>>>,
    /// Over content type and bytes: two answers with the same are the same.
    pub fingerprint: Fingerprint,
}

/// Per schema field the index of the choice; `None` where the field is absent
/// or is no choice field. Shorter than a schema that has grown since.
pub type Choices = Vec<Option<u16>>;

/// Why an answer does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The project has a schema and the answer is no JSON object.
    #[error("is not a JSON object, which the project's answer schema asks for")]
    NotAnObject,
    /// A required field is absent.
    #[error("lacks the required field {field:?}")]
    Missing {
        /// The field's name.
        field: String,
    },
    /// The field is none of the choices.
    #[error("field {field:?} is {got:?}, which is none of its {choices} choices")]
    NotAChoice {
        /// The field's name.
        field: String,
        /// What was sent; empty when it was no string.
        got: String,
        /// How many choices there are.
        choices: usize,
    },
}

impl Misfit {
    /// Where in the answer, as a path below `answer`.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Misfit::NotAnObject => "",
            Misfit::Missing { field } | Misfit::NotAChoice { field, .. } => field,
        }
    }
}

impl Schema {
    /// The choices an answer made.
    ///
    /// # Errors
    /// The first field, in schema order, that does not fit.
    pub fn read(&self, answer: &Answer) -> Result<Choices, Misfit> {
        if self.fields.is_empty() {
            return Ok(Vec::new());
        }
        let members = answer.fields.as_ref().ok_or(Misfit::NotAnObject)?;
        self.fields.iter().map(|field| field.read(members)).collect()
    }

    /// Whether any field is aggregated by vote.
    #[must_use]
    pub fn has_choices(&self) -> bool {
        self.fields.iter().any(|f| matches!(f.kind, FieldKind::Choice(_)))
    }

    /// Whether `next` only adds optional fields at the end: answers given under
    /// this schema then still mean the same.
    #[must_use]
    pub fn grows_into(&self, next: &Schema) -> bool {
        next.fields.starts_with(&self.fields)
            && next.fields[self.fields.len()..].iter().all(|f| !f.required)
    }
}

impl Field {
    fn read(&self, members: &BTreeMap<String, Option<String>>) -> Result<Option<u16>, Misfit> {
        let Some(value) = members.get(&self.name) else {
            return match self.required {
                true => Err(Misfit::Missing { field: self.name.clone() }),
                false => Ok(None),
            };
        };
        let FieldKind::Choice(choices) = &self.kind else { return Ok(None) };
        let place = value.as_ref().and_then(|text| choices.iter().position(|c| c == text));
        place.and_then(|i| u16::try_from(i).ok()).map(Some).ok_or_else(|| Misfit::NotAChoice {
            field: self.name.clone(),
            got: value.clone().unwrap_or_default(),
            choices: choices.len(),
        })
    }
}
