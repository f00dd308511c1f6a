//! Single values of a request: text, ids, numbers, times, money.
//!
//! Every function takes the field's path as the client would write it and checks
//! against `core::limits`; what it returns is in domain types.
//!
//! Not here: whole messages (`from_wire/`).

use std::collections::BTreeMap;
use std::fmt::Display;

use piecework_core::requester::Labels;
use piecework_core::{Currency, Millis, Money, WallTime, limits};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::invalid;

/// Characters of a media type, a region, an identity cluster.
const SHORT_CHARS_MAX: usize = 128;

/// Free text of at most 1,024 characters.
pub(crate) fn text(path: &str, text: String) -> Result<String, Failure> {
    chars(path, text, limits::TEXT_CHARS_MAX)
}

/// The same, and not empty.
pub(crate) fn required_text(path: &str, text: String) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(invalid::field(path, "is empty, it must say something"));
    }
    self::text(path, text)
}

/// Free text of at most 128 characters.
pub(crate) fn short(path: impl Display, text: String) -> Result<String, Failure> {
    chars(path, text, SHORT_CHARS_MAX)
}

/// A client's own pairs.
pub(crate) fn labels(path: &str, labels: BTreeMap<String, String>) -> Result<Labels, Failure> {
    count(path, labels.len(), limits::LABELS_MAX, "labels")?;
    for (key, value) in &labels {
        if key.is_empty() {
            return Err(invalid::field(path, "has an empty key"));
        }
        for text in [key, value] {
            let size = text.chars().count();
            if size > limits::TEXT_CHARS_MAX {
                let path = format!("{path}[{key:.40}]");
                let limit = limits::TEXT_CHARS_MAX;
                return Err(invalid::too_large(&path, size, limit, "characters"));
            }
        }
    }
    Ok(labels)
}

/// At most `limit` entries.
pub(crate) fn count(
    path: impl Display,
    size: usize,
    limit: usize,
    unit: &'static str,
) -> Result<(), Failure> {
    if size > limit { Err(invalid::too_large(path, size, limit, unit)) } else { Ok(()) }
}

/// Items of a bulk call: at least one, at most `ITEMS_PER_CALL_MAX`.
pub(crate) fn items(path: &str, size: usize) -> Result<(), Failure> {
    if size == 0 {
        return Err(invalid::field(path, "is empty, it must have at least one entry"));
    }
    count(path, size, limits::ITEMS_PER_CALL_MAX, "entries")
}

/// A level or rating, 0 to 100.
pub(crate) fn level(path: &str, level: u32) -> Result<u8, Failure> {
    let level_max = limits::LEVEL_MAX;
    let fits = u8::try_from(level).ok().filter(|level| *level <= level_max);
    fits.ok_or_else(|| invalid::range(path, level, 0, level_max))
}

/// Places of a task, 1 to 1,000.
pub(crate) fn overlap(path: &str, overlap: u32) -> Result<u16, Failure> {
    let fits = u16::try_from(overlap).ok().filter(|n| (1..=limits::OVERLAP_MAX).contains(n));
    fits.ok_or_else(|| invalid::range(path, overlap, 1, limits::OVERLAP_MAX))
}

/// The same, where 0 stands for a default.
pub(crate) fn optional_overlap(path: &str, overlap: u32) -> Result<Option<u16>, Failure> {
    if overlap == 0 { Ok(None) } else { self::overlap(path, overlap).map(Some) }
}

/// −100 to 100.
pub(crate) fn priority(path: &str, priority: i32) -> Result<i8, Failure> {
    let fits = i8::try_from(priority).ok().filter(|p| (-100..=100).contains(p));
    fits.ok_or_else(|| invalid::range(path, priority, -100, 100))
}

/// A length of time, at most `max`. Parts of a millisecond count as a whole one,
/// so that a positive duration never becomes zero.
pub(crate) fn duration(
    path: &str,
    duration: prost_types::Duration,
    max: Millis,
) -> Result<Millis, Failure> {
    let prost_types::Duration { seconds, nanos } = duration;
    let parts = u64::try_from(seconds).ok().zip(u32::try_from(nanos).ok());
    let Some((seconds, nanos)) = parts.filter(|(_, nanos)| *nanos < 1_000_000_000) else {
        return Err(invalid::field(path, "is not a duration of zero or more"));
    };
    let millis = seconds.saturating_mul(1000).saturating_add(nanos.div_ceil(1_000_000).into());
    if millis > max.0 {
        let limit = max.0 / 1000;
        return Err(invalid::range(path, format!("{seconds} s"), "0 s", format!("{limit} s")));
    }
    Ok(Millis(millis))
}

/// A length of time above zero.
pub(crate) fn positive(
    path: &str,
    duration: prost_types::Duration,
    max: Millis,
) -> Result<Millis, Failure> {
    match self::duration(path, duration, max)? {
        Millis(0) => Err(invalid::field(path, "is 0 s, it must be longer")),
        some => Ok(some),
    }
}

