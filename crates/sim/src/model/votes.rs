//! What answers say together, field by field.

use std::collections::BTreeMap;

use piecework_core::event::{Fell, FieldVotes, NumberVotes, ResultAnswer, ResultValue};
use piecework_core::lease::{Lease, Submitted};
use piecework_core::project::{Aggregation, Terms};
use piecework_core::schema::{FieldKind, Finite, Value};
use piecework_core::{LeaseId, Revision};

/// The facts of an answer that counts.
pub(super) fn facts(lease: &Lease) -> &Submitted {
    lease.counted().expect("only counted leases are looked at")
}

fn said(lease: &Lease, field: usize) -> Option<&Value> {
    facts(lease).values.get(field)?.as_ref()
}

/// What a lease says in a field of classes.
pub(super) fn class(lease: &Lease, field: usize) -> Option<u16> {
    match said(lease, field)? {
        Value::Choice(choice) => Some(*choice),
        Value::Boolean(false) => Some(0),
        Value::Boolean(true) => Some(1),
        Value::Set(_) | Value::Number(_) | Value::Text(_) => None,
    }
}

/// Votes on one field of classes, as (class, votes), ascending.
pub(super) fn votes_on(field: usize, answers: &[&Lease]) -> Vec<(u16, u32)> {
    counts(answers.iter().filter_map(|l| class(l, field)))
}

fn counts(of: impl Iterator<Item = u16>) -> Vec<(u16, u32)> {
    let mut votes = BTreeMap::new();
    of.for_each(|class| *votes.entry(class).or_insert(0) += 1);
    votes.into_iter().collect()
}

fn ppm(part: usize, whole: usize) -> u32 {
    u32::try_from(part * 1_000_000 / whole).expect("at most a million")
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("few answers")
}

/// What the counted answers, first one first, say together. `First`, or a schema with
/// nothing to compare: the first answer, with the share of those that mean the same.
/// `Collect`: nothing. Else per field what its kind says, with the share of the least
/// sure field; a single answer stands for itself.
pub(super) fn agree(
    counted: &[&Lease],
    terms: &Terms,
    revision: Revision,
) -> (Option<ResultAnswer>, u32, Vec<FieldVotes>) {
    let Some(first) = counted.first() else { return (None, 0, Vec::new()) };
    let fields = &terms.schema.fields;
    let (mut all, mut values, mut shares) = (Vec::new(), vec![None; fields.len()], Vec::new());
    for (index, field) in fields.iter().enumerate() {
        let Some((agreed, fell)) = field_says(&field.kind, index, counted) else { continue };
        if let Some((value, share)) = agreed {
            values[index] = Some(value);
            shares.push(share);
        }
        all.push(FieldVotes { field: u16::try_from(index).expect("few fields"), fell });
    }
    match terms.aggregation {
        Aggregation::Collect => (None, 0, all),
        Aggregation::Majority if !all.is_empty() => {
            let answer = match counted.len() {
                1 => ResultAnswer::Of(first.id),
                _ => ResultAnswer::Values { revision, values },
            };
            (Some(answer), shares.into_iter().min().unwrap_or(0), all)
        }
        Aggregation::First | Aggregation::Majority => {
            let same = counted.iter().filter(|l| facts(l).meaning == facts(first).meaning).count();
            (Some(ResultAnswer::Of(first.id)), ppm(same, counted.len()), all)
        }
    }
}

type Says = (Option<(ResultValue, u32)>, Fell);

/// `None`: the field is free.
fn field_says(kind: &FieldKind, field: usize, counted: &[&Lease]) -> Option<Says> {
    Some(match kind {
        FieldKind::Choice(_) | FieldKind::Boolean => {
            let votes = votes_on(field, counted);
            let cast: u32 = votes.iter().map(|(_, n)| n).sum();
            let most = votes.iter().map(|(_, n)| *n).max().unwrap_or(0);
            let leads = |class: &u16| votes.contains(&(*class, most));
            let winner = counted.iter().filter_map(|l| class(l, field)).find(leads);
            let agreed = winner.map(|winner| {
                let value = match kind {
                    FieldKind::Boolean => ResultValue::Boolean(winner == 1),
                    _ => ResultValue::Choice(winner),
                };
                (value, ppm(most as usize, cast as usize))
            });
            (agreed, Fell::Classes(votes))
        }
        FieldKind::MultiChoice(known) => options(known.len(), field, counted),
        FieldKind::Number { tolerance, .. } => numbers(*tolerance, field, counted),
        FieldKind::Text => texts(field, counted),
        FieldKind::Free => return None,
    })
}

