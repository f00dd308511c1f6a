//! One file of a disk that forgets: its cache, what is durable, and what is between.
//!
//! Not here: names, and when the power fails (`lying.rs`).

use super::sectors::{Part, next_random, overlay, write_all, write_some};

/// A file's bytes, whatever its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) cached: Vec<u8>,
    pub(super) on_disk: Vec<u8>,
    /// Writes since the last that was settled with all before it.
    unsynced: Vec<Written>,
    /// Writes that were synced or lost, each in its turn.
    settled: usize,
}

#[derive(Debug, Clone)]
struct Written {
    at: usize,
    bytes: Vec<u8>,
    /// No longer at risk, though one before it may be.
    is_settled: bool,
}

/// What a power cut left of the writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PowerCut {
    /// Writes that are wholly there.
    pub kept: usize,
    /// Writes of which nothing is there.
    pub lost: usize,
    /// Writes of which some sectors are there.
    pub torn: usize,
    /// Created, renamed and removed names that are as before.
    pub names_lost: usize,
}

impl Node {
    /// Replaces all of it, on disk and in the cache.
    pub(super) fn replace(&mut self, bytes: Vec<u8>) {
        self.settled += self.unsynced.len();
        self.unsynced.clear();
        self.cached.clone_from(&bytes);
        self.on_disk = bytes;
    }

    pub(super) fn write(&mut self, at: usize, bytes: Vec<u8>) {
        write_all(&mut self.cached, at, &bytes);
        self.unsynced.push(Written { at, bytes, is_settled: false });
    }

    /// Writes to this file so far.
    pub(super) fn writes(&self) -> usize {
        self.settled + self.unsynced.len()
    }

    /// The first `count` writes, ever, are durable.
    pub(super) fn sync(&mut self, count: usize) {
        let count = count.saturating_sub(self.settled).min(self.unsynced.len());
        self.settled += count;
        for written in self.unsynced.drain(..count).filter(|written| !written.is_settled) {
            write_all(&mut self.on_disk, written.at, &written.bytes);
        }
    }

    /// The write of this number, from one on, is durable, and by that no other.
    pub(super) fn keep(&mut self, write: usize) {
        let Some(index) = write.checked_sub(self.settled + 1) else { return };
        let Some((before, rest)) = self.unsynced.split_at_mut_checked(index) else { return };
        let Some(kept) = rest.first_mut() else { return };
        write_all(&mut self.on_disk, kept.at, &kept.bytes);
        kept.is_settled = true;
        // What an earlier one has left to say comes too late where they meet.
        before
            .iter_mut()
            .for_each(|other| overlay(&mut other.bytes, other.at, &kept.bytes, kept.at));
        self.forget_settled();
    }

    /// The write of this number comes through in parts, if at all, and never again.
    pub(super) fn lose(&mut self, write: usize, random: &mut u64) {
        let Some(index) = write.checked_sub(self.settled + 1) else { return };
        let Some(lost) = self.unsynced.get_mut(index) else { return };
        write_some(&mut self.on_disk, lost.at, &lost.bytes, random);
        lost.is_settled = true;
        self.forget_settled();
    }

    fn forget_settled(&mut self) {
        let count = self.unsynced.iter().take_while(|written| written.is_settled).count();
        self.unsynced.drain(..count);
        self.settled += count;
    }

    /// Of the writes that are not durable some come through, and some in parts.
    pub(super) fn lose_some(&mut self, random: &mut u64, cut: &mut PowerCut) {
        self.settled += self.unsynced.len();
        let mut unsynced = std::mem::take(&mut self.unsynced);
        unsynced.retain(|written| !written.is_settled);
        for Written { at, bytes, .. } in &unsynced {
            match write_some(&mut self.on_disk, *at, bytes, random) {
                Part::All => cut.kept += 1,
                Part::None => cut.lost += 1,
                Part::Some => cut.torn += 1,
            }
        }
        // The length may have come through where the bytes have not.
        if !unsynced.is_empty() && next_random(random).is_multiple_of(4) {
            let bytes = self.cached.len().max(self.on_disk.len());
            self.on_disk.resize(bytes, 0);
        }
    }
}
