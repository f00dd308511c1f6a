//! What an answer looks like: the schema of a project, one answer, and what of it
//! is kept with its lease.
//!
//! The edge parses JSON once and hands over the top-level members; the engine fits
//! them to the schema. Every kind but `Free` is compared with the others' answers.
//!
//! Not here: what the answers say together (`quality`), JSON parsing (server).

mod answer;
mod fit;
mod misfit;
mod value;

pub use answer::{Answer, Content, Member, Members, Text};
pub use misfit::Misfit;
pub use value::{Finite, Value, Values};

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
    /// One of these strings.
    Choice(Vec<String>),
    /// Any number of these strings, none twice.
    MultiChoice(Vec<String>),
    /// `true` or `false`.
    Boolean,
    /// A finite number.
    Number {
        /// Two numbers so far apart say the same; not negative.
        tolerance: Finite,
        /// A smaller one is refused; at most `most`.
        least: Option<Finite>,
        /// A greater one is refused.
        most: Option<Finite>,
    },
    /// A string, compared by `quality::normalised`.
    Text,
    /// Anything; kept with the submission, neither compared nor aggregated.
    Free,
}

impl Schema {
    /// Whether any field is compared, so that answers together can say more than one
    /// of them does.
    #[must_use]
    pub fn is_compared(&self) -> bool {
        self.fields.iter().any(|f| f.kind != FieldKind::Free)
    }

    /// Whether `next` only adds optional fields at the end: answers given under
    /// this schema then still mean the same.
    #[must_use]
    pub fn grows_into(&self, next: &Schema) -> bool {
        next.fields.starts_with(&self.fields)
            && next.fields[self.fields.len()..].iter().all(|f| !f.required)
    }
}

impl FieldKind {
    /// How many classes its values fall into; `None` where they are no classes. See
    /// [`Value::class`].
    #[must_use]
    pub fn classes(&self) -> Option<u16> {
        match self {
            FieldKind::Choice(choices) => u16::try_from(choices.len()).ok(),
            FieldKind::Boolean => Some(2),
            FieldKind::MultiChoice(_)
            | FieldKind::Number { .. }
            | FieldKind::Text
            | FieldKind::Free => None,
        }
    }

    /// Its strings, where it has some to choose from.
    #[must_use]
    pub fn choices(&self) -> &[String] {
        match self {
            FieldKind::Choice(choices) | FieldKind::MultiChoice(choices) => choices,
            FieldKind::Boolean | FieldKind::Number { .. } | FieldKind::Text | FieldKind::Free => {
                &[]
            }
        }
    }
}
