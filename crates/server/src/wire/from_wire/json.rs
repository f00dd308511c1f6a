//! A JSON object taken apart: its members for the engine, and its canonical form.
//!
//! Canonical: members by name, at every depth; no spaces; strings with as few escapes as
//! JSON allows; a whole number without a fraction or exponent up to 2⁵³. So two spellings
//! of one object are the same bytes. An object that repeats a member at its top has none.
//!
//! Not here: content types (`answer.rs`), whether it fits a schema (`core/schema`).

use std::collections::btree_map::Entry;
use std::fmt;

use piecework_core::schema::{Finite, Member, Members, Misfit, Text};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Whole numbers up to here are exact in a 64-bit float.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Characters of a number that are repeated when it is refused.
const NUMBER_CHARS_MAX: usize = 40;

/// What an object holds.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) members: Members,
    /// `None`: a member is repeated.
    pub(super) canonical: Option<Vec<u8>>,
}

/// Takes bytes apart. serde_json itself limits the depth.
///
/// # Errors
/// They are no JSON object, and where that goes wrong.
pub(super) fn object(bytes: &[u8]) -> Result<Object, Misfit> {
    let mut at = String::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = TopLevel { at: &mut at }.deserialize(&mut reader);
    let read = read.and_then(|members| reader.end().map(|()| members));
    let top = read.map_err(|error| misfit(bytes, &error, at))?;
    let mut canonical = Vec::with_capacity(bytes.len());
    write_object(&mut canonical, top.iter().map(|(name, value)| (name, value)).collect());
    let mut members = Members::new();
    let mut whole = true;
    for (name, value) in top {
        match members.entry(name) {
            Entry::Vacant(place) => _ = place.insert(member(value)),
            Entry::Occupied(mut place) => {
                place.insert(Member::Repeated);
                whole = false;
            }
        }
    }
    Ok(Object { members, canonical: whole.then_some(canonical) })
}

/// Reads the members in their order and keeps track of which one is being read.
struct TopLevel<'a> {
    at: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for TopLevel<'_> {
    type Value = Vec<(String, Value)>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TopLevel<'_> {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            self.at.clone_from(&name);
            members.push((name, map.next_value()?));
        }
        self.at.clear();
        Ok(members)
    }
}

fn member(value: Value) -> Member {
    match value {
        Value::String(text) => Member::Text(Text::new(text)),
        Value::Bool(said) => Member::Boolean(said),
        Value::Number(number) => {
            number.as_f64().and_then(Finite::new).map_or(Member::Other, Member::Number)
        }
        Value::Array(entries) => {
            Member::List(entries.iter().map(|entry| entry.as_str().map(str::to_owned)).collect())
        }
        Value::Null | Value::Object(_) => Member::Other,
    }
}

fn misfit(bytes: &[u8], error: &serde_json::Error, field: String) -> Misfit {
    let begins = bytes.trim_ascii_start().first() == Some(&b'{');
    if error.is_data() || !begins {
        return Misfit::NotAnObject;
    }
    let (line, column) = (error.line(), error.column());
    match unending(bytes, line, column) {
        Some(got) if !field.is_empty() => Misfit::NotFinite { field, got },
        _ => Misfit::Syntax { field, line, column },
    }
}

/// The word at a place, where it is a number that JSON or a 64-bit float does not have.
fn unending(bytes: &[u8], line: usize, column: usize) -> Option<String> {
    let start: usize =
        bytes.split(|b| *b == b'\n').take(line.saturating_sub(1)).map(|l| l.len() + 1).sum();
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    let at = (start + column.saturating_sub(1)).min(bytes.len());
    let before = bytes[..at].iter().rev().take_while(|b| is_part(b)).count();
    let after = bytes[at..].iter().take_while(|b| is_part(b)).count();
    let word = std::str::from_utf8(&bytes[at - before..at + after]).ok()?;
    let unsigned = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let is_named = ["nan", "inf", "infinity"].contains(&unsigned.as_str());
    let is_huge = unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.parse::<f64>().is_ok_and(f64::is_infinite);
    (is_named || is_huge).then(|| word.chars().take(NUMBER_CHARS_MAX).collect())
}

