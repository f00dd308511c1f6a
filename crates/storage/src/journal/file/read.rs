//! Reading the durable groups of an open journal.
//!
//! A reader holds its files open, so a trim does not disturb it, and stops at
//! what was durable when it was made, so it never sees a frame being written.

use piecework_core::Position;

use crate::journal::frame::Kind;
use crate::journal::{Group, JournalError};

use super::disk::DiskFile;
use super::walk::Walk;

/// Groups from one position to another.
#[derive(Debug)]
pub(super) struct Reader<F> {
    walk: Walk<F>,
    from: Position,
    through: Position,
    ended: bool,
}

impl<F: DiskFile> Reader<F> {
    /// `walk` starts at or before the group that holds `from`. Everything up
    /// to `through` is durable.
    pub(super) fn new(walk: Walk<F>, from: Position, through: Position) -> Reader<F> {
        Reader { walk, from, through, ended: false }
    }

    fn next_group(&mut self) -> Result<Option<Group>, JournalError> {
        while self.walk.chain.next <= self.through {
            match self.walk.step()? {
                Ok(step) if step.header.kind == Kind::Group && step.header.last() >= self.from => {
                    return Ok(Some(self.walk.group(&step)));
                }
                Ok(_) => {}
                Err(what) => {
                    let at = self.walk.at;
                    return Err(JournalError::Corrupt {
                        file: self.walk.segments[at.segment].path.clone(),
                        offset: at.offset,
                        position: self.walk.chain.next,
                        what,
                    });
                }
            }
        }
        Ok(None)
    }
}

impl<F: DiskFile> Iterator for Reader<F> {
    type Item = Result<Group, JournalError>;

    fn next(&mut self) -> Option<Result<Group, JournalError>> {
        if self.ended {
            return None;
        }
        let next = self.next_group().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
