//! Which answers fit a schema, and what they say.

use std::collections::BTreeSet;

use piecework_core::Fingerprint;
use piecework_core::schema::{
    Answer, Content, FieldKind, Finite, Member, Misfit, Schema, Value, Values,
};

/// What an answer says per field. A project without fields takes anything; any other
/// asks for a JSON object without repeated members in which each field, if it is there,
/// is of its kind, and each required field is there.
pub(super) fn read(schema: &Schema, answer: &Answer) -> Result<Values, Misfit> {
    let mut values = Vec::new();
    for field in &schema.fields {
        let members = match &answer.content {
            Content::Object(members) => members,
            Content::Broken(why) => return Err(why.clone()),
            Content::Other => {
                return Err(Misfit::ContentType { got: answer.content_type.clone() });
            }
        };
        for (name, member) in members {
            if *member == Member::Repeated {
                return Err(Misfit::Repeated { field: name.clone() });
            }
        }
        values.push(match members.get(&field.name) {
            None if field.required => return Err(Misfit::Missing { field: field.name.clone() }),
            None => None,
            Some(_) if field.kind == FieldKind::Free => None,
            Some(said) => Some(value(&field.name, &field.kind, said)?),
        });
    }
    Ok(values)
}

fn value(field: &str, kind: &FieldKind, said: &Member) -> Result<Value, Misfit> {
    let field = field.to_owned();
    let wrong = |wanted| Misfit::WrongType { field: field.clone(), wanted, got: said.what() };
    match kind {
        FieldKind::Choice(known) => {
            let Member::Text(text) = said else {
                return Err(wrong("a string, one of its choices"));
            };
            let (got, choices) = (text.written().to_owned(), known.len());
            let at = known.iter().position(|choice| *choice == got);
            let at = at.ok_or(Misfit::NotAChoice { field, got, choices })?;
            Ok(Value::Choice(small(at)))
        }
        FieldKind::MultiChoice(known) => {
            let Member::List(entries) = said else {
                return Err(wrong("an array of strings out of its choices"));
            };
            let mut chosen = BTreeSet::new();
            for (entry, text) in entries.iter().enumerate() {
                let (got, choices) = (text.clone(), known.len());
                let at = known.iter().position(|choice| Some(choice) == got.as_ref());
                let Some(at) = at else {
                    return Err(Misfit::NotAnOption { field, entry, got, choices });
                };
                if !chosen.insert(small(at)) {
                    let got = got.expect("it is one of the choices");
                    return Err(Misfit::OptionTwice { field, entry, got });
                }
            }
            Ok(Value::Set(chosen.into_iter().collect()))
        }
        FieldKind::Boolean => match said {
            Member::Boolean(said) => Ok(Value::Boolean(*said)),
            _ => Err(wrong("true or false")),
        },
        FieldKind::Number { least, most, .. } => {
            let Member::Number(got) = said else { return Err(wrong("a number")) };
            let (from, to) =
                (least.map_or(f64::MIN, Finite::get), most.map_or(f64::MAX, Finite::get));
            if !(from..=to).contains(&got.get()) {
                let (least, most) = (*least, *most);
                return Err(Misfit::OutOfBounds { field, got: *got, least, most });
            }
            Ok(Value::Number(*got))
        }
        FieldKind::Text => {
            let Member::Text(text) = said else { return Err(wrong("a string")) };
            Ok(Value::Text(Fingerprint::of(&[plain(text.written()).as_bytes()])))
        }
        FieldKind::Free => Err(wrong("anything")),
    }
}

fn small(at: usize) -> u16 {
    u16::try_from(at).expect("few choices")
}

/// A text as it is compared, for the letters that the workload knows.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.trim().chars() {
        let c = match u32::from(c) {
            // Full-width forms of ASCII.
            wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).expect("an ASCII character"),
            _ => c,
        };
        if c != ' ' || !plain.ends_with(' ') {
            plain.push(c.to_ascii_lowercase());
        }
    }
    plain
}
