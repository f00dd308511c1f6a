//! What answers say together, field by field.

use std::collections::BTreeMap;

use piecework_core::event::{Fell, FieldVotes, NumberVotes, ResultAnswer, ResultValue};
use piecework_core::lease::{Lease, Submitted};
use piecework_core::project::{Aggregation, Terms};
use piecework_core::schema::{FieldKind, Finite, Value};
use piecework_core::{Fingerprint, LeaseId, Revision, WorkerId};

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
/// `Collect`: nothing. Else per field what its kind says, or in fields of classes what
/// the method holds true, with how sure the least sure field is; a single answer that
/// says so stands for itself. And the fingerprint of what is said.
pub(super) fn agree(
    counted: &[&Lease],
    terms: &Terms,
    revision: Revision,
    opine: &mut Opine<'_>,
) -> (Option<ResultAnswer>, u32, Vec<FieldVotes>, Fingerprint) {
    let Some(first) = counted.first() else {
        return (None, 0, Vec::new(), Fingerprint::default());
    };
    let fields = &terms.schema.fields;
    let (mut all, mut values, mut shares) = (Vec::new(), vec![None; fields.len()], Vec::new());
    for (index, field) in fields.iter().enumerate() {
        let number = u16::try_from(index).expect("few fields");
        let mut of_field = |classes, votes: &[(WorkerId, u16)]| opine(number, classes, votes);
        let says = field_says(&field.kind, index, counted, &mut of_field);
        let Some((agreed, fell)) = says else { continue };
        if let Some((value, share)) = agreed {
            values[index] = Some(value);
            shares.push(share);
        }
        all.push(FieldVotes { field: number, fell });
    }
    match terms.aggregation {
        Aggregation::Collect => (None, 0, all, Fingerprint::default()),
        of if of != Aggregation::First && !all.is_empty() => {
            let content = content(&values, counted);
            let own = (0..values.len()).map(|field| values_of(first, field));
            let alone = counted.len() == 1 && own.eq(values.iter().cloned());
            let answer = match alone {
                true => ResultAnswer::Of(first.id),
                false => ResultAnswer::Values { revision, values },
            };
            (Some(answer), shares.into_iter().min().unwrap_or(0), all, content)
        }
        _ => {
            let same = counted.iter().filter(|l| facts(l).meaning == facts(first).meaning).count();
            let content = facts(first).meaning;
            (Some(ResultAnswer::Of(first.id)), ppm(same, counted.len()), all, content)
        }
    }
}

/// What one answer says in a field, as a result would say it.
fn values_of(lease: &Lease, field: usize) -> Option<ResultValue> {
    Some(match said(lease, field)? {
        Value::Choice(choice) => ResultValue::Choice(*choice),
        Value::Boolean(yes) => ResultValue::Boolean(*yes),
        Value::Set(options) => ResultValue::Set(options.clone()),
        Value::Number(number) => ResultValue::Number(*number),
        Value::Text(_) => ResultValue::Text(lease.id),
    })
}

/// Of what is said, whoever said it: a text is the one that is compared.
fn content(values: &[Option<ResultValue>], counted: &[&Lease]) -> Fingerprint {
    let mut bytes = Vec::new();
    for (field, value) in values.iter().enumerate() {
        let (kind, what): (u8, Vec<u8>) = match value {
            None => (0, Vec::new()),
            Some(ResultValue::Choice(choice)) => (1, choice.to_le_bytes().to_vec()),
            Some(ResultValue::Set(options)) => {
                let many = u64::try_from(options.len()).expect("few options").to_le_bytes();
                let each = options.iter().flat_map(|option| option.to_le_bytes());
                (2, many.into_iter().chain(each).collect())
            }
            Some(ResultValue::Boolean(yes)) => (3, vec![u8::from(*yes)]),
            Some(ResultValue::Number(n)) => (4, n.get().to_bits().to_le_bytes().to_vec()),
            Some(ResultValue::Text(of)) => {
                let own = counted.iter().find(|l| l.id == *of).and_then(|l| said(l, field));
                let Some(Value::Text(compared)) = own else { panic!("{of} said no text") };
                (5, compared.0.to_le_bytes().to_vec())
            }
        };
        bytes.push(kind);
        bytes.extend(what);
    }
    Fingerprint::of(&[&bytes])
}

type Says = (Option<(ResultValue, u32)>, Fell);

/// The same of one field.
type OpineField<'a> = dyn FnMut(u16, &[(WorkerId, u16)]) -> Option<(u16, u32)> + 'a;

/// What a method says of the votes on a field, by its number and how many classes it has.
pub(super) type Opine<'a> = dyn FnMut(u16, u16, &[(WorkerId, u16)]) -> Option<(u16, u32)> + 'a;

/// `None`: the field is free.
fn field_says(
    kind: &FieldKind,
    field: usize,
    counted: &[&Lease],
    opine: &mut OpineField<'_>,
) -> Option<Says> {
    Some(match kind {
        FieldKind::Choice(_) | FieldKind::Boolean => {
            let votes = votes_on(field, counted);
            let cast: u32 = votes.iter().map(|(_, n)| n).sum();
            let most = votes.iter().map(|(_, n)| *n).max().unwrap_or(0);
            let leads = |class: &u16| votes.contains(&(*class, most));
            let winner = counted.iter().filter_map(|l| class(l, field)).find(leads);
            let each = counted.iter().filter_map(|l| Some((l.worker, class(l, field)?)));
            let each: Vec<(WorkerId, u16)> = each.collect();
            let classes = match kind {
                FieldKind::Choice(known) => u16::try_from(known.len()).expect("few choices"),
                _ => 2,
            };
            let opinion = if each.is_empty() { None } else { opine(classes, &each) };
            let vote = winner.map(|winner| (winner, ppm(most as usize, cast as usize)));
            let agreed = opinion.or(vote).map(|(winner, sure)| {
                let value = match kind {
                    FieldKind::Boolean => ResultValue::Boolean(winner == 1),
                    _ => ResultValue::Choice(winner),
                };
                (value, sure)
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
