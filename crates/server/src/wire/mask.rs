//! Field masks: which fields of an update count.
//!
//! A path names a whole top-level field. An absent or empty mask means every
//! field that may change.
//!
//! Not here: the merging itself, which each noun does in `from_wire/`.

use crate::wire::failure::Failure;
use crate::wire::invalid;

/// The fields that an update changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask(Option<Vec<String>>);

impl Mask {
    /// `path`: of the mask itself. `fields`: those that may change. `fixed`: those
    /// that exist and never change.
    pub(crate) fn new(
        path: &str,
        mask: Option<prost_types::FieldMask>,
        fields: &[&str],
        fixed: &[&str],
    ) -> Result<Mask, Failure> {
        let paths = mask.map(|mask| mask.paths).unwrap_or_default();
        for named in &paths {
            if fixed.contains(&named.as_str()) {
                return Err(invalid::immutable(named));
            }
            if !fields.contains(&named.as_str()) {
                let known = fields.join(", ");
                let problem = format!("names {named:.80?}, it may name {known}");
                return Err(invalid::field(path, problem));
            }
        }
        Ok(Mask((!paths.is_empty()).then_some(paths)))
    }

    /// Whether `field` is to change.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.as_ref().is_none_or(|paths| paths.iter().any(|path| path == field))
    }
}

#[cfg(test)]
mod tests {
    use piecework_proto::v1::ErrorReason;

    use super::*;

    fn mask(paths: &[&str]) -> Result<Mask, Failure> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let mask = prost_types::FieldMask { paths };
        Mask::new("update_mask", Some(mask), &["title", "labels"], &["requester"])
    }

    #[test]
    fn without_paths_every_field_counts() {
        let all = Mask::new("update_mask", None, &["title"], &[]).unwrap();
        assert!(all.has("title"));
        assert!(mask(&[]).unwrap().has("labels"));
    }

    #[test]
    fn with_paths_only_those_count() {
        let mask = mask(&["title"]).unwrap();
        assert!(mask.has("title") && !mask.has("labels"));
    }

    #[test]
    fn an_unknown_path_is_named_and_a_fixed_one_says_so() {
        let unknown = mask(&["tilte"]).unwrap_err();
        assert_eq!(unknown.reason(), ErrorReason::FieldInvalid);
        assert!(unknown.message().contains("tilte"), "{}", unknown.message());
        let fixed = mask(&["requester"]).unwrap_err();
        assert_eq!(fixed.reason(), ErrorReason::FieldImmutable);
    }
}
