//! Reading a journal from its oldest group to its end, and what lies behind the end.
//!
//! Behind the end every block is looked at: a header of ours found there
//! proves how much was synced before it was written, even when the frames
//! between are gone. That is how a lost, synced group is told from a tail
//! that was never acknowledged.
//!
//! Not here: deciding which of the two it is, and mending (`recover.rs`).

use std::collections::VecDeque;

use piecework_core::Position;

use crate::journal::frame::{BLOCK, BLOCK_BYTES, Header, Kind};
use crate::journal::{Damage, FrameHash, JournalError};

use super::disk::DiskFile;
use super::segment::{Span, unavailable};
use super::walk::{Chain, Readable, Spot, Walk};

/// How much is read at a time behind the end.
const WINDOW: usize = 1 << 20;
const EMPTY: [u8; BLOCK] = [0; BLOCK];

/// What a journal was found to hold.
#[derive(Debug)]
pub(super) struct Scan {
    /// What the next group must continue.
    pub(super) chain: Chain,
    /// Where the last group ends.
    pub(super) end: Spot,
    /// Where the chain broke off: at `end`, or behind the markers that follow it.
    pub(super) broken_at: Spot,
    /// What was found there instead of a frame.
    pub(super) broken_by: Damage,
    /// The groups in each segment.
    pub(super) spans: Vec<Option<Span>>,
    /// Groups that nothing proves to be on disk: they may be in the page cache only.
    pub(super) loose: VecDeque<Loose>,
    /// Everything up to here was synced once.
    pub(super) proven: Position,
    /// What is not zero behind `end`.
    pub(super) dirty: Vec<Dirty>,
}

/// A whole group above the proven position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loose {
    pub(super) first: Position,
    pub(super) last: Position,
    pub(super) at: Spot,
    pub(super) bytes: u64,
    /// Where the group before it ends.
    pub(super) previous_end: Spot,
    /// The head before it.
    pub(super) before: FrameHash,
}

/// Blocks of one segment that are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dirty {
    pub(super) segment: usize,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Reads everything. `proven`: what the caller knows to have been synced.
///
/// Cost: reads all segments once; memory for the largest frame.
///
/// # Errors
/// A file cannot be read. Damage is no error here but a finding.
pub(super) fn scan<F: DiskFile>(mut walk: Walk<F>, proven: Position) -> Result<Scan, JournalError> {
    let start = walk.at;
    let mut scan = Scan {
        chain: walk.chain,
        end: start,
        broken_at: start,
        broken_by: Damage::Missing,
        spans: vec![None; walk.segments.len()],
        loose: VecDeque::new(),
        proven,
        dirty: Vec::new(),
    };
    loop {
        match walk.step()? {
            Ok(step) => {
                if step.header.kind == Kind::Group {
                    scan.take_group(&step.header, step.at, step.before);
                }
                scan.learn(step.header.synced);
            }
            Err(damage) => {
                scan.broken_by = damage;
                break;
            }
        }
    }
    scan.chain = walk.chain;
    scan.broken_at = walk.at;
    scan.look_behind(&walk)?;
    Ok(scan)
}

impl Scan {
    fn take_group(&mut self, header: &Header, at: Spot, before: FrameHash) {
        let (first, last, bytes) = (header.first, header.last(), header.disk_bytes());
        let previous_end = self.end;
        self.loose.push_back(Loose { first, last, at, bytes, previous_end, before });
        self.end = Spot { segment: at.segment, offset: at.offset + bytes };
        let span = self.spans[at.segment].get_or_insert(Span { first, last, before });
        span.last = last;
    }

    /// Drops from `loose` what is now proven, so that it stays as short as the pipe was.
    fn learn(&mut self, synced: Position) {
        self.proven = self.proven.max(synced);
        while self.loose.front().is_some_and(|group| group.last <= self.proven) {
            self.loose.pop_front();
        }
    }

    fn look_behind<F: DiskFile>(&mut self, walk: &Walk<F>) -> Result<(), JournalError> {
        let mut window = vec![0; WINDOW];
        for (segment, readable) in walk.segments.iter().enumerate().skip(self.end.segment) {
            let mut at = if segment == self.end.segment { self.end.offset } else { 0 };
            while at < readable.limit {
                let wanted = usize::try_from(readable.limit - at).map_or(WINDOW, |n| n.min(WINDOW));
                let read = readable
                    .file
                    .read_at(&mut window[..wanted], at)
                    .map_err(unavailable("read", readable.path.clone()))?;
                for block in window[..read].chunks(EMPTY.len()) {
                    if block != &EMPTY[..block.len()] {
                        self.take_dirty(segment, at);
                        if let Ok(header) = Header::decode(block, walk.journal) {
                            self.learn(header.synced);
                        }
                    }
                    at += block.len() as u64;
                }
                if read < wanted {
                    break;
                }
            }
        }
        self.learn(self.proven);
        Ok(())
    }

    fn take_dirty(&mut self, segment: usize, at: u64) {
        let to = at + BLOCK_BYTES;
        match self.dirty.last_mut() {
            Some(last) if last.segment == segment && last.to == at => last.to = to,
            _ => self.dirty.push(Dirty { segment, from: at, to }),
        }
    }

    /// True when more than markers lies behind the last group.
    pub(super) fn has_torn_tail(&self) -> bool {
        let Spot { segment, offset } = self.broken_at;
        self.dirty
            .iter()
            .any(|d| Spot { segment: d.segment, offset: d.to } > Spot { segment, offset })
    }
}

/// The list that a walk reads, from segments that are open.
pub(super) fn readable<F>(
    segment: &super::segment::Segment<F>,
    path: std::path::PathBuf,
) -> Readable<F> {
    Readable { file: std::sync::Arc::clone(&segment.file), path, limit: segment.capacity() }
}
