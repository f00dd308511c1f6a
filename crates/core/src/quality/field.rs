//! What the counted answers of a task say together in one field, by its kind.
//!
//! Confidence is the share of the answers that have the field and agree with what is
//! said: on the class, on the option that is least sure, on the text, or within the
//! tolerance of the median.
//!
//! Not here: whole answers (`verdicts.rs`).

use super::number;
use crate::event::{Fell, NumberVotes, ResultValue};
use crate::limits;
use crate::schema::{FieldKind, Finite, Value};
use crate::{LeaseId, WorkerId};

/// What one answer says in the field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Under which lease.
    pub(super) lease: LeaseId,
    /// Who says it.
    pub(super) worker: WorkerId,
    /// What.
    pub(super) value: &'a Value,
}

/// What they say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldVerdict {
    /// With how sure it is, in millionths; `None`: nobody said anything.
    pub(super) agreed: Option<(ResultValue, u32)>,
    pub(super) fell: Fell,
}

/// What a method other than the vote says of votes for so many classes.
type Opine<'a> = dyn FnMut(u16, &[(WorkerId, u16)]) -> Option<(u16, u32)> + 'a;

/// Puts together what was said, in order of arrival. `None`: the field is free.
pub(super) fn verdict(
    kind: &FieldKind,
    said: &[Said<'_>],
    opine: &mut Opine<'_>,
) -> Option<FieldVerdict> {
    Some(match kind {
        FieldKind::Choice(_) | FieldKind::Boolean => {
            let vote = |s: &Said<'_>| Some((s.worker, s.value.class()?));
            let votes: Vec<(WorkerId, u16)> = said.iter().filter_map(vote).collect();
            let asked = kind.classes().filter(|_| !votes.is_empty());
            let opinion = asked.and_then(|classes| opine(classes, &votes));
            let agreed = opinion.or_else(|| class(&votes)).map(|(class, sure)| match kind {
                FieldKind::Boolean => (ResultValue::Boolean(class == 1), sure),
                _ => (ResultValue::Choice(class), sure),
            });
            FieldVerdict { agreed, fell: Fell::Classes(counts(votes.iter().map(|v| v.1))) }
        }
        FieldKind::MultiChoice(_) => options(said),
        FieldKind::Number { tolerance, .. } => numbers(said, *tolerance),
        FieldKind::Text => texts(said),
        FieldKind::Free => return None,
    })
}

/// The class that the votes, in order of arrival, say, and how sure that is in
/// millionths: most votes, of equals the class voted for first. `None` without votes.
fn class(votes: &[(WorkerId, u16)]) -> Option<(u16, u32)> {
    let counts = counts(votes.iter().map(|v| v.1));
    let most = counts.iter().map(|(_, n)| *n).max()?;
    let winner = votes.iter().map(|v| v.1).find(|class| counts.contains(&(*class, most)))?;
    Some((winner, share_ppm(most as usize, votes.len())))
}

/// (class, how often), ascending by class.
pub(super) fn counts(classes: impl Iterator<Item = u16>) -> Vec<(u16, u32)> {
    let mut counts: Vec<(u16, u32)> = Vec::new();
    for class in classes {
        match counts.binary_search_by_key(&class, |(c, _)| *c) {
            Ok(at) => counts[at].1 += 1,
            Err(at) => counts.insert(at, (class, 1)),
        }
    }
    counts
}

/// A share in millionths, rounded down; 0 of nothing.
pub(super) fn share_ppm(part: usize, whole: usize) -> u32 {
    let ppm = (part as u64 * 1_000_000).checked_div(whole as u64).unwrap_or_default();
    u32::try_from(ppm).unwrap_or(1_000_000)
}

/// An option is chosen when more than half of the answers chose it.
fn options(said: &[Said<'_>]) -> FieldVerdict {
    let sets = said.iter().filter_map(|s| match s.value {
        Value::Set(chosen) => Some(chosen),
        _ => None,
    });
    let sets: Vec<&Vec<u16>> = sets.collect();
    let answers = sets.len();
    let chosen = counts(sets.iter().flat_map(|set| set.iter().copied()));
    let wins = |times: u32| times as usize * 2 > answers;
    let winners = chosen.iter().filter(|(_, times)| wins(*times)).map(|(option, _)| *option);
    // Nobody chose the options that are not in `chosen`: those are sure.
    let sure = chosen.iter().map(|(_, times)| (*times as usize).max(answers - *times as usize));
    let sure = share_ppm(sure.min().unwrap_or(answers), answers);
    let agreed = (answers > 0).then(|| (ResultValue::Set(winners.collect()), sure));
    FieldVerdict { agreed, fell: Fell::Options { answers: count(answers), chosen } }
}

fn numbers(said: &[Said<'_>], tolerance: Finite) -> FieldVerdict {
    let numbers = said.iter().filter_map(|s| match s.value {
        Value::Number(number) => Some(number.get()),
        _ => None,
    });
    let numbers: Vec<f64> = numbers.collect();
    // Between the greatest and the least number there may be more than a float holds.
    let finite = |number: f64| Finite::new(number.clamp(f64::MIN, f64::MAX)).unwrap_or_default();
    let opinion = number(&numbers, tolerance.get());
    let fell = NumberVotes {
        answers: count(numbers.len()),
        agree: opinion.map_or(0, |o| o.agree),
        median: opinion.map_or(Finite::ZERO, |o| finite(o.median)),
        spread: opinion.map_or(Finite::ZERO, |o| finite(o.spread)),
        least: numbers.iter().copied().reduce(f64::min).map_or(Finite::ZERO, finite),
        most: numbers.iter().copied().reduce(f64::max).map_or(Finite::ZERO, finite),
    };
    let sure = share_ppm(fell.agree as usize, numbers.len());
    let agreed = opinion.map(|_| (ResultValue::Number(fell.median), sure));
    FieldVerdict { agreed, fell: Fell::Numbers(fell) }
}

/// The commonest text; of equals the one given first, and of its spellings the first.
fn texts(said: &[Said<'_>]) -> FieldVerdict {
    let mut groups = std::collections::BTreeMap::new();
    let mut answers = 0;
    for (place, s) in said.iter().enumerate() {
        if let Value::Text(compared) = s.value {
            answers += 1;
            groups.entry(*compared).or_insert((place, 0)).1 += 1;
        }
    }
    let mut texts: Vec<(usize, u32)> = groups.into_values().collect();
    texts.sort_unstable_by_key(|(first, votes)| (std::cmp::Reverse(*votes), *first));
    let distinct = count(texts.len());
    texts.truncate(limits::TEXTS_TOLD_MAX);
    let texts: Vec<(LeaseId, u32)> =
        texts.into_iter().map(|(first, votes)| (said[first].lease, votes)).collect();
    let agreed = texts
        .first()
        .map(|(lease, votes)| (ResultValue::Text(*lease), share_ppm(*votes as usize, answers)));
    FieldVerdict { agreed, fell: Fell::Texts { answers: count(answers), distinct, texts } }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Text;

    fn finite(number: f64) -> Finite {
        Finite::new(number).expect("finite")
    }

    fn lease(number: usize) -> LeaseId {
        LeaseId { number: u32::try_from(number).expect("few"), ..LeaseId::default() }
    }

    fn of(kind: &FieldKind, values: &[Value]) -> FieldVerdict {
        let said = values.iter().enumerate();
        let said = said.map(|(n, value)| Said { lease: lease(n), worker: WorkerId(1), value });
        verdict(kind, &said.collect::<Vec<_>>(), &mut |_, _| None).expect("it is compared")
    }

    #[test]
    fn booleans_are_voted_on() {
        let said = [true, false, true].map(Value::Boolean);
        let verdict = of(&FieldKind::Boolean, &said);
        assert_eq!(verdict.agreed, Some((ResultValue::Boolean(true), 666_666)));
        assert_eq!(verdict.fell, Fell::Classes(vec![(0, 1), (1, 2)]));
    }

    #[test]
    fn an_option_is_chosen_by_more_than_half_and_the_least_sure_one_tells_how_sure() {
        let kind = FieldKind::MultiChoice(["a", "b", "c", "d"].map(str::to_owned).to_vec());
        let said = [vec![0, 1], vec![0], vec![0, 1], vec![2]].map(Value::Set);
        let verdict = of(&kind, &said);
        // Half of them chose the second: not more, so it stays out.
        assert_eq!(verdict.agreed, Some((ResultValue::Set(vec![0]), 500_000)));
        let chosen = vec![(0, 3), (1, 2), (2, 1)];
        assert_eq!(verdict.fell, Fell::Options { answers: 4, chosen });
        let nothing = of(&kind, &[Value::Set(vec![]), Value::Set(vec![])]);
        assert_eq!(nothing.agreed, Some((ResultValue::Set(vec![]), 1_000_000)));
    }

    #[test]
    fn numbers_meet_at_their_median_and_agree_within_the_tolerance() {
        let kind = FieldKind::Number { tolerance: finite(1.0), least: None, most: None };
        let said = [10.0, 11.0, 99.0, 10.5].map(|n| Value::Number(finite(n)));
        let verdict = of(&kind, &said);
        assert_eq!(verdict.agreed, Some((ResultValue::Number(finite(10.75)), 750_000)));
        let votes = NumberVotes {
            answers: 4,
            agree: 3,
            median: finite(10.75),
            spread: finite(0.5),
            least: finite(10.0),
            most: finite(99.0),
        };
        assert_eq!(verdict.fell, Fell::Numbers(votes));
    }

    #[test]
    fn numbers_at_both_ends_of_what_there_is_stay_finite() {
        let kind = FieldKind::Number { tolerance: Finite::ZERO, least: None, most: None };
        let said = [f64::MIN, f64::MIN, f64::MAX].map(|n| Value::Number(finite(n)));
        let Fell::Numbers(votes) = of(&kind, &said).fell else { panic!("numbers") };
        assert_eq!((votes.median, votes.most), (finite(f64::MIN), finite(f64::MAX)));
    }

    #[test]
    fn the_commonest_text_is_told_in_its_first_spelling() {
        let texts = ["Turku", "New York", "ＮＥＷ  york ", "oulu", "Oulu"];
        let said = texts.map(|t| Value::Text(Text::new(t.to_owned()).compared()));
        let verdict = of(&FieldKind::Text, &said);
        assert_eq!(verdict.agreed, Some((ResultValue::Text(lease(1)), 400_000)));
        let texts = vec![(lease(1), 2), (lease(3), 2), (lease(0), 1)];
        assert_eq!(verdict.fell, Fell::Texts { answers: 5, distinct: 3, texts });
    }

    #[test]
    fn nothing_said_is_nothing_agreed_on() {
        for kind in [FieldKind::Boolean, FieldKind::Text, FieldKind::MultiChoice(Vec::new())] {
            assert_eq!(of(&kind, &[]).agreed, None);
        }
        assert_eq!(verdict(&FieldKind::Free, &[], &mut |_, _| None), None);
    }
}
