//! Ids that make a call safe to repeat.

use uuid::Uuid;

/// A new id: unique, and in order of time where somebody reads a log.
#[must_use]
pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// A random number, for spreading retries. Not for secrets.
pub(crate) fn random() -> u64 {
    // The lower half of a version 7 id is random but for its two highest bits.
    Uuid::now_v7().as_u64_pair().1 << 2
}
