//! Which numbers of operations a stream has used.
//!
//! Kept as ranges: a client that counts upwards takes one of them, whatever it does.

use std::collections::BTreeMap;

/// Ranges remembered; beyond them the lowest are forgotten.
const RANGES_MAX: usize = 4_096;

/// Numbers used so far.
#[derive(Debug, Default)]
pub(super) struct OpIds {
    /// First number of each range, and its last.
    ranges: BTreeMap<u64, u64>,
}

impl OpIds {
    /// Takes a number. False: it is zero, or was used before.
    pub(super) fn take(&mut self, id: u64) -> bool {
        let below = self.ranges.range(..=id).next_back().map(|(first, last)| (*first, *last));
        if id == 0 || below.is_some_and(|(_, last)| last >= id) {
            return false;
        }
        let first = match below {
            Some((first, last)) if last + 1 == id => first,
            _ => id,
        };
        let next = id.checked_add(1).and_then(|next| self.ranges.remove(&next));
        self.ranges.insert(first, next.unwrap_or(id));
        if self.ranges.len() > RANGES_MAX {
            self.ranges.pop_first();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_once_in_whatever_order_they_come() {
        let mut ids = OpIds::default();
        assert!(!ids.take(0));
        for id in [1, 2, 5, 4, 3, u64::MAX, 7] {
            assert!(ids.take(id), "{id}");
        }
        assert_eq!(ids.ranges, BTreeMap::from([(1, 5), (7, 7), (u64::MAX, u64::MAX)]));
        for id in [1, 3, 5, 7, u64::MAX] {
            assert!(!ids.take(id), "{id}");
        }
        assert!(ids.take(6));
        assert_eq!(ids.ranges.first_key_value(), Some((&1, &7)));
    }

    #[test]
    fn memory_is_bounded_for_a_client_that_leaves_gaps() {
        let mut ids = OpIds::default();
        assert!((1..20_000).all(|n| ids.take(2 * n)));
        assert_eq!(ids.ranges.len(), RANGES_MAX);
    }
}
