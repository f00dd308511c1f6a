//! Fitting an answer to a schema: its values, or the first reason why it does not fit.
//!
//! Members that the schema does not name are left alone: the schema may have grown
//! since the lease was granted.

use crate::planted::{self, Mistake};
use crate::schema::{
    Answer, Content, Field, FieldKind, Finite, Member, Members, Misfit, Schema, Value, Values,
};

impl Schema {
    /// What an answer says, field by field.
    ///
    /// # Errors
    /// A member that stands twice; else the first field, in schema order, that does
    /// not fit.
    pub fn read(&self, answer: &Answer) -> Result<Values, Misfit> {
        if self.fields.is_empty() {
            return Ok(Vec::new());
        }
        let members = match &answer.content {
            Content::Object(members) => members,
            Content::Broken(misfit) => return Err(misfit.clone()),
            Content::Other => {
                return Err(Misfit::ContentType { got: answer.content_type.clone() });
            }
        };
        if let Some((field, _)) = members.iter().find(|(_, m)| **m == Member::Repeated) {
            return Err(Misfit::Repeated { field: field.clone() });
        }
        self.fields.iter().map(|field| field.read(members)).collect()
    }
}

impl Field {
    fn read(&self, members: &Members) -> Result<Option<Value>, Misfit> {
        let Some(member) = members.get(&self.name) else {
            return match self.required {
                true => Err(Misfit::Missing { field: self.name.clone() }),
                false => Ok(None),
            };
        };
        let value = match (&self.kind, member) {
            (FieldKind::Free, _) => return Ok(None),
            (FieldKind::Choice(choices), Member::Text(text)) => {
                let place = place(choices, text.written());
                Value::Choice(place.ok_or_else(|| Misfit::NotAChoice {
                    field: self.name.clone(),
                    got: text.written().to_owned(),
                    choices: choices.len(),
                })?)
            }
            (FieldKind::MultiChoice(choices), Member::List(entries)) => {
                Value::Set(self.set(choices, entries)?)
            }
            (FieldKind::Boolean, Member::Boolean(said)) => Value::Boolean(*said),
            (FieldKind::Number { least, most, .. }, Member::Number(number)) => {
                self.within(*number, *least, *most)?
            }
            (FieldKind::Text, Member::Text(text)) => Value::Text(text.compared()),
            (kind, other) => {
                let (field, wanted, got) = (self.name.clone(), kind.wanted(), other.what());
                return Err(Misfit::WrongType { field, wanted, got });
            }
        };
        Ok(Some(value))
    }

    fn set(&self, choices: &[String], entries: &[Option<String>]) -> Result<Vec<u16>, Misfit> {
        let mut chosen = Vec::with_capacity(entries.len().min(choices.len()));
        for (entry, got) in entries.iter().enumerate() {
            let known = got.as_ref().and_then(|text| Some((text, place(choices, text)?)));
            let Some((text, option)) = known else {
                let (field, got) = (self.name.clone(), got.clone());
                return Err(Misfit::NotAnOption { field, entry, got, choices: choices.len() });
            };
            match chosen.binary_search(&option) {
                Ok(_) => {
                    let (field, got) = (self.name.clone(), text.clone());
                    return Err(Misfit::OptionTwice { field, entry, got });
                }
                Err(at) => chosen.insert(at, option),
            }
        }
        Ok(chosen)
    }

    fn within(
        &self,
        got: Finite,
        least: Option<Finite>,
        most: Option<Finite>,
    ) -> Result<Value, Misfit> {
        let below = least.is_some_and(|least| got.get() < least.get());
        let above = most.is_some_and(|most| got.get() > most.get());
        if (below || above) && !planted::is(Mistake::BoundsIgnored) {
            return Err(Misfit::OutOfBounds { field: self.name.clone(), got, least, most });
        }
        Ok(Value::Number(got))
    }
}

impl FieldKind {
    /// What its values are, for people.
    fn wanted(&self) -> &'static str {
        match self {
            FieldKind::Choice(_) => "a string, one of its choices",
            FieldKind::MultiChoice(_) => "an array of strings out of its choices",
            FieldKind::Boolean => "true or false",
            FieldKind::Number { .. } => "a number",
            FieldKind::Text => "a string",
            FieldKind::Free => "anything",
        }
    }
}

