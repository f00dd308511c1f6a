//! Bulk calls: one bad item never fails its neighbours.
//!
//! Items refused at the edge never reach the engine; its answers to the others
//! are put back into the order in which the client sent them.

use piecework_core::{Fingerprint, Refusal};

use crate::wire::failure::Failure;
use crate::wire::status;

/// The items of one call: those to ask for, and those refused already.
#[derive(Debug)]
pub(crate) struct Sifted<T> {
    /// To be asked for, in the order sent.
    pub(crate) good: Vec<T>,
    /// One per item sent; `None`: it is among the good.
    refused: Vec<Option<Failure>>,
}

impl<T> Sifted<T> {
    /// `items`: each parsed, in the order sent.
    pub(crate) fn new(items: impl Iterator<Item = Result<T, Failure>>) -> Sifted<T> {
        let mut sifted = Sifted { good: Vec::new(), refused: Vec::new() };
        for item in items {
            match item {
                Ok(item) => {
                    sifted.good.push(item);
                    sifted.refused.push(None);
                }
                Err(failure) => sifted.refused.push(Some(failure)),
            }
        }
        sifted
    }

    /// Separates the good items, to be sent, from the gaps between them.
    pub(crate) fn split(self) -> (Vec<T>, Gaps) {
        (self.good, Gaps(self.refused))
    }
}

/// Which items of a call were refused at the edge.
#[derive(Debug)]
pub(crate) struct Gaps(Vec<Option<Failure>>);

impl Gaps {
    /// `content` and which items were refused: what a retry must have in common
    /// with the first call, since the engine knows items by their place among
    /// the good ones.
    pub(crate) fn mark(&self, content: Fingerprint) -> Fingerprint {
        let good: Vec<u8> = self.0.iter().map(|gap| u8::from(gap.is_none())).collect();
        Fingerprint::of(&[&content.0.to_le_bytes(), &good])
    }

    /// Puts `answers`, one per good item, back among the refused ones.
    /// `field`: the list in the request, for paths such as `tasks[3]`.
    pub(crate) fn fill<R>(
        self,
        field: &str,
        answers: Vec<Result<R, Refusal>>,
    ) -> Vec<Result<R, Failure>> {
        let mut answers = answers.into_iter();
        let fill = |(index, gap): (usize, Option<Failure>)| match gap {
            Some(failure) => Err(failure),
            None => match answers.next() {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(refusal)) => Err(status::refused(&refusal, &format!("{field}[{index}]"))),
                // The engine owes an answer per item.
                None => Err(status::internal()),
            },
        };
        self.0.into_iter().enumerate().map(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use piecework_core::ClientId;
    use piecework_proto::v1::ErrorReason;

    use super::*;
    use crate::wire::invalid;

    #[test]
    fn answers_return_to_the_order_in_which_items_were_sent() {
        let items = [Ok(1), Err(invalid::field("tasks[1].payload", "is empty")), Ok(3)];
        let (good, gaps) = Sifted::new(items.into_iter()).split();
        assert_eq!(good, [1, 3]);
        let content = Fingerprint(7);
        assert_eq!(gaps.mark(content), gaps.mark(content));
        let (_, all) = Sifted::new([Ok(1), Ok(2), Ok(3)].into_iter()).split();
        assert_ne!(gaps.mark(content), all.mark(content));
        let cats = ClientId::new("cats").unwrap();
        let too_large = Refusal::PayloadTooLarge { project: cats, bytes: 9, limit: 8 };
        let filled = gaps.fill("tasks", vec![Ok("one"), Err(too_large)]);
        assert_eq!(filled[0], Ok("one"));
        assert_eq!(filled[1].as_ref().unwrap_err().field(), Some("tasks[1].payload"));
        let third = filled[2].as_ref().unwrap_err();
        assert_eq!(third.reason(), ErrorReason::LimitExceeded);
        assert_eq!(third.field(), Some("tasks[2].payload"));
    }
}
