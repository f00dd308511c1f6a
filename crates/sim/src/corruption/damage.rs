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

/// Of bytes that are zero at most every so manieth is flipped: most of a prepared
/// segment, and of the tables' file, is still empty.
pub(super) const EVERY_ZERO: usize = 64;

/// Every damage to be tried. `every`: the distance of flipped bytes, in files of
/// more than a few hundred bytes.
pub(super) fn damages(small: &Small, every: usize) -> Vec<Damage> {
    let mut damages = Vec::new();
    for (name, content) in &small.late {
        let file = || name.clone();
        // Files of a few hundred bytes are damaged all over.
        let step = every.min(content.len() / 32 + 1);
        let (zero, other): (Vec<_>, Vec<_>) = (0..content.len()).partition(|at| content[*at] == 0);
        let zero = zero.into_iter().step_by(step.max(EVERY_ZERO));
        let flipped = other.into_iter().step_by(step).chain(zero);
        damages.extend(flipped.map(|at| Damage::Flipped { file: file(), at }));
        let lengths = [0, 1, content.len() / 3, content.len() / 2, content.len().saturating_sub(1)];
        damages.extend(lengths.map(|bytes| Damage::Cut { file: file(), bytes }));
        damages.extend([Damage::Removed { file: file() }, Damage::Old { file: file() }]);
        let kind = |name: &str| name.rsplit_once(['.', '/']).map(|(_, kind)| kind.to_owned());
        let others = small.late.keys().filter(|other| *other > name && kind(other) == kind(name));
        damages.extend(others.map(|other| Damage::Swapped { one: file(), other: other.clone() }));
    }
    for directory in ["journal", "tables", "snapshots"] {
        damages.extend([Damage::OldBelow { directory }, Damage::RemovedBelow { directory }]);
    }
    damages
}

impl Damage {
    /// True when nothing but the tables was hurt.
    pub(super) fn is_in_tables(&self) -> bool {
        const TABLES: &str = "tables/";
        match self {
            Damage::Flipped { file, .. }
            | Damage::Cut { file, .. }
            | Damage::Removed { file }
            | Damage::Old { file } => file.starts_with(TABLES),
            Damage::Swapped { one, other } => one.starts_with(TABLES) && other.starts_with(TABLES),
            Damage::OldBelow { directory } | Damage::RemovedBelow { directory } => {
                *directory == "tables"
            }
        }
    }

    /// The file of a snapshot whose content is now another, if it is one: a
    /// reading of all snapshots must name it.
    pub(super) fn hurt_snapshot(&self, small: &Small, files: &Files) -> Option<&str> {
        let (Damage::Flipped { file, .. }
        | Damage::Cut { file, .. }
        | Damage::Removed { file }
        | Damage::Old { file }
        | Damage::Swapped { one: file, .. }) = self
        else {
            return None;
        };
        // Without its manifest a snapshot never was: nothing is left to be wrong.
        let is_told = files.contains_key(file) || file.ends_with(".rows");
        let is_hurt = file.starts_with("snapshots/") && files.get(file) != small.late.get(file);
        (is_hurt && is_told).then_some(file)
    }

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
