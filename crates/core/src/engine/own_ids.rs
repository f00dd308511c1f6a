//! A project's tasks by the ids that its requester gave them.
//!
//! Millions of them stay in memory, so of two fingerprints only as much is kept as keeps
//! them apart: 96 bits of the id's, which among four billion tasks of a project two share
//! with a chance of one in eight billion, and 48 bits of the content's, which is compared
//! with one other only. An id takes 22 bytes: eleven of them, as many as a node of the
//! tree has, fill 256 together with what is around them.
//!
//! Not here: the ids themselves; they are in the specs, on disk.

use std::collections::BTreeMap;

use crate::{Fingerprint, TaskNumber};

/// Tasks by fingerprints of their own ids.
#[derive(Debug, Default)]
pub(crate) struct OwnIds(BTreeMap<[u32; 3], Packed>);

/// A task that has an own id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnId {
    pub(crate) number: TaskNumber,
    content: [u8; CONTENT_BYTES],
}

/// Bytes of a content's fingerprint.
const CONTENT_BYTES: usize = 6;

/// An [`OwnId`] that may lie at any byte.
#[derive(Debug, Clone, Copy)]
struct Packed {
    number: [u8; 4],
    content: [u8; CONTENT_BYTES],
}

impl OwnIds {
    /// `id`, `content`: fingerprints of what the requester wrote.
    pub(crate) fn insert(&mut self, id: Fingerprint, number: TaskNumber, content: Fingerprint) {
        let packed = Packed { number: number.0.to_ne_bytes(), content: some_of(content) };
        self.0.insert(key(id), packed);
    }

    /// The task of that id, if there is one.
    pub(crate) fn get(&self, id: Fingerprint) -> Option<OwnId> {
        let Packed { number, content } = *self.0.get(&key(id))?;
        Some(OwnId { number: TaskNumber(u32::from_ne_bytes(number)), content })
    }
}

impl OwnId {
    /// Whether it was created with that content.
    pub(crate) fn has(&self, content: Fingerprint) -> bool {
        some_of(content) == self.content
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a word at a time")]
fn key(Fingerprint(bits): Fingerprint) -> [u32; 3] {
    [0, 32, 64].map(|shift| (bits >> shift) as u32)
}

fn some_of(Fingerprint(bits): Fingerprint) -> [u8; CONTENT_BYTES] {
    let [a, b, c, d, e, f, ..] = bits.to_le_bytes();
    [a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_task_and_its_content() {
        let mut ids = OwnIds::default();
        let of = |text: &str| Fingerprint::of(&[text.as_bytes()]);
        for number in 1..=1_000 {
            ids.insert(of(&format!("id-{number}")), TaskNumber(number), of(&number.to_string()));
        }
        for number in 1..=1_000 {
            let own = ids.get(of(&format!("id-{number}"))).expect("it was inserted");
            assert_eq!(own.number, TaskNumber(number));
            assert!(own.has(of(&number.to_string())) && !own.has(of("another")));
        }
        assert!(ids.get(of("id-0")).is_none());
    }

    #[test]
    fn an_id_takes_22_bytes() {
        assert_eq!(size_of::<[u32; 3]>() + size_of::<Packed>(), 22);
    }

    #[test]
    fn one_other_bit_is_another_id_or_another_content() {
        let mut ids = OwnIds::default();
        let (id, content) = (Fingerprint(0), Fingerprint(0));
        ids.insert(id, TaskNumber(1), content);
        for bit in 0..96 {
            assert!(ids.get(Fingerprint(1 << bit)).is_none(), "bit {bit}");
        }
        for bit in 0..48 {
            assert!(!ids.get(id).expect("there").has(Fingerprint(1 << bit)), "bit {bit}");
        }
    }
}