fn write(into: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => into.extend_from_slice(b"null"),
        Value::Bool(said) => into.extend_from_slice(if *said { b"true" } else { b"false" }),
        Value::Number(number) => into.extend_from_slice(number_text(number).as_bytes()),
        Value::String(text) => write_text(into, text),
        Value::Array(entries) => {
            into.push(b'[');
            for (place, entry) in entries.iter().enumerate() {
                if place > 0 {
                    into.push(b',');
                }
                write(into, entry);
            }
            into.push(b']');
        }
        Value::Object(members) => write_members(into, members),
    }
}

fn write_members(into: &mut Vec<u8>, members: &Map<String, Value>) {
    write_object(into, members.iter().collect());
}

fn write_object(into: &mut Vec<u8>, mut members: Vec<(&String, &Value)>) {
    members.sort_unstable_by_key(|(name, _)| *name);
    into.push(b'{');
    for (place, (name, value)) in members.into_iter().enumerate() {
        if place > 0 {
            into.push(b',');
        }
        write_text(into, name);
        into.push(b':');
        write(into, value);
    }
    into.push(b'}');
}

fn write_text(into: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(into, text).expect("memory takes what is written");
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.trunc() == float && float.abs() <= EXACT_MAX => {
            // Minus zero and zero add up to zero.
            format!("{:.0}", float + 0.0)
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let object = object(text.as_bytes()).expect("an object");
        String::from_utf8(object.canonical.expect("nothing is repeated")).expect("text")
    }

    fn misfit_of(text: &str) -> Misfit {
        object(text.as_bytes()).expect_err("no object")
    }

    #[test]
    fn members_are_taken_apart_at_the_top() {
        let text = r#"{"t": "x", "n": -2.5, "b": true, "l": ["a", 1, "b"], "o": {}, "z": null}"#;
        let members = object(text.as_bytes()).expect("an object").members;
        let number = Finite::new(-2.5).expect("finite");
        let expected = [
            ("t", Member::text("x")),
            ("n", Member::Number(number)),
            ("b", Member::Boolean(true)),
            ("l", Member::List(vec![Some("a".to_owned()), None, Some("b".to_owned())])),
            ("o", Member::Other),
            ("z", Member::Other),
        ];
        assert_eq!(members, expected.map(|(name, member)| (name.to_owned(), member)).into());
    }

    #[test]
    fn a_repeated_member_is_seen_and_leaves_no_canonical_form() {
        let read = object(br#"{"a": 1, "a": 1, "b": 2}"#).expect("an object");
        assert_eq!(read.members["a"], Member::Repeated);
        assert!(read.canonical.is_none());
    }

    #[test]
    fn the_canonical_form_is_one_for_all_spellings() {
        let text = r#"{"b":{"d":[1,"é"],"c":null},"a":true}"#;
        assert_eq!(canonical(text), r#"{"a":true,"b":{"c":null,"d":[1,"é"]}}"#);
        assert_eq!(canonical("{ \"n\" : 1e2 ,\n\"m\":-0.0}"), r#"{"m":0,"n":100}"#);
        assert_eq!(canonical(r#"{"s":"\u00e9\/"}"#), r#"{"s":"é/"}"#);
        assert_eq!(canonical(r#"{"n":0.5}"#), canonical(r#"{"n":5e-1}"#));
        assert_ne!(canonical(r#"{"n":1}"#), canonical(r#"{"n":"1"}"#));
        let again = canonical(text);
        assert_eq!(canonical(&again), again);
    }

    #[test]
    fn what_is_no_finite_number_is_named_with_its_field() {
        for got in ["NaN", "Infinity", "-Infinity", "1e999", "-1e400", "nan"] {
            let text = format!("{{\"label\": \"x\",\n \"age\": {got}, \"z\": 1}}");
            let field = "age".to_owned();
            assert_eq!(misfit_of(&text), Misfit::NotFinite { field, got: got.to_owned() });
        }
        let last = format!("{{\"age\":1{}}}", "0".repeat(400));
        assert_eq!(misfit_of(&last).path(), "answer.age");
    }

    #[test]
    fn other_mistakes_are_told_by_their_place() {
        for text in ["[1]", "7", "a", "", "null", "\"{}\""] {
            assert_eq!(misfit_of(text), Misfit::NotAnObject, "{text}");
        }
        let path = |text: &str| misfit_of(text).path();
        assert_eq!(path(r#"{"a": tru}"#), "answer.a");
        assert_eq!(path("{"), "answer");
        assert_eq!(path("{} x"), "answer");
        assert_eq!(path(r#"{"a": 1} x"#), "answer");
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(path(&deep), "answer.a");
    }
}
