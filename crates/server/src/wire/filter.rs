//! The filters of lists: `field = VALUE`, terms joined by ` AND `.
//!
//! Each list documents its fields and their values; anything else is refused
//! rather than passed over, or a misspelt filter would show everything.
//!
//! Not here: what a field means.

use crate::wire::failure::Failure;
use crate::wire::invalid;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter(Vec<(String, String)>);

impl Filter {
    /// `fields`: the documented ones. Each may stand once.
    pub(crate) fn parse(text: &str, fields: &[&str]) -> Result<Filter, Failure> {
        let refuse = || invalid::filter(text, &fields.join(", "));
        let mut terms: Vec<(String, String)> = Vec::new();
        if text.trim().is_empty() {
            return Ok(Filter(terms));
        }
        for term in text.split(" AND ") {
            let (field, value) = term.split_once('=').ok_or_else(refuse)?;
            let (field, value) = (field.trim(), value.trim());
            let again = terms.iter().any(|(earlier, _)| earlier == field);
            if !fields.contains(&field) || value.is_empty() || again {
                return Err(refuse());
            }
            terms.push((field.to_owned(), value.to_owned()));
        }
        Ok(Filter(terms))
    }

    /// What `field` is to be, read by `read`; `None` where the filter leaves it open.
    pub(crate) fn value<T>(
        &self,
        field: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some((_, value)) = self.0.iter().find(|(name, _)| name == field) else {
            return Ok(None);
        };
        let refuse = || invalid::filter(&format!("{field} = {value}"), field);
        read(value).map(Some).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_by_name() {
        let filter = Filter::parse("state = ACTIVE AND kind=AI", &["state", "kind"]).unwrap();
        let same = |value: &str| Some(value.to_owned());
        assert_eq!(filter.value("state", same).unwrap().as_deref(), Some("ACTIVE"));
        assert_eq!(filter.value("kind", same).unwrap().as_deref(), Some("AI"));
        assert_eq!(Filter::parse("", &["state"]).unwrap().value("state", same).unwrap(), None);
    }

    #[test]
    fn anything_undocumented_is_refused() {
        for wrong in ["stat = OPEN", "state", "state = ", "state = A OR b", "state=A AND state=B"] {
            let filter = Filter::parse(wrong, &["state"]);
            let open = |value: &str| (value == "OPEN").then_some(());
            assert!(filter.and_then(|f| f.value("state", open)).is_err(), "{wrong}");
        }
    }
}
