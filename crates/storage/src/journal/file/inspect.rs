//! What opening a journal would find, without opening it.
//!
//! The same reading and the same verdicts as in a recovery, and none of its
//! changes: no claim, no copy, no zeros. Good for a directory that only may be read.

use std::fmt;
use std::path::PathBuf;

use piecework_core::Position;

use crate::journal::{Bounds, GroupReader, JournalError, Written};

use super::JournalSettings;
use super::disk::Disk;
use super::read::Reader;
use super::recover::{before, examine};

/// A journal at rest.
pub struct Inspection {
    /// As after an open, but for the epoch, which is the last claim's, and for
    /// `synced`: what is proven to be on disk. An open copies what lies above.
    pub bounds: Bounds,
    /// The tail that an open would cut: written, never acknowledged, not whole.
    pub cut: Option<Cut>,
    /// All groups from the oldest on, each checked against the one before it.
    pub groups: GroupReader,
}

/// Where a tail that was torn begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// In which file.
    pub file: PathBuf,
    /// From which byte on.
    pub offset: u64,
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("bounds", &self.bounds)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// Reads the journal on `disk`, which nobody may have open, and changes nothing.
///
/// `trusted`: as in [`super::FileJournal::open`]. Of `settings` only the
/// journal's id counts. Cost: reads all segments.
///
/// # Errors
/// As an open: `Corrupt` when something synced cannot be read back.
pub fn inspect<D: Disk>(
    disk: &D,
    settings: &JournalSettings,
    trusted: Position,
) -> Result<Inspection, JournalError> {
    let (opening, scan) = examine(disk, settings, trusted)?;
    let last = before(scan.chain.next);
    let segments = opening.segments.iter().map(|segment| segment.bytes);
    let bounds = Bounds {
        oldest: opening.claim.oldest,
        next: scan.chain.next,
        head: scan.chain.head,
        synced: scan.proven,
        epoch: opening.claim.epoch,
        bytes: segments.chain(opening.spares.iter().map(|spare| spare.bytes)).sum(),
        segments: opening.segments.iter().filter(|segment| segment.span.is_some()).count(),
        written: Written::default(),
        space_low: false,
    };
    let cut = scan
        .has_torn_tail()
        .then(|| Cut { file: opening.path(scan.broken_at.segment), offset: scan.broken_at.offset });
    let groups = Box::new(Reader::new(opening.walk(), opening.claim.oldest, last));
    Ok(Inspection { bounds, cut, groups })
}
