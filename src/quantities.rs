//! Durations, money and pairs, as a person writes them: `10m`, `0.05USD`, `lang:fi=50`.
//!
//! For clap: errors are sentences, and clap adds which flag they belong to.

use std::time::Duration;

use jiff::SignedDuration;
use piecework_client::proto::v1::Money;

/// `90s`, `10m`, `1h 30m`, `2d`. More than nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write it like 90s, 10m or 1h30m");
    // Days are not of one length by the calendar, but on a command line they are.
    let (text, days) = match text.trim().strip_suffix('d') {
        Some(days) if !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit()) => {
            ("", days.parse::<u64>().map_err(|_| wrong())?)
        }
        _ => (text.trim(), 0),
    };
    let parsed = if days > 0 {
        Duration::from_secs(days.checked_mul(86_400).ok_or_else(wrong)?)
    } else {
        let signed: SignedDuration = text.parse().map_err(|_| wrong())?;
        Duration::try_from(signed).map_err(|_| wrong())?
    };
    if parsed.is_zero() { Err(wrong()) } else { Ok(parsed) }
}

/// A duration for a person, in the two largest units that say something.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `0.05USD`, `1 EUR`: at most six decimals, an ISO 4217 code in capitals.
pub(crate) fn money(text: &str) -> Result<Money, String> {
    let wrong = || format!("`{text}` is not an amount; write it like 0.05USD");
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (amount, currency) = (text[..split].trim(), text[split..].trim());
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, ""));
    let are_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let is_code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    if whole.is_empty() || !are_digits(whole) || !are_digits(decimals) || !is_code {
        return Err(wrong());
    }
    if decimals.len() > 6 {
        return Err(format!("`{text}` has more than six decimals"));
    }
    let micros: i64 = format!("{whole}{decimals:0<6}").parse().map_err(|_| wrong())?;
    Ok(Money { micros, currency: currency.to_owned() })
}

/// `9.50`: an amount of whatever currency, in micro-units; more than nothing.
pub(crate) fn hourly(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not an amount; write it like 9.50");
    let amount = money(&format!("{}USD", text.trim())).map_err(|_| wrong())?;
    if amount.micros == 0 { Err(wrong()) } else { Ok(amount.micros) }
}

/// `20k`, `512`, `1M`: bytes, by thousands; more than nothing.
pub(crate) fn size(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a size; write it like 512, 20k or 1M");
    let (digits, unit) = match text.trim().strip_suffix(['k', 'K', 'M']) {
        Some(digits) if text.trim().ends_with('M') => (digits, 1_000_000),
        Some(digits) => (digits, 1_000),
        None => (text.trim(), 1),
    };
    let bytes = digits.parse::<u32>().ok().and_then(|n| n.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// Money for a person: `0.05 USD`; empty where there is none.
pub(crate) fn spoken_money(money: Option<&Money>) -> String {
    let Some(money) = money.filter(|money| money.micros != 0) else { return String::new() };
    let (whole, rest) = (money.micros / 1_000_000, money.micros % 1_000_000);
    let decimals = format!("{:06}", rest.unsigned_abs());
    let decimals = decimals.trim_end_matches('0');
    format!("{whole}.{decimals:0<2} {}", money.currency)
}

/// `KEY=VALUE`, both with something in them.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(format!("`{text}` is not of the form KEY=VALUE")),
    }
}

/// `SKILL=LEVEL`, with a level of 0 to 100; `SKILL` alone is level 0. The id may contain `=`.
pub(crate) fn skill(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}` is not a skill; write it like lang:fi=50, level 0 to 100");
    let Some((skill, level)) = text.rsplit_once('=') else {
        return if text.is_empty() { Err(wrong()) } else { Ok((text.to_owned(), 0)) };
    };
    let level: u32 = level.parse().map_err(|_| wrong())?;
    if skill.is_empty() || level > 100 { Err(wrong()) } else { Ok((skill.to_owned(), level)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, seconds) in
            [("90s", 90), ("10m", 600), ("1h30m", 5_400), ("1h 30m", 5_400), ("2d", 172_800)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "10", "0s", "-5s", "ten minutes", "d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_told_in_two_units() {
        assert_eq!(spoken(Duration::from_millis(1_240)), "1.2s");
        assert_eq!(spoken(Duration::from_secs(598)), "9m 58s");
        assert_eq!(spoken(Duration::from_secs(7_260)), "2h 1m");
    }

    #[test]
    fn money_is_read_and_told_exactly() {
        let five_cents = money("0.05USD").unwrap();
        assert_eq!((five_cents.micros, five_cents.currency.as_str()), (50_000, "USD"));
        assert_eq!(spoken_money(Some(&five_cents)), "0.05 USD");
        assert_eq!(money("2 EUR").unwrap().micros, 2_000_000);
        assert_eq!(spoken_money(Some(&money("1.000001EUR").unwrap())), "1.000001 EUR");
        assert_eq!(spoken_money(None), "");
        for wrong in ["5", "USD", "0.05usd", "-1USD", "1.2345678USD", ".5USD", "1,5EUR"] {
            assert!(money(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_and_sizes_are_read_as_people_write_them() {
        assert_eq!(hourly("9.50"), Ok(9_500_000));
        assert!(hourly("0").is_err() && hourly("-1").is_err() && hourly("9.50EUR").is_err());
        assert_eq!((size("20k"), size("512"), size("1M")), (Ok(20_000), Ok(512), Ok(1_000_000)));
        assert!(size("0").is_err() && size("k").is_err() && size("9999M").is_err());
    }

    #[test]
    fn pairs_and_skills_are_split_where_they_should() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("a=").is_err() && pair("=b").is_err() && pair("ab").is_err());
        assert_eq!(skill("lang:fi=50"), Ok(("lang:fi".into(), 50)));
        assert_eq!(skill("a=b=7"), Ok(("a=b".into(), 7)));
        assert_eq!(skill("maps"), Ok(("maps".into(), 0)));
        assert!(skill("lang:fi=101").is_err() && skill("").is_err() && skill("=5").is_err());
    }
}
