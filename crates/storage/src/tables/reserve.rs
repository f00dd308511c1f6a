//! Space that stays free on the tables' disk.
//!
//! A full disk must not meet the store in the middle of a write: a journal that
//! is refused space lives on, a sled that is refused it does not. So nothing is
//! written to it while less than the reserve is free; rows wait in the overlay.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says how many bytes are free where the tables lie.
pub type FreeBytes = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// The reserve, and whether it was there at the last look.
pub(super) struct Reserve {
    free: Option<FreeBytes>,
    bytes: u64,
    is_low: AtomicBool,
}

impl fmt::Debug for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("bytes", &self.bytes)
            .field("is_low", &self.is_low)
            .finish_non_exhaustive()
    }
}

impl Reserve {
    /// `free`: `None` for tables that take no disk.
    pub(super) fn new(bytes: u64, free: Option<FreeBytes>) -> Reserve {
        Reserve { free, bytes, is_low: AtomicBool::new(false) }
    }

    /// Looks whether the reserve is there. Cost: one system call.
    pub(super) fn look(&self) -> bool {
        let Some(free) = &self.free else { return true };
        // A file system that cannot tell is no reason to stop.
        let free = free().unwrap_or(u64::MAX);
        let is_low = free < self.bytes;
        if is_low != self.is_low.swap(is_low, Ordering::Relaxed) {
            let reserve = self.bytes;
            if is_low {
                tracing::warn!(free, reserve, "no checkpoints: the disk is nearly full");
            } else {
                tracing::info!(free, reserve, "checkpoints go on: the disk has room again");
            }
        }
        !is_low
    }

    /// What the last look saw.
    pub(super) fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }
}
