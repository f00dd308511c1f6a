//! What a worker asks of the work it gets.
//!
//! The same fields in a lease, in what follows an answer, on a stream and in offers.

use piecework_core::wishes::Wishes;
use piecework_core::{ClientId, limits};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::{field, invalid, names};

/// The fields of a message that has wishes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    projects: &'a [String],
    except: &'a [String],
    max_payload_bytes: u32,
    min_hourly: Option<&'a v1::Money>,
    within: Option<prost_types::Duration>,
}

macro_rules! asked_of {
    ($($message:ty),*) => {
        $(impl<'a> From<&'a $message> for Asked<'a> {
            fn from(message: &'a $message) -> Asked<'a> {
                Asked {
                    projects: &message.projects,
                    except: &message.except_projects,
                    max_payload_bytes: message.max_payload_bytes,
                    min_hourly: message.min_hourly.as_ref(),
                    within: message.within,
                }
            }
        })*
    };
}

asked_of!(v1::LeaseRequest, v1::NextLease, v1::ListOffersRequest, v1::work_request::PresentWorker);

/// Wishes. `path`: what stands before the fields' names, such as `next.`.
pub(crate) fn read<'a>(path: &str, asked: impl Into<Asked<'a>>) -> Result<Wishes, Failure> {
    let asked = asked.into();
    let at = |name: &str| format!("{path}{name}");
    let min_hourly_micros = match asked.min_hourly {
        Some(money) if money.micros < 0 => {
            return Err(invalid::range(&at("min_hourly.micros"), money.micros, 0, i64::MAX));
        }
        money => money.map(|money| money.micros).filter(|micros| *micros > 0),
    };
    let within = asked.within.map(|time| field::positive(&at("within"), time, limits::LEASE_MAX));
    Ok(Wishes {
        projects: projects(&at("projects"), asked.projects)?,
        except: projects(&at("except_projects"), asked.except)?,
        max_payload_bytes: (asked.max_payload_bytes > 0).then_some(asked.max_payload_bytes),
        min_hourly_micros,
        within: within.transpose()?,
    })
}

/// The first wish that is named, for a request that may have none.
pub(crate) fn named(asked: Asked<'_>) -> Option<&'static str> {
    [
        ("projects", !asked.projects.is_empty()),
        ("except_projects", !asked.except.is_empty()),
        ("max_payload_bytes", asked.max_payload_bytes > 0),
        ("min_hourly", asked.min_hourly.is_some()),
        ("within", asked.within.is_some()),
    ]
    .into_iter()
    .find_map(|(name, named)| named.then_some(name))
}

/// What tells wishes from others, beside their projects; nothing where there are none,
/// so that what was asked before there were any keeps its content.
pub(crate) fn content(wishes: &Wishes) -> Vec<Vec<u8>> {
    let Wishes { except, max_payload_bytes, min_hourly_micros, within, .. } = wishes;
    let none = Wishes { projects: wishes.projects.clone(), ..Wishes::default() };
    if *wishes == none {
        return Vec::new();
    }
    // No project has this name.
    let mut parts = vec![b"/wishes".to_vec()];
    parts.push(format!("{max_payload_bytes:?} {min_hourly_micros:?} {within:?}").into_bytes());
    parts.extend(except.iter().map(|project| project.as_str().as_bytes().to_vec()));
    parts
}

/// Names of projects, ascending, each once.
fn projects(path: &str, list: &[String]) -> Result<Vec<ClientId>, Failure> {
    field::count(path, list.len(), limits::ITEMS_PER_CALL_MAX, "entries")?;
    let read = |(index, name): (usize, &String)| names::project(&format!("{path}[{index}]"), name);
    let mut projects = list.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    projects.sort_unstable();
    projects.dedup();
    Ok(projects)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(micros: i64) -> Option<v1::Money> {
        Some(v1::Money { micros, currency: String::new() })
    }

    #[test]
    fn nothing_named_asks_for_nothing() {
        let wishes = read("", &v1::LeaseRequest::default()).unwrap();
        assert_eq!(wishes, Wishes::default());
        assert!(content(&wishes).is_empty());
        assert_eq!(named(Asked::from(&v1::LeaseRequest::default())), None);
    }

    #[test]
    fn the_wrong_wish_is_named_where_it_stands() {
        let wrong = |request: v1::NextLease| {
            let failure = read("next.", &request).unwrap_err();
            failure.field().unwrap_or_default().to_owned()
        };
        let ask = v1::NextLease::default;
        let time = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let except_projects = vec!["projects/a".to_owned(), "b".to_owned()];
        assert_eq!(wrong(v1::NextLease { except_projects, ..ask() }), "next.except_projects[1]");
        let min_hourly = money(-1);
        assert_eq!(wrong(v1::NextLease { min_hourly, ..ask() }), "next.min_hourly.micros");
        assert_eq!(wrong(v1::NextLease { within: time(0), ..ask() }), "next.within");
        assert_eq!(wrong(v1::NextLease { within: time(-7), ..ask() }), "next.within");
        assert_eq!(wrong(v1::NextLease { within: time(604_801), ..ask() }), "next.within");
    }

    #[test]
    fn other_wishes_have_other_content() {
        let of = |request: v1::LeaseRequest| content(&read("", &request).unwrap());
        let ask = v1::LeaseRequest::default;
        let large = of(v1::LeaseRequest { max_payload_bytes: 7, ..ask() });
        let paid = of(v1::LeaseRequest { min_hourly: money(7), ..ask() });
        let out = of(v1::LeaseRequest { except_projects: vec!["projects/a".into()], ..ask() });
        assert!(large != paid && paid != out && out != large);
    }
}
