//! One lease that the runtime holds: how far it is, and its three times.
//!
//! When it runs out moves with each extension. When life is shown next follows
//! from that: after a third of what is left, so that two signs may be lost.
//! The hard deadline never moves: the project's longest hold, less the time
//! that a return takes, or the handler's own limit.

use std::time::Duration;

use bytes::Bytes;
use piecework_proto::v1::{Lease, ReturnReason};
use tokio::time::Instant;

use super::task::{End, Ended};
use crate::durations::from_proto;

/// Signs of life come no closer than this.
const SIGN_GAP_MIN: Duration = Duration::from_millis(50);
/// So much of the longest hold stays for giving the lease back in time.
const RETURN_MARGIN_MAX: Duration = Duration::from_secs(5);
/// For leases that say nothing of a longest hold.
const HOLD_UNKNOWN: Duration = Duration::from_secs(24 * 3_600);

/// How far a lease is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    /// Waits for a free hand.
    Queued,
    /// A handler is at it. `ended`: it ran out meanwhile; an answer may still be taken.
    Running { ended: Option<Ended> },
    /// Answered; the daemon has not yet said what it makes of it.
    Submitting { answer: Bytes, sent: Sent },
    /// Given back; the daemon has not yet heard of it.
    Returning { reason: ReturnReason, sent: Sent, then: End },
}

/// Whether an operation is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// As this operation of the present stream.
    As(u64),
    /// Not yet, or the stream broke.
    No,
    /// It was put off by the daemon until then.
    NotBefore(Instant),
}

/// One lease.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// In which order they came.
    pub(super) arrival: u64,
    pub(super) stage: Stage,
    pub(super) started: bool,
    /// Failed tries of the operation that ends it.
    pub(super) failures: u32,
    /// When it runs out.
    pub(super) until: Instant,
    /// When life is shown next.
    pub(super) sign_at: Instant,
    /// When the handler is cancelled.
    pub(super) deadline: Instant,
}

impl Held {
    pub(super) fn new(lease: Lease, arrival: u64, heartbeat: Duration, now: Instant) -> Held {
        let remaining = from_proto(lease.remaining);
        let hold = lease.hold_remaining.map_or(HOLD_UNKNOWN, |hold| from_proto(Some(hold)));
        // What can be extended no more ends with its remaining time.
        let hold = hold.max(remaining);
        let deadline = now + (hold - (hold / 10).min(RETURN_MARGIN_MAX));
        let mut held = Held {
            lease,
            arrival,
            stage: Stage::Queued,
            started: false,
            failures: 0,
            until: now,
            sign_at: now,
            deadline,
        };
        held.lasts(remaining, heartbeat, now);
        held
    }

    /// A handler begins; it has at most `within`.
    pub(super) fn start(&mut self, within: Option<Duration>, now: Instant) {
        self.stage = Stage::Running { ended: None };
        self.started = true;
        if let Some(within) = within {
            self.deadline = self.deadline.min(now + within);
        }
    }

    /// The daemon says how long it lasts.
    pub(super) fn lasts(&mut self, remaining: Duration, heartbeat: Duration, now: Instant) {
        self.until = now + remaining;
        self.sign_at = now + next_sign(remaining, heartbeat);
    }

    /// Life was shown; the next sign comes whether or not this one is answered.
    pub(super) fn signed(&mut self, heartbeat: Duration, now: Instant) {
        let left = self.until.saturating_duration_since(now);
        self.sign_at = now + next_sign(left, heartbeat);
    }

    /// Whether somebody works on it, is about to or has an answer that must wait, and it
    /// has not ended.
    pub(super) fn shows_life(&self) -> bool {
        match self.stage {
            Stage::Queued | Stage::Running { ended: None } => true,
            Stage::Submitting { sent, .. } => !matches!(sent, Sent::As(_)),
            Stage::Running { ended: Some(_) } | Stage::Returning { .. } => false,
        }
    }

    /// When something is to be done about it by itself.
    pub(super) fn wake(&self) -> Option<Instant> {
        match self.stage {
            Stage::Queued => Some(self.sign_at),
            Stage::Running { ended: None } => Some(self.sign_at.min(self.deadline)),
            Stage::Running { ended: Some(_) } => Some(self.deadline),
            Stage::Submitting { sent: Sent::NotBefore(at), .. } => Some(at.min(self.sign_at)),
            Stage::Returning { sent: Sent::NotBefore(at), .. } => Some(at),
            Stage::Submitting { .. } | Stage::Returning { .. } => None,
        }
    }

    /// The operation that is on its way for it.
    pub(super) fn operation(&mut self) -> Option<&mut Sent> {
        match &mut self.stage {
            Stage::Queued | Stage::Running { .. } => None,
            Stage::Submitting { sent, .. } | Stage::Returning { sent, .. } => Some(sent),
        }
    }
}

fn next_sign(left: Duration, heartbeat: Duration) -> Duration {
    (left / 3).min(heartbeat).max(SIGN_GAP_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durations::to_proto;

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(remaining: Duration, hold: Duration) -> Lease {
        Lease {
            remaining: Some(to_proto(remaining)),
            hold_remaining: Some(to_proto(hold)),
            ..Lease::default()
        }
    }

    #[test]
    fn life_is_shown_after_a_third_and_never_less_often_than_the_heartbeat() {
        let now = Instant::now();
        let mut held = Held::new(lease(9 * SECOND, 60 * SECOND), 0, 20 * SECOND, now);
        assert_eq!(held.sign_at, now + 3 * SECOND);
        held.lasts(600 * SECOND, 20 * SECOND, now);
        assert_eq!(held.sign_at, now + 20 * SECOND);
        // Unanswered signs come closer and closer.
        held.lasts(9 * SECOND, 20 * SECOND, now);
        held.signed(20 * SECOND, now + 3 * SECOND);
        assert_eq!(held.sign_at, now + 5 * SECOND);
        held.signed(20 * SECOND, now + 9 * SECOND);
        assert_eq!(held.sign_at, now + 9 * SECOND + SIGN_GAP_MIN);
    }

    #[test]
    fn the_hard_deadline_leaves_time_to_return_and_may_only_be_shortened() {
        let now = Instant::now();
        let mut held = Held::new(lease(9 * SECOND, 600 * SECOND), 0, 20 * SECOND, now);
        assert_eq!(held.deadline, now + 595 * SECOND);
        held.start(Some(1_000 * SECOND), now);
        assert_eq!(held.deadline, now + 595 * SECOND);
        held.start(Some(30 * SECOND), now);
        assert_eq!(held.deadline, now + 30 * SECOND);
        let last = Held::new(lease(10 * SECOND, SECOND), 0, 20 * SECOND, now);
        assert_eq!(last.deadline, now + 9 * SECOND, "what is left counts, too");
    }

    #[test]
    fn what_has_ended_shows_no_life() {
        let now = Instant::now();
        let mut held = Held::new(lease(9 * SECOND, 60 * SECOND), 0, 20 * SECOND, now);
        assert!(held.shows_life());
        held.stage = Stage::Running { ended: Some(Ended::Expired) };
        assert!(!held.shows_life());
        assert_eq!(held.wake(), Some(held.deadline));
    }
}
