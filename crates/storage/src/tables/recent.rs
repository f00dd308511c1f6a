//! Pages that were read lately: neighbours of a row cost no walk through the store.
//!
//! Tasks are leased in order and a page holds many, so most payloads lie in a page that
//! is here already.
//!
//! Invariant: a page is here only while every row that changed in it since it was read
//! lies in the overlay, where readers look first. So all pages go when a checkpoint ends,
//! before the overlay forgets its rows, and one that was read before that does not come in.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

/// Bytes of all pages together.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// A page over this is that of one large row, which has no neighbours.
const PAGE_BYTES_MAX: usize = 16 * 1024;

/// The pages by their starts, the oldest going first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    pages: BTreeMap<Bytes, Bytes>,
    order: VecDeque<Bytes>,
    bytes: usize,
    ended: Checkpoints,
}

/// Checkpoints that ended since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Checkpoints(u64);

impl Recent {
    /// The page with the greatest start up to `key`: its start and its bytes. A page in
    /// between may lie in the store, so only a row that is found in it says anything.
    pub(super) fn covering(&self, key: &[u8]) -> Option<(Bytes, Bytes)> {
        let kept = self.read();
        let bounds = (Bound::Unbounded, Bound::Included(key));
        let (start, page) = kept.pages.range::<[u8], _>(bounds).next_back()?;
        Some((start.clone(), page.clone()))
    }

    /// To be asked before a page is read.
    pub(super) fn ended(&self) -> Checkpoints {
        self.read().ended
    }

    /// Keeps a page that was read after `since`, and whose checksum matched.
    pub(super) fn keep(&self, since: Checkpoints, start: Bytes, page: Bytes) {
        if page.len() > PAGE_BYTES_MAX {
            return;
        }
        let mut kept = self.write();
        if kept.ended != since {
            return;
        }
        kept.bytes += page.len();
        match kept.pages.insert(start.clone(), page) {
            Some(before) => kept.bytes -= before.len(),
            None => kept.order.push_back(start),
        }
        while kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.order.pop_front() else { break };
            kept.bytes -= kept.pages.remove(&oldest).map_or(0, |page| page.len());
        }
    }

    /// A checkpoint has ended: what was read before may be the past.
    pub(super) fn forget(&self) {
        let mut kept = self.write();
        let ended = Checkpoints(kept.ended.0 + 1);
        *kept = Kept { ended, ..Kept::default() };
    }

    // A panic elsewhere leaves whole pages behind.
    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: usize) -> Bytes {
        Bytes::from(vec![7; bytes])
    }

    fn start(number: u32) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    #[test]
    fn the_page_at_or_before_a_key_is_found_until_a_checkpoint_ends() {
        let recent = Recent::default();
        let since = recent.ended();
        recent.keep(since, start(10), page(4));
        recent.keep(since, start(20), page(5));
        let found = |key: u32| recent.covering(&key.to_be_bytes()).map(|(_, page)| page.len());
        assert_eq!([9, 10, 19, 20, 99].map(found), [None, Some(4), Some(4), Some(5), Some(5)]);
        recent.forget();
        assert_eq!(found(10), None);
        recent.keep(since, start(10), page(4));
        assert_eq!(found(10), None, "it was read before the checkpoint ended");
        recent.keep(recent.ended(), start(10), page(6));
        assert_eq!(found(10), Some(6));
    }

    #[test]
    fn what_is_kept_has_a_bound_and_the_oldest_goes_first() {
        let recent = Recent::default();
        let (since, each) = (recent.ended(), PAGE_BYTES_MAX);
        let most = u32::try_from(BYTES_MAX / each).expect("small");
        (0..=most).for_each(|number| recent.keep(since, start(number), page(each)));
        assert_eq!(recent.covering(&0_u32.to_be_bytes()), None);
        assert_eq!(recent.covering(&1_u32.to_be_bytes()), Some((start(1), page(each))));
        assert_eq!(recent.read().bytes, BYTES_MAX);
        recent.keep(since, start(most), page(1));
        assert_eq!(recent.read().bytes, BYTES_MAX - each + 1, "the same page, anew");
        recent.keep(since, start(most + 1), page(each + 1));
        assert_eq!(recent.covering(&u32::MAX.to_be_bytes()), Some((start(most), page(1))));
    }
}