/// A moment that lies ahead of `now`.
pub(crate) fn future(
    path: &str,
    time: prost_types::Timestamp,
    now: WallTime,
) -> Result<WallTime, Failure> {
    let seconds = u64::try_from(time.seconds).ok();
    let nanos = u64::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let Some((seconds, nanos)) = seconds.zip(nanos) else {
        return Err(invalid::field(path, "is not a time since 1970"));
    };
    let time = WallTime(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000));
    if time <= now {
        return Err(invalid::field(path, "has passed; leave it out or choose a later time"));
    }
    Ok(time)
}

/// An amount that is offered: never negative, with a currency unless it is zero.
pub(crate) fn money(path: &str, money: Option<v1::Money>) -> Result<Money, Failure> {
    let Some(v1::Money { micros, currency }) = money else { return Ok(Money::NONE) };
    if micros < 0 {
        let path = format!("{path}.micros");
        return Err(invalid::range(&path, micros, 0, i64::MAX));
    }
    if micros == 0 && currency.is_empty() {
        return Ok(Money::NONE);
    }
    match Currency::new(&currency) {
        Some(currency) => Ok(Money { micros, currency }),
        None => {
            let problem = format!("is {currency:.20?}, it must be three capitals of ISO 4217");
            Err(invalid::field(format!("{path}.currency"), problem))
        }
    }
}

/// A media type; empty becomes `default`.
pub(crate) fn content_type(
    path: impl Display,
    text: String,
    default: &str,
) -> Result<String, Failure> {
    match text.as_str() {
        "" => Ok(default.to_owned()),
        text if text.bytes().any(|b| b.is_ascii_control()) => {
            Err(invalid::field(path, "has control characters"))
        }
        _ => short(path, text),
    }
}

/// An enum value that this version knows; `None` stands for UNSPECIFIED.
pub(crate) fn known<E>(path: &str, value: i32) -> Result<Option<E>, Failure>
where
    E: TryFrom<i32> + Default + PartialEq,
{
    let unknown = || invalid::field(path, format!("is {value}, which this version does not know"));
    let known = E::try_from(value).map_err(|_| unknown())?;
    Ok((known != E::default()).then_some(known))
}

/// The same, where the client must say.
pub(crate) fn said<E>(path: &str, value: i32) -> Result<E, Failure>
where
    E: TryFrom<i32> + Default + PartialEq,
{
    known(path, value)?.ok_or_else(|| invalid::field(path, "is not set"))
}

fn chars(path: impl Display, text: String, limit: usize) -> Result<String, Failure> {
    let size = text.chars().count();
    if size > limit { Err(invalid::too_large(path, size, limit, "characters")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use piecework_proto::v1::ErrorReason;

    use super::*;

    const HOUR: Millis = Millis::from_mins(60);

    fn wire(seconds: i64, nanos: i32) -> prost_types::Duration {
        prost_types::Duration { seconds, nanos }
    }

    #[test]
    fn durations_are_never_negative_and_never_rounded_to_nothing() {
        assert_eq!(duration("wait", wire(1, 500_000_000), HOUR).unwrap(), Millis(1500));
        assert_eq!(duration("wait", wire(0, 1), HOUR).unwrap(), Millis(1));
        assert!(duration("wait", wire(-1, 0), HOUR).is_err());
        assert!(duration("wait", wire(0, -1), HOUR).is_err());
        assert!(duration("wait", wire(0, 1_000_000_000), HOUR).is_err());
        assert!(duration("wait", wire(i64::MAX, 0), HOUR).is_err());
        assert!(duration("wait", wire(3600, 1), HOUR).is_err());
        assert!(positive("wait", wire(0, 0), HOUR).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_told_their_bounds() {
        let failure = level("skills[0].min_level", 101).unwrap_err();
        assert_eq!(failure.reason(), ErrorReason::FieldInvalid);
        assert_eq!(failure.field(), Some("skills[0].min_level"));
        assert!(failure.message().contains("0 to 100"), "{}", failure.message());
        assert!(overlap("overlap", 0).is_err() && overlap("overlap", 1001).is_err());
        assert!(priority("priority", 101).is_err() && priority("priority", -100).is_ok());
    }

    #[test]
    fn money_is_never_negative_and_says_of_what() {
        let money = |micros, currency: &str| {
            money("reward", Some(v1::Money { micros, currency: currency.to_owned() }))
        };
        assert_eq!(money(0, "").unwrap(), Money::NONE);
        assert_eq!(money(5, "EUR").unwrap().currency.as_str(), "EUR");
        assert_eq!(money(-1, "EUR").unwrap_err().field(), Some("reward.micros"));
        assert_eq!(money(5, "").unwrap_err().field(), Some("reward.currency"));
        assert!(money(5, "eur").is_err());
    }

    #[test]
    fn deadlines_lie_ahead() {
        let at = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
        let now = WallTime(10_000);
        assert_eq!(future("deadline", at(11), now).unwrap(), WallTime(11_000));
        assert!(future("deadline", at(10), now).is_err());
        assert!(future("deadline", at(-5), now).is_err());
    }

    #[test]
    fn an_unknown_enum_value_is_refused_and_an_unspecified_one_is_none() {
        assert_eq!(known::<v1::Aggregation>("aggregation", 0).unwrap(), None);
        assert!(known::<v1::Aggregation>("aggregation", 77).is_err());
        assert!(said::<v1::WorkerKind>("kind", 0).is_err());
    }
}
