//! Why an answer does not fit its project's schema.

use std::fmt;

use crate::schema::Finite;

/// Why an answer does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The project has a schema, and the answer says that it is no JSON.
    #[error("is {got:?}, the project's answer schema asks for application/json")]
    ContentType {
        /// What it says.
        got: String,
    },
    /// The project has a schema and the answer is no JSON object.
    #[error("is not a JSON object, which the project's answer schema asks for")]
    NotAnObject,
    /// It begins like one, and is mistaken further on.
    #[error("is not valid JSON at line {line}, column {column}")]
    Syntax {
        /// The member in or after which it goes wrong; empty before the first.
        field: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// NaN, infinite, or too large for a 64-bit float.
    #[error("field {field:?} is {got}, which is no finite number")]
    NotFinite {
        /// The field's name.
        field: String,
        /// As it was sent.
        got: String,
    },
    /// The object has several members of one name.
    #[error("has the field {field:?} more than once")]
    Repeated {
        /// The field's name.
        field: String,
    },
    /// A required field is absent.
    #[error("lacks the required field {field:?}")]
    Missing {
        /// The field's name.
        field: String,
    },
    /// The value is of another JSON type.
    #[error("field {field:?} is {got}, it must be {wanted}")]
    WrongType {
        /// The field's name.
        field: String,
        /// What is asked for.
        wanted: &'static str,
        /// What was sent.
        got: &'static str,
    },
    /// The field is none of the choices.
    #[error("field {field:?} is {got:?}, which is none of its {choices} choices")]
    NotAChoice {
        /// The field's name.
        field: String,
        /// What was sent.
        got: String,
        /// How many choices there are.
        choices: usize,
    },
    /// An entry of a multi-choice is none of the choices.
    #[error("field {field:?} has in place {entry} {}, which is none of its {choices} choices", Entry(got.as_deref()))]
    NotAnOption {
        /// The field's name.
        field: String,
        /// The entry, from 0.
        entry: usize,
        /// What was sent; `None` when it was no string.
        got: Option<String>,
        /// How many choices there are.
        choices: usize,
    },
    /// An entry of a multi-choice repeats another.
    #[error("field {field:?} has in place {entry} {got:?} again, an option is chosen once")]
    OptionTwice {
        /// The field's name.
        field: String,
        /// The later entry, from 0.
        entry: usize,
        /// What was sent.
        got: String,
    },
    /// A number is out of its bounds.
    #[error("field {field:?} is {got}, it may be {}", Bounds(*least, *most))]
    OutOfBounds {
        /// The field's name.
        field: String,
        /// What was sent.
        got: Finite,
        /// The least that is taken.
        least: Option<Finite>,
        /// The most.
        most: Option<Finite>,
    },
}

impl Misfit {
    /// Where in the message of an answer: below `answer`, or its `content_type`.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Misfit::ContentType { .. } => "content_type".to_owned(),
            Misfit::NotAnObject => "answer".to_owned(),
            Misfit::Syntax { field, .. } if field.is_empty() => "answer".to_owned(),
            Misfit::Syntax { field, .. }
            | Misfit::NotFinite { field, .. }
            | Misfit::Repeated { field }
            | Misfit::Missing { field }
            | Misfit::WrongType { field, .. }
            | Misfit::NotAChoice { field, .. }
            | Misfit::OutOfBounds { field, .. } => format!("answer.{field}"),
            Misfit::NotAnOption { field, entry, .. } | Misfit::OptionTwice { field, entry, .. } => {
                format!("answer.{field}[{entry}]")
            }
        }
    }
}

/// An entry of a list, for people.
struct Entry<'a>(Option<&'a str>);

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(f, "{text:?}"),
            None => f.write_str("what is no string"),
        }
    }
}

struct Bounds(Option<Finite>, Option<Finite>);

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(least), Some(most)) => write!(f, "{least} to {most}"),
            (Some(least), None) => write!(f, "{least} or more"),
            (None, Some(most)) => write!(f, "{most} or less"),
            (None, None) => f.write_str("any number"),
        }
    }
}
