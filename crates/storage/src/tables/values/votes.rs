//! What a result says field by field, and how the votes fell.

use piecework_core::event::{Fell, FieldVotes, NumberVotes, ResultValue};
use piecework_core::{LeaseId, Revision};
use piecework_proto::storage::v1 as pb;

use super::lease::{read_lease_name, write_lease_name};
use super::schema::{finite, place, read_choices, read_set, write_set};
use super::{Misread, have, narrow};

pub(super) fn write_result_values(
    revision: Revision,
    values: &[Option<ResultValue>],
) -> pb::ResultChoices {
    use pb::result_value::Value as Pb;
    let mut message = pb::ResultChoices { revision: revision.0, ..pb::ResultChoices::default() };
    for (field, value) in (0u32..).zip(values) {
        let other = match value {
            None => None,
            Some(ResultValue::Choice(index)) => {
                message.choices.push(u32::from(*index) + 1);
                continue;
            }
            Some(ResultValue::Set(options)) => Some(Pb::Set(write_set(options))),
            Some(ResultValue::Boolean(said)) => Some(Pb::Boolean(*said)),
            Some(ResultValue::Number(number)) => Some(Pb::Number(number.get())),
            Some(ResultValue::Text(lease)) => Some(Pb::Text(write_lease_name(*lease))),
        };
        message.choices.push(0);
        if let Some(value) = other {
            message.values.push(pb::ResultValue { field, value: Some(value) });
        }
    }
    message
}

pub(super) fn read_result_values(
    message: pb::ResultChoices,
) -> Result<Vec<Option<ResultValue>>, Misread> {
    use pb::result_value::Value as Pb;
    let mut values = read_choices(&message.choices, ResultValue::Choice)?;
    for other in message.values {
        let value = match have("result.values.value", other.value)? {
            Pb::Set(set) => ResultValue::Set(read_set(&set)?),
            Pb::Boolean(said) => ResultValue::Boolean(said),
            Pb::Number(number) => ResultValue::Number(finite("result.values.number", number)?),
            Pb::Text(lease) => ResultValue::Text(read_lease_name(lease)),
        };
        *place(&mut values, other.field)? = Some(value);
    }
    Ok(values)
}

pub(super) fn write_field_votes(votes: &FieldVotes) -> pb::FieldVotes {
    use pb::field_votes::Other;
    let (pairs, other): (&[(u16, u32)], _) = match &votes.fell {
        Fell::Classes(classes) => (classes, None),
        Fell::Options { answers, chosen } => (chosen, Some(Other::Options(*answers))),
        Fell::Numbers(numbers) => (&[], Some(Other::Numbers(write_numbers(numbers)))),
        Fell::Texts { answers, distinct, texts } => {
            (&[], Some(Other::Texts(write_texts(*answers, *distinct, texts))))
        }
    };
    pb::FieldVotes {
        field: votes.field.into(),
        choices: pairs.iter().map(|&(choice, _)| choice.into()).collect(),
        votes: pairs.iter().map(|&(_, votes)| votes).collect(),
        other,
    }
}

pub(super) fn read_field_votes(message: &pb::FieldVotes) -> Result<FieldVotes, Misread> {
    use pb::field_votes::Other;
    if message.choices.len() != message.votes.len() {
        return Err(Misread::Field { field: "result.votes" });
    }
    let pairs = message.choices.iter().zip(&message.votes);
    let pairs = pairs.map(|(&choice, &votes)| Ok((narrow("result.votes", choice)?, votes)));
    let pairs = pairs.collect::<Result<Vec<(u16, u32)>, Misread>>()?;
    let fell = match &message.other {
        None => Fell::Classes(pairs),
        Some(Other::Options(answers)) => Fell::Options { answers: *answers, chosen: pairs },
        Some(Other::Numbers(numbers)) => Fell::Numbers(read_numbers(numbers)?),
        Some(Other::Texts(texts)) => read_texts(texts)?,
    };
    Ok(FieldVotes { field: narrow("result.votes.field", message.field)?, fell })
}

fn write_numbers(votes: &NumberVotes) -> pb::NumberVotes {
    pb::NumberVotes {
        answers: votes.answers,
        agree: votes.agree,
        median: votes.median.get(),
        spread: votes.spread.get(),
        least: votes.least.get(),
        most: votes.most.get(),
    }
}

fn read_numbers(message: &pb::NumberVotes) -> Result<NumberVotes, Misread> {
    let number = |number| finite("result.votes.numbers", number);
    Ok(NumberVotes {
        answers: message.answers,
        agree: message.agree,
        median: number(message.median)?,
        spread: number(message.spread)?,
        least: number(message.least)?,
        most: number(message.most)?,
    })
}

fn write_texts(answers: u32, distinct: u32, texts: &[(LeaseId, u32)]) -> pb::TextVotes {
    pb::TextVotes {
        answers,
        distinct,
        texts: texts.iter().map(|(lease, _)| write_lease_name(*lease)).collect(),
        votes: texts.iter().map(|(_, votes)| *votes).collect(),
    }
}

fn read_texts(message: &pb::TextVotes) -> Result<Fell, Misread> {
    let pb::TextVotes { answers, distinct, texts, votes } = message;
    if texts.len() != votes.len() {
        return Err(Misread::Field { field: "result.votes.texts" });
    }
    let texts = texts.iter().map(|lease| read_lease_name(*lease)).zip(votes.iter().copied());
    Ok(Fell::Texts { answers: *answers, distinct: *distinct, texts: texts.collect() })
}
