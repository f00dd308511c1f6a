//! What a lease keeps of its answer, field by field: enough to compare answers and to
//! aggregate them, without their bytes.
//!
//! Not here: how an answer becomes values (`fit.rs`), what they say together (`quality`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Fingerprint;

/// Per schema field what the answer says; `None` where the field is absent or free.
/// Shorter than a schema that has grown since.
pub type Values = Vec<Option<Value>>;

/// What one answer says in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// The index of the choice.
    Choice(u16),
    /// The indexes of the chosen options, ascending, none twice.
    Set(Vec<u16>),
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Finite),
    /// The fingerprint of the text as it is compared.
    Text(Fingerprint),
}

impl Value {
    /// Its class, where the field's values are classes: the index of a choice, 0 for
    /// `false` and 1 for `true`.
    #[must_use]
    pub fn class(&self) -> Option<u16> {
        match self {
            Value::Choice(choice) => Some(*choice),
            Value::Boolean(said) => Some(u16::from(*said)),
            Value::Set(_) | Value::Number(_) | Value::Text(_) => None,
        }
    }
}

/// A finite 64-bit float, never −0, so that equal numbers have equal bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Finite {
    bits: u64,
}

impl Finite {
    /// Zero.
    pub const ZERO: Finite = Finite { bits: 0 };

    /// `None` for NaN and the infinities.
    #[must_use]
    pub fn new(number: f64) -> Option<Finite> {
        // Minus zero and zero add up to zero.
        number.is_finite().then(|| Finite { bits: (number + 0.0).to_bits() })
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from_bits(self.bits)
    }
}

impl fmt::Debug for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.get())
    }
}

impl fmt::Display for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_equal_and_others_are_none() {
        assert_eq!(Finite::new(-0.0), Finite::new(0.0));
        assert_eq!(Finite::new(0.0), Some(Finite::ZERO));
        assert_ne!(Finite::new(1.0), Finite::new(-1.0));
        assert_eq!(Finite::new(0.1).map(Finite::get), Some(0.1));
        assert_eq!(Finite::new(f64::NAN), None);
        assert_eq!(Finite::new(f64::INFINITY), None);
        assert_eq!(Finite::new(f64::NEG_INFINITY), None);
    }

    #[test]
    fn choices_and_booleans_are_classes() {
        assert_eq!(Value::Choice(7).class(), Some(7));
        assert_eq!(Value::Boolean(false).class(), Some(0));
        assert_eq!(Value::Boolean(true).class(), Some(1));
        assert_eq!(Value::Set(vec![1]).class(), None);
    }
}
