//! The work beside the commits: preparing segments, freeing trimmed ones.
//!
//! A job carries the claim that is true once it is done, and the claim is
//! stored where the invariant of `claim.rs` asks: after a new segment is
//! zeroed and before it is used, before a trimmed one is reused or removed. It
//! is also stored when the journal goes idle: the last group and the marker that
//! proves it lie in one file, and only the claim tells when that is emptied.

use std::io;
use std::sync::Arc;

use super::claim::Claim;
use super::disk::Disk;
use super::segment::{Segment, Spare, file_name, prepare};

/// One piece of that work. At most one is under way.
#[derive(Debug)]
pub(super) enum Job<F> {
    /// Make a file ready and list it.
    Prepare {
        number: u64,
        bytes: u64,
        /// Zero this one instead of making a new one.
        recycled: Option<Arc<F>>,
        /// A group waits for it: it goes behind the current segment, else behind all.
        awaited: bool,
        claim: Claim,
    },
    /// List `trimmed` no more; keep some of them as spares and remove the others.
    Release { trimmed: Vec<Segment<F>>, keep: usize, claim: Claim },
    /// Say how far everything is durable.
    Claim { claim: Claim },
}

/// What a job left behind.
#[derive(Debug)]
pub(super) enum Done<F> {
    Prepared(Arc<F>),
    Released(Vec<Spare<F>>),
    Claimed,
}

/// A job that was not done.
#[derive(Debug)]
pub(super) struct Undone<F> {
    /// A file that was made all the same. The claim on disk may list it.
    pub(super) made: Option<Arc<F>>,
    pub(super) error: io::Error,
}

impl<F> Job<F> {
    /// Does it. Cost: may write a whole segment.
    ///
    /// # Errors
    /// The claim on disk is the old one or the job's; either is right.
    pub(super) fn run<D: Disk<File = F>>(&self, disk: &D) -> Result<Done<F>, Undone<F>> {
        let undone = |error| Undone { made: None, error };
        match self {
            Job::Prepare { number, bytes, recycled, claim, .. } => {
                let file = prepare(disk, *number, *bytes, recycled.clone()).map_err(undone)?;
                match claim.store(disk) {
                    Ok(()) => Ok(Done::Prepared(file)),
                    Err(error) => Err(Undone { made: Some(file), error }),
                }
            }
            Job::Release { trimmed, keep, claim } => {
                claim.store(disk).map_err(undone)?;
                for segment in &trimmed[*keep..] {
                    disk.remove(&file_name(segment.number)).map_err(undone)?;
                }
                let kept = trimmed[..*keep].iter().map(|segment| Spare {
                    number: segment.number,
                    file: Arc::clone(&segment.file),
                    bytes: segment.bytes,
                });
                Ok(Done::Released(kept.collect()))
            }
            Job::Claim { claim } => claim.store(disk).map(|()| Done::Claimed).map_err(undone),
        }
    }
}
