//! What can be wrong with pages beside the store.

use crate::tables::key_value::KeyValueError;
use crate::tables::values::Misread;

/// The store and the files of pages contradict each other.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    /// A place cannot be read.
    #[error("where a page lies cannot be read")]
    Place(#[source] Misread),
    /// A place has too many bytes, or too few.
    #[error("where a page lies is written in too many bytes, or too few")]
    PlaceLength,
    /// A count of live bytes cannot be read.
    #[error("how much of file {0} is used cannot be read")]
    Count(u32, #[source] Misread),
    /// A file that pages lie in is not there.
    #[error("file {0} of pages is not there")]
    NoFile(u32),
    /// A file ends before a page that lies in it.
    #[error("file {0} of pages is cut off")]
    CutOff(u32),
    /// Pages that lie in a file are not those that were counted.
    #[error("file {0} has other pages than were counted")]
    Miscounted(u32),
}

impl Damage {
    pub(super) fn found(self, doing: &'static str) -> KeyValueError {
        KeyValueError::Damaged { doing, source: Box::new(self) }
    }
}