/// Each option by itself: chosen by more than half of those who were asked.
fn options(known: usize, field: usize, counted: &[&Lease]) -> Says {
    let sets: Vec<&Vec<u16>> = counted
        .iter()
        .filter_map(|l| match said(l, field)? {
            Value::Set(set) => Some(set),
            _ => None,
        })
        .collect();
    let (mut winners, mut surest) = (Vec::new(), usize::MAX);
    for option in 0..u16::try_from(known).expect("few options") {
        let with = sets.iter().filter(|set| set.contains(&option)).count();
        let without = sets.len() - with;
        if with > without {
            winners.push(option);
        }
        surest = surest.min(with.max(without));
    }
    let agreed = (!sets.is_empty())
        .then(|| (ResultValue::Set(winners), ppm(surest.min(sets.len()), sets.len())));
    let chosen = counts(sets.iter().flat_map(|set| set.iter().copied()));
    (agreed, Fell::Options { answers: small(sets.len()), chosen })
}

/// The number in the middle, or between the two in the middle.
fn numbers(tolerance: Finite, field: usize, counted: &[&Lease]) -> Says {
    let mut numbers: Vec<f64> = counted
        .iter()
        .filter_map(|l| match said(l, field)? {
            Value::Number(number) => Some(number.get()),
            _ => None,
        })
        .collect();
    let finite = |number: f64| Finite::new(number).expect("the workload draws small numbers");
    let answers = small(numbers.len());
    let Some(median) = middle(&mut numbers) else {
        let zero = Finite::ZERO;
        let (median, spread, least, most) = (zero, zero, zero, zero);
        let none = NumberVotes { answers, agree: 0, median, spread, least, most };
        return (None, Fell::Numbers(none));
    };
    let mut distances: Vec<f64> = numbers.iter().map(|n| (n - median).abs()).collect();
    let agree = distances.iter().filter(|d| **d <= tolerance.get()).count();
    let votes = NumberVotes {
        answers,
        agree: small(agree),
        median: finite(median),
        spread: finite(middle(&mut distances).expect("there are numbers")),
        least: finite(numbers[0]),
        most: finite(numbers[numbers.len() - 1]),
    };
    let agreed = (ResultValue::Number(votes.median), ppm(agree, numbers.len()));
    (Some(agreed), Fell::Numbers(votes))
}

/// Sorts them.
fn middle(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let (below, above) = (numbers.len().checked_sub(1)? / 2, numbers.len() / 2);
    Some((numbers[below] + numbers[above]) / 2.0)
}

/// The commonest text, named by the first answer with it.
fn texts(field: usize, counted: &[&Lease]) -> Says {
    let mut found: Vec<(&Value, LeaseId, u32)> = Vec::new();
    for lease in counted {
        let Some(text @ Value::Text(_)) = said(lease, field) else { continue };
        match found.iter_mut().find(|(known, ..)| *known == text) {
            Some((.., votes)) => *votes += 1,
            None => found.push((text, lease.id, 1)),
        }
    }
    // Stable: of equals the one given first stays first.
    found.sort_by_key(|(.., votes)| u32::MAX - votes);
    let answers: u32 = found.iter().map(|(.., votes)| votes).sum();
    let agreed = found.first().map(|(_, lease, votes)| {
        (ResultValue::Text(*lease), ppm(*votes as usize, answers as usize))
    });
    let distinct = small(found.len());
    let texts = found.into_iter().take(20).map(|(_, lease, votes)| (lease, votes)).collect();
    (agreed, Fell::Texts { answers, distinct, texts })
}