fn place(choices: &[String], said: &str) -> Option<u16> {
    choices.iter().position(|choice| choice == said).and_then(|at| u16::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finite(number: f64) -> Finite {
        Finite::new(number).expect("finite")
    }

    fn schema() -> Schema {
        let choices = || ["a", "b", "c"].map(str::to_owned).to_vec();
        let (least, most) = (Some(finite(0.0)), Some(finite(120.0)));
        let field = |name: &str, kind| Field { name: name.into(), kind, required: false };
        Schema {
            fields: vec![
                field("one", FieldKind::Choice(choices())),
                field("some", FieldKind::MultiChoice(choices())),
                field("is", FieldKind::Boolean),
                field("age", FieldKind::Number { tolerance: Finite::ZERO, least, most }),
                field("name", FieldKind::Text),
                field("note", FieldKind::Free),
            ],
        }
    }

    fn read(name: &str, member: Member) -> Result<Values, Misfit> {
        let content = Content::Object(Members::from([(name.to_owned(), member)]));
        schema().read(&Answer { content, ..Answer::default() })
    }

    fn list(entries: &[&str]) -> Member {
        Member::List(entries.iter().map(|e| Some((*e).to_owned())).collect())
    }

    fn path(name: &str, member: Member) -> String {
        read(name, member).expect_err("it does not fit").path()
    }

    #[test]
    fn each_kind_takes_its_own_type() {
        let one = |name, member| {
            let values = read(name, member).expect("it fits");
            values.into_iter().flatten().collect::<Vec<Value>>()
        };
        assert_eq!(one("one", Member::text("b")), [Value::Choice(1)]);
        assert_eq!(one("some", list(&["c", "a"])), [Value::Set(vec![0, 2])]);
        assert_eq!(one("some", list(&[])), [Value::Set(vec![])]);
        assert_eq!(one("is", Member::Boolean(true)), [Value::Boolean(true)]);
        assert_eq!(one("age", Member::Number(finite(7.5))), [Value::Number(finite(7.5))]);
        assert_eq!(one("name", Member::text(" New  York")), one("name", Member::text("new york")));
        assert_eq!(one("note", Member::Other), []);
        assert_eq!(one("unknown", Member::Other), []);
    }

    #[test]
    fn what_does_not_fit_is_named_to_the_entry() {
        assert_eq!(path("one", Member::text("d")), "answer.one");
        assert_eq!(path("one", Member::Number(finite(1.0))), "answer.one");
        assert_eq!(path("some", list(&["a", "d"])), "answer.some[1]");
        assert_eq!(path("some", list(&["a", "b", "a"])), "answer.some[2]");
        assert_eq!(path("some", Member::List(vec![None])), "answer.some[0]");
        assert_eq!(path("some", Member::text("a")), "answer.some");
        assert_eq!(path("is", Member::text("true")), "answer.is");
        assert_eq!(path("age", Member::text("7")), "answer.age");
        assert_eq!(path("name", Member::Other), "answer.name");
        assert_eq!(path("note", Member::Repeated), "answer.note");
        assert_eq!(path("unknown", Member::Repeated), "answer.unknown");
    }

    #[test]
    fn bounds_are_part_of_what_is_taken() {
        for inside in [0.0, 120.0] {
            assert!(read("age", Member::Number(finite(inside))).is_ok());
        }
        for outside in [-0.1, 120.1] {
            let misfit = read("age", Member::Number(finite(outside))).expect_err("outside");
            assert_eq!(
                misfit.to_string(),
                format!("field \"age\" is {outside}, it may be 0 to 120")
            );
        }
    }

    #[test]
    fn a_schema_asks_for_json() {
        let other = Answer { content_type: "text/plain".into(), ..Answer::default() };
        assert_eq!(schema().read(&other).expect_err("no JSON").path(), "content_type");
        assert_eq!(Schema::default().read(&other), Ok(Vec::new()));
    }

    #[test]
    fn a_schema_grows_by_optional_fields_at_its_end_and_changes_nothing_else() {
        let old = schema();
        let mut grown = old.clone();
        grown.fields.push(Field { name: "z".into(), kind: FieldKind::Boolean, required: false });
        assert!(old.grows_into(&grown) && !grown.grows_into(&old));
        grown.fields.last_mut().expect("it has some").required = true;
        assert!(!old.grows_into(&grown));
        let changed = |at: usize, kind: FieldKind| {
            let mut next = old.clone();
            next.fields[at].kind = kind;
            old.grows_into(&next)
        };
        assert!(!changed(1, FieldKind::MultiChoice(vec!["a".into()])));
        let loose = FieldKind::Number { tolerance: finite(1.0), least: None, most: None };
        assert!(!changed(3, loose));
        assert!(!changed(4, FieldKind::Free));
    }
}
