//! Going from frame to frame, each checked against the one before it.
//!
//! Recovery and readers take the same steps, so what one accepts the other does.
//! A segment ends where no next frame fits or continues; the chain then goes on
//! at the start of the following segment, or nowhere.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use piecework_core::Position;

use crate::journal::frame::{FrameFault, Header, Kind};
use crate::journal::{Damage, Epoch, FrameHash, Group, JournalError, JournalId};

use super::disk::DiskFile;
use super::segment::{read_frame, unavailable};

/// What the next frame must continue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    pub(super) next: Position,
    pub(super) head: FrameHash,
    pub(super) epoch: Epoch,
}

/// A byte of a list of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) segment: usize,
    pub(super) offset: u64,
}

/// A segment, as far as reading it goes.
#[derive(Debug)]
pub(super) struct Readable<F> {
    pub(super) file: Arc<F>,
    pub(super) path: PathBuf,
    /// Where frames must end.
    pub(super) limit: u64,
}

/// A place in the chain and the way on from it.
#[derive(Debug)]
pub(super) struct Walk<F> {
    pub(super) segments: Vec<Readable<F>>,
    pub(super) journal: JournalId,
    /// No frame can be of a later claim.
    pub(super) epoch_max: Epoch,
    /// Where the next frame should start.
    pub(super) at: Spot,
    pub(super) chain: Chain,
    rest: Vec<u8>,
}

/// A frame that continued the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) header: Header,
    pub(super) at: Spot,
    /// The head before it.
    pub(super) before: FrameHash,
}

impl<F: DiskFile> Walk<F> {
    /// At the start of `segments`, where `chain` continues.
    pub(super) fn new(
        segments: Vec<Readable<F>>,
        journal: JournalId,
        epoch_max: Epoch,
        chain: Chain,
    ) -> Walk<F> {
        let at = Spot { segment: 0, offset: 0 };
        Walk { segments, journal, epoch_max, at, chain, rest: Vec::new() }
    }

    /// The next frame. After `Damage` the walk stands where no frame was found.
    ///
    /// # Errors
    /// The outer error: a file could not be read.
    pub(super) fn step(&mut self) -> Result<Result<Step, Damage>, JournalError> {
        let header = match self.look(self.at)? {
            Ok(header) => header,
            Err(damage) => {
                let following = Spot { segment: self.at.segment + 1, offset: 0 };
                match self.look(following)? {
                    Ok(header) => {
                        self.at = following;
                        header
                    }
                    // The segment ended here, and the first frame of the next is no frame.
                    Err(other) if is_nothing(damage) && is_no_frame(other) => {
                        self.at = following;
                        return Ok(Err(other));
                    }
                    Err(_) => return Ok(Err(damage)),
                }
            }
        };
        let step = Step { header, at: self.at, before: self.chain.head };
        self.at.offset += header.disk_bytes();
        self.chain.epoch = header.epoch;
        if header.kind == Kind::Group {
            self.chain.next = header.last().next();
            self.chain.head = header.hash(self.body(&header));
        }
        Ok(Ok(step))
    }

    /// The group that `step` just found.
    pub(super) fn group(&self, step: &Step) -> Group {
        let Header { first, count, now, .. } = step.header;
        Group { first, count, now, body: Bytes::copy_from_slice(self.body(&step.header)) }
    }

    fn body(&self, header: &Header) -> &[u8] {
        &self.rest[..header.body_bytes as usize]
    }

    fn look(&mut self, at: Spot) -> Result<Result<Header, Damage>, JournalError> {
        let Some(Readable { file, path, limit }) = self.segments.get(at.segment) else {
            return Ok(Err(Damage::Missing));
        };
        let frame = read_frame(&**file, at.offset, *limit, self.journal, &mut self.rest)
            .map_err(|error| unavailable("read", path.clone())(error))?;
        Ok(frame.map_err(Damage::Frame).and_then(|header| self.chain.check(header, self.epoch_max)))
    }
}

/// Prepared space, or the end of the file.
fn is_nothing(damage: Damage) -> bool {
    matches!(damage, Damage::Frame(FrameFault::Empty | FrameFault::Short))
}

/// Something was written, and it is no frame.
fn is_no_frame(damage: Damage) -> bool {
    matches!(damage, Damage::Frame(_)) && !is_nothing(damage)
}

impl Chain {
    fn check(&self, header: Header, epoch_max: Epoch) -> Result<Header, Damage> {
        if header.first != self.next {
            return Err(Damage::OutOfOrder { found: header.first, expected: self.next });
        }
        if header.previous != self.head {
            return Err(Damage::Unchained);
        }
        if header.epoch < self.epoch || header.epoch > epoch_max {
            let (least, most) = (self.epoch, epoch_max);
            return Err(Damage::Epoch { found: header.epoch, least, most });
        }
        Ok(header)
    }
}
