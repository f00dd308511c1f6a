//! Ids of the source as ids of the daemon.
//!
//! Most fit as they are. One that does not is replaced by a hash of itself,
//! the same in every run, and travels as the label `source`.

use std::collections::BTreeMap;

use crate::names::is_id;

/// The label that carries an id as it is in the source.
pub(super) const SOURCE: &str = "source";

/// An id the daemon takes, and the labels that go with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) labels: BTreeMap<String, String>,
}

/// A task's.
pub(super) fn task(source: &str) -> Known {
    known(source, source.to_owned(), is_id(source))
}

/// A worker's. `set` keeps workers of different recordings apart.
pub(super) fn worker(set: &str, source: &str) -> Known {
    let id = format!("{set}.{source}");
    let fits = is_id(&id);
    let mut known = known(source, id, fits);
    if !fits {
        known.id = format!("{set}.{}", known.id);
    }
    known
}

/// A recording's name, as the beginning of ids: what fits of it, not too long.
pub(super) fn set(name: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let set: String = name.chars().filter(fits).take(40).collect();
    if set.is_empty() { "recording".to_owned() } else { set }
}

fn known(source: &str, id: String, fits: bool) -> Known {
    if fits {
        return Known { id, labels: BTreeMap::new() };
    }
    let hash = &blake3::hash(source.as_bytes()).to_hex()[..24];
    let labels = BTreeMap::from([(SOURCE.to_owned(), source.to_owned())]);
    Known { id: format!("source-{hash}"), labels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_fit_stay_as_they_are() {
        let known = task("country.00072.mp3");
        assert_eq!((known.id.as_str(), known.labels.len()), ("country.00072.mp3", 0));
        assert_eq!((task("266").id.as_str(), worker("rte", "15").id.as_str()), ("266", "rte.15"));
    }

    #[test]
    fn others_get_one_that_does_and_keep_theirs_as_a_label() {
        for source in ["-", "~a", "two words", "ü", &"x".repeat(200)] {
            let known = task(source);
            assert!(is_id(&known.id), "{}", known.id);
            assert_eq!(known.labels[SOURCE], source);
            assert_eq!(known, task(source));
        }
        let known = worker("rte", "two words");
        assert!(is_id(&known.id) && known.id.starts_with("rte.source-"));
        assert_eq!(known.labels[SOURCE], "two words");
        assert_eq!((set("a b/ü"), set("ü")), ("ab".to_owned(), "recording".to_owned()));
    }
}
