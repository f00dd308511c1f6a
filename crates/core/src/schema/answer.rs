//! One worker's answer, as the edge took it apart.
//!
//! Two fingerprints: `fingerprint` over what was sent tells a retry from another
//! answer, `meaning` is the same for two spellings of the same JSON object.
//!
//! Not here: whether it fits a schema (`fit.rs`).

use std::collections::BTreeMap;

use crate::Fingerprint;
use crate::planted::{self, Mistake};
use crate::quality;
use crate::schema::{Finite, Misfit};

/// One worker's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Exactly what the worker sent.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub content_type: String,
    /// What its bytes hold.
    pub content: Content,
    /// Over content type and bytes: two answers with the same are the same.
    pub fingerprint: Fingerprint,
    /// Of a JSON object that over its canonical form (members by name, no spaces, one
    /// spelling a number and a string), of anything else the fingerprint.
    pub meaning: Fingerprint,
}

/// What the bytes of an answer hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Content {
    /// No JSON, by its content type.
    #[default]
    Other,
    /// A JSON object.
    Object(Members),
    /// Neither; where a schema asks for an object, this is why it is none.
    Broken(Misfit),
}

/// The members of a JSON object, by name.
pub type Members = BTreeMap<String, Member>;

/// The value of a member of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A string.
    Text(Text),
    /// A number.
    Number(Finite),
    /// `true` or `false`.
    Boolean(bool),
    /// An array; `None` for entries that are no strings.
    List(Vec<Option<String>>),
    /// `null` or an object.
    Other,
    /// The object has several members of this name.
    Repeated,
}

/// A string, and what it is compared by.
///
/// The fingerprint is taken at the edge: the engine is one thread, and a long text
/// takes milliseconds to normalise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    written: String,
    compared: Fingerprint,
}

impl Text {
    /// Cost: two passes over the text.
    #[must_use]
    pub fn new(written: String) -> Text {
        let compared = match planted::is(Mistake::TextAsWritten) {
            true => Fingerprint::of(&[written.as_bytes()]),
            false => Fingerprint::of(&[quality::normalised(&written).as_bytes()]),
        };
        Text { written, compared }
    }

    /// As the worker wrote it.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The same for all texts that compare as equal.
    #[must_use]
    pub fn compared(&self) -> Fingerprint {
        self.compared
    }
}

impl Member {
    /// A string.
    #[must_use]
    pub fn text(written: &str) -> Member {
        Member::Text(Text::new(written.to_owned()))
    }

    /// What it is, for people.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Member::Text(_) => "a string",
            Member::Number(_) => "a number",
            Member::Boolean(_) => "a boolean",
            Member::List(_) => "an array",
            Member::Other => "null or an object",
            Member::Repeated => "several values",
        }
    }
}
