//! What can happen to files.

use std::fmt;

use super::small::{Files, Small};

/// One thing that happened to a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    Flipped {
        file: String,
        at: usize,
    },
    Cut {
        file: String,
        bytes: usize,
    },
    Removed {
        file: String,
    },
    Swapped {
        one: String,
        other: String,
    },
    /// As it was early.
    Old {
        file: String,
    },
    /// All files below it as they were early.
    OldBelow {
        directory: &'static str,
    },
    RemovedBelow {
        directory: &'static str,
    },
}

/// Every damage to be tried.
pub(super) fn damages(small: &Small, every: usize) -> Vec<Damage> {
    let mut damages = Vec::new();
    for (name, content) in &small.late {
        let file = || name.clone();
        // Files of a few hundred bytes are damaged all over.
        let step = every.min(content.len() / 32 + 1);
        damages.extend(
            (0..content.len()).step_by(step).map(|at| Damage::Flipped { file: file(), at }),
        );
        let lengths = [0, 1, content.len() / 3, content.len() / 2, content.len().saturating_sub(1)];
        damages.extend(lengths.map(|bytes| Damage::Cut { file: file(), bytes }));
        damages.extend([Damage::Removed { file: file() }, Damage::Old { file: file() }]);
        let kind = |name: &str| name.rsplit_once(['.', '/']).map(|(_, kind)| kind.to_owned());
        let others = small.late.keys().filter(|other| *other > name && kind(other) == kind(name));
        damages.extend(others.map(|other| Damage::Swapped { one: file(), other: other.clone() }));
    }
    for directory in ["journal", "tables"] {
        damages.extend([Damage::OldBelow { directory }, Damage::RemovedBelow { directory }]);
    }
    damages
}

impl Damage {
    /// The late files with this damage.
    pub(super) fn apply(&self, small: &Small) -> Files {
        let mut files = small.late.clone();
        let below = |directory: &str, name: &str| name.starts_with(&format!("{directory}/"));
        match self {
            Damage::Flipped { file, at } => {
                files.entry(file.clone()).and_modify(|content| content[*at] ^= 0x10);
            }
            Damage::Cut { file, bytes } => {
                files.entry(file.clone()).and_modify(|content| content.truncate(*bytes));
            }
            Damage::Removed { file } => _ = files.remove(file),
            Damage::Swapped { one, other } => {
                let (left, right) = (files[one].clone(), files[other].clone());
                files.insert(one.clone(), right);
                files.insert(other.clone(), left);
            }
            Damage::Old { file } => match small.early.get(file) {
                Some(content) => _ = files.insert(file.clone(), content.clone()),
                None => _ = files.remove(file),
            },
            Damage::OldBelow { directory } => {
                files.retain(|name, _| !below(directory, name));
                let old = small.early.iter().filter(|(name, _)| below(directory, name));
                files.extend(old.map(|(name, content)| (name.clone(), content.clone())));
            }
            Damage::RemovedBelow { directory } => files.retain(|name, _| !below(directory, name)),
        }
        files
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Flipped { file, at } => write!(f, "{file}: byte {at} flipped"),
            Damage::Cut { file, bytes } => write!(f, "{file}: cut to {bytes} bytes"),
            Damage::Removed { file } => write!(f, "{file}: removed"),
            Damage::Swapped { one, other } => write!(f, "{one} and {other}: swapped"),
            Damage::Old { file } => write!(f, "{file}: an old copy put back"),
            Damage::OldBelow { directory } => write!(f, "{directory}/: an old copy put back"),
            Damage::RemovedBelow { directory } => write!(f, "{directory}/: emptied"),
        }
    }
}
