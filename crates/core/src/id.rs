//! Numbers and names that identify things.
//!
//! The daemon counts everything densely from 1 inside its parent; clients see
//! names. A number is never reused, so a late message is seen to be late.
//!
//! Not here: resource names as text (`projects/cats/tasks/7`); they are wire
//! format and live in the server.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(Serialize, Deserialize)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A platform with its workers and requesters: the isolation boundary.
    /// Leads every key and every command.
    TenantId(u32)
}
number! {
    /// One writer with one journal. A tenant lives in one partition.
    PartitionId(u16)
}
number! {
    /// A requester, counted per partition.
    RequesterId(u32)
}
number! {
    /// A project, counted per partition.
    ProjectId(u32)
}
number! {
    /// A worker, counted per partition.
    WorkerId(u32)
}
number! {
    /// A task's number, dense inside its project, from 1.
    TaskNumber(u32)
}
number! {
    /// Which version of a project's text, schema, reward and lease policy. From 1.
    Revision(u32)
}
number! {
    /// A record's dense number in its log, from 1.
    Sequence(u64)
}
number! {
    /// The place of a command in the journal, dense from 1. Zero: before everything.
    Position(u64)
}

impl TenantId {
    /// The one tenant until credentials exist.
    pub const DEFAULT: TenantId = TenantId(1);
}

impl PartitionId {
    /// The one partition that runs now.
    pub const FIRST: PartitionId = PartitionId(1);
}

impl Position {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

impl Sequence {
    /// The sequence number after this one.
    #[must_use]
    pub fn next(self) -> Sequence {
        Sequence(self.0 + 1)
    }
}

/// One task of one project.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct TaskId {
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its dense number there.
    pub number: TaskNumber,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task-{}-{}", self.project, self.number)
    }
}

/// One worker's hold on one place of one task. Never reused: it is the fence.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LeaseId {
    /// The leased task.
    pub task: TaskId,
    /// The how-manieth lease of that task, from 1.
    pub number: u32,
}

impl fmt::Display for LeaseId {
    // The same text in logs, errors and the CLI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lease-{}-{}-{}", self.task.project, self.task.number, self.number)
    }
}

/// An id that a client chose: 1 to 128 characters of `[A-Za-z0-9._~:@+=-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// Takes `text` when it fits the rule.
    ///
    /// # Errors
    /// `None` when it is empty, too long, or has another character.
    #[must_use]
    pub fn new(text: &str) -> Option<ClientId> {
        let fits = (1..=crate::limits::CLIENT_ID_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~:@+=-".contains(&b));
        fits.then(|| ClientId(text.into()))
    }

    /// The id as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 128 bits of a hash over content: equal content, equal fingerprint.
///
/// Two different contents share one with a probability below 10⁻²⁰ at ten
/// billion entries; blake3 keeps that true against people who try.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of `parts`, each with its length, so that ("ab", "c")
    /// differs from ("a", "bc"). Cost: one blake3 pass over the bytes.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Fingerprint {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Fingerprint(u128::from_le_bytes(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_keeps_the_rule() {
        assert!(ClientId::new("batch-7.cats~a:b@c+d=e_f").is_some());
        assert!(ClientId::new("").is_none());
        assert!(ClientId::new("two words").is_none());
        assert!(ClientId::new(&"a".repeat(128)).is_some());
        assert!(ClientId::new(&"a".repeat(129)).is_none());
    }

    #[test]
    fn a_fingerprint_sees_where_parts_end() {
        assert_ne!(Fingerprint::of(&[b"ab", b"c"]), Fingerprint::of(&[b"a", b"bc"]));
    }
}
