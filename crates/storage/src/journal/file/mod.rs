//! The journal in files: prepared segments, one durable write a group.
//!
//! ```text
//! append → desk (places the frame) → sync thread: durable write → completion
//!          desk ← keeper thread: prepares segments, writes the claim, frees trimmed ones
//! open:  claim → scan → recover
//! ```
//!
//! The `desk` decides and never does I/O; batches and jobs do the I/O and
//! decide nothing. So threads (`FileJournal`) and a simulator
//! (`SteppedJournal`) drive the very same steps.

mod disk;

mod claim;
mod segment;
mod walk;

mod recover;
mod scan;

mod found;
mod inspect;

mod batch;
mod desk;
mod keeper;
mod read;

mod syncing;
mod threads;

#[cfg(any(test, feature = "testing"))]
mod lying;
#[cfg(any(test, feature = "testing"))]
mod lying_node;
#[cfg(any(test, feature = "testing"))]
mod recording;
#[cfg(any(test, feature = "testing"))]
mod sectors;
#[cfg(any(test, feature = "testing"))]
mod stepped;

#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod inspect_tests;
#[cfg(test)]
mod space_tests;

use std::time::Duration;

use super::JournalId;
use super::frame::BLOCK_BYTES;

pub use disk::{Disk, DiskFile, RealDisk, RealFile};
pub use inspect::{Cut, Inspection, inspect};
#[cfg(any(test, feature = "testing"))]
pub use lying::{LyingDisk, LyingFile};
#[cfg(any(test, feature = "testing"))]
pub use lying_node::PowerCut;
#[cfg(any(test, feature = "testing"))]
pub use recording::{Note, Operation, Recorded, Recording, RecordingDisk, RecordingFile, Replay};
#[cfg(any(test, feature = "testing"))]
pub use stepped::SteppedJournal;
pub use threads::{FileJournal, JournalReader};

/// How a file journal is run. Tiny values suit a simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// Which journal this is; the data directory remembers it.
    pub journal: JournalId,
    /// Bytes of a segment, in whole blocks of 4 KiB; a larger group gets a
    /// segment of its own size.
    pub segment_bytes: u64,
    /// Segments prepared ahead: the next one and the reserve for submits.
    pub ready_segments: usize,
    /// Groups that may wait behind the one in sync; all of them share the next sync.
    pub queued_groups: usize,
    /// A marker follows after this long without a group.
    pub idle: Duration,
    /// At most once in this time an idle journal writes its claim.
    pub claim_every: Duration,
    /// How long to wait before trying again to prepare a segment on a full disk.
    pub space_retry: Duration,
}

impl JournalSettings {
    /// What the daemon uses: segments of 64 MiB, two ahead, a marker after 50 ms.
    #[must_use]
    pub fn new(journal: JournalId) -> JournalSettings {
        JournalSettings {
            journal,
            segment_bytes: 64 * 1024 * 1024,
            ready_segments: 2,
            queued_groups: 1,
            idle: Duration::from_millis(50),
            claim_every: Duration::from_secs(1),
            space_retry: Duration::from_secs(1),
        }
    }

    fn check(&self) {
        assert!(
            self.segment_bytes >= BLOCK_BYTES && self.segment_bytes.is_multiple_of(BLOCK_BYTES),
            "segments of {} bytes are not whole blocks",
            self.segment_bytes
        );
        assert!(self.ready_segments >= 1 && self.queued_groups >= 1);
    }
}
