//! What answers say, to store: kinds of fields, values, results, votes.

use piecework_core::event::{Fell, FieldVotes, NumberVotes, ResultValue};
use piecework_core::project::Aggregation;
use piecework_core::schema::{FieldKind, Finite, Value, Values};

use super::Dice;

impl Dice {
    /// Of the kinds there were at first, the second may be one that came later.
    pub(crate) fn kind(&mut self) -> FieldKind {
        if self.yes() {
            return FieldKind::Choice(self.texts());
        }
        let mut later = self.later();
        match later.below(5) {
            0 => FieldKind::MultiChoice(later.texts()),
            1 => FieldKind::Boolean,
            2 => FieldKind::Number {
                tolerance: later.number(),
                least: later.maybe(Dice::number),
                most: later.maybe(Dice::number),
            },
            3 => FieldKind::Text,
            _ => FieldKind::Free,
        }
    }

    fn texts(&mut self) -> Vec<String> {
        (0..self.below(3)).map(|_| self.text()).collect()
    }

    fn number(&mut self) -> Finite {
        let number = self.of(&[0.0, -0.0, 0.1, -7.5, f64::MIN_POSITIVE, f64::MAX, f64::MIN]);
        Finite::new(number).expect("finite")
    }

    fn set(&mut self) -> Vec<u16> {
        [0, 3, 999].into_iter().filter(|_| self.yes()).collect()
    }

    fn choices(&mut self) -> Vec<Option<u16>> {
        (0..self.below(4)).map(|_| self.maybe(|d| d.of(&[0, 1, 7, u16::MAX]))).collect()
    }

    /// What a lease keeps; where there was no choice there may be something else now.
    pub(crate) fn values(&mut self) -> Values {
        let mut later = self.later();
        let mut other = || match later.below(5) {
            0 => Some(Value::Set(later.set())),
            1 => Some(Value::Boolean(later.yes())),
            2 => Some(Value::Number(later.number())),
            3 => Some(Value::Text(later.fingerprint())),
            _ => None,
        };
        self.choices().into_iter().map(|c| c.map(Value::Choice).or_else(&mut other)).collect()
    }

    /// The same of a result.
    pub(crate) fn result_values(&mut self) -> Vec<Option<ResultValue>> {
        let mut later = self.later();
        let mut other = || match later.below(5) {
            0 => Some(ResultValue::Set(later.set())),
            1 => Some(ResultValue::Boolean(later.yes())),
            2 => Some(ResultValue::Number(later.number())),
            3 => Some(ResultValue::Text(later.lease_id())),
            _ => None,
        };
        let choices = self.choices().into_iter();
        choices.map(|c| c.map(ResultValue::Choice).or_else(&mut other)).collect()
    }

    /// Votes on so many fields.
    pub(crate) fn field_votes(&mut self, fields: u16) -> Vec<FieldVotes> {
        let mut later = self.later();
        let mut fell = |_| match later.below(4) {
            0 => Fell::Options { answers: later.below(9), chosen: first_votes() },
            1 => Fell::Numbers(NumberVotes {
                answers: later.below(9),
                agree: later.below(9),
                median: later.number(),
                spread: later.number(),
                least: later.number(),
                most: later.number(),
            }),
            2 => Fell::Texts {
                answers: later.below(99),
                distinct: later.below(99),
                texts: (0..later.below(3)).map(|_| (later.lease_id(), later.below(9))).collect(),
            },
            _ => Fell::Classes(first_votes()),
        };
        (0..fields).map(|field| FieldVotes { field, fell: fell(field) }).collect()
    }

    /// One of the first methods, or what came later in its place.
    pub(crate) fn aggregation(&mut self) -> Aggregation {
        match self.of(&[Aggregation::First, Aggregation::Majority]) {
            Aggregation::Majority if self.later().yes() => Aggregation::Collect,
            first => first,
        }
    }
}

fn first_votes() -> Vec<(u16, u32)> {
    vec![(0, 1), (u16::MAX, u32::MAX)]
}
