//! Asking the daemon to end, and by when.
//!
//! Signals and `AdminService.Drain` meet here, so that there is one road to the
//! end. Whoever asks first says when it is over; a signal may bring that
//! forward, nothing puts it off.
//!
//! Not here: what happens then (`serve.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Journal and tables get the rest of the time, at most this.
const RESERVE_MAX: Duration = Duration::from_secs(5);

/// Whether the daemon was asked to end. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    over: Arc<watch::Sender<Option<Span>>>,
    by_default: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    begun: Instant,
    until: Instant,
}

impl Span {
    fn new(begun: Instant, length: Duration) -> Span {
        Span { begun, until: begun + length }
    }

    /// Until here calls and streams may go on.
    fn calls_until(self) -> Instant {
        let all = self.until.saturating_duration_since(self.begun);
        self.until - (all / 2).min(RESERVE_MAX)
    }

    /// Whichever ends sooner.
    fn sooner(self, other: Span) -> Span {
        if other.until < self.until { other } else { self }
    }
}

impl Drain {
    /// Nobody has asked. `by_default`: how long the end may take.
    pub(crate) fn new(by_default: Duration) -> Drain {
        Drain { over: Arc::new(watch::Sender::new(None)), by_default }
    }

    /// Asks, unless somebody did before. Returns how long the end may still take.
    pub(crate) fn ask(&self, within: Option<Duration>) -> Duration {
        let asked = Span::new(Instant::now(), within.unwrap_or(self.by_default));
        self.change(|over| over.unwrap_or(asked));
        self.remaining()
    }

    /// Asks, and waits no longer than by default for an end that was asked for before.
    pub(crate) fn hurry(&self) {
        let soon = Span::new(Instant::now(), self.by_default);
        self.change(|over| over.map_or(soon, |over| over.sooner(soon)));
    }

    fn change(&self, to: impl FnOnce(Option<Span>) -> Span) {
        self.over.send_if_modified(|over| {
            let before = *over;
            *over = Some(to(before));
            *over != before
        });
    }

    /// How long the end may still take; zero where nobody has asked for it.
    pub(crate) fn remaining(&self) -> Duration {
        let until = self.over.borrow().map(|over| over.until);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// How long streams may go on, so that they end before they are cut.
    pub(crate) fn streams_within(&self) -> Duration {
        let until = self.over.borrow().map_or_else(Instant::now, Span::calls_until);
        until.saturating_duration_since(Instant::now()) * 4 / 5
    }

    /// Returns once somebody has asked.
    pub(crate) async fn asked(&self) {
        // We hold the sender, so the wait cannot fail.
        let _ = self.over.subscribe().wait_for(Option::is_some).await;
    }

    /// Returns once calls and streams have had their time.
    pub(crate) async fn calls_are_over(&self) {
        let mut over = self.over.subscribe();
        loop {
            let span = *over.borrow_and_update();
            let up = async {
                match span {
                    Some(span) => sleep_until(span.calls_until()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = up => return,
                _ = over.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn calls_get_half_of_a_short_end_and_nearly_all_of_a_long_one() {
        let begun = Instant::now();
        let calls = |length| Span::new(begun, length).calls_until() - begun;
        assert_eq!(calls(10 * SECOND), 5 * SECOND);
        assert_eq!(calls(60 * SECOND), 55 * SECOND);
    }

    #[tokio::test]
    async fn the_first_to_ask_says_how_long_and_a_signal_shortens_it() {
        let drain = Drain::new(10 * SECOND);
        assert_eq!(drain.remaining(), Duration::ZERO);
        assert!(drain.ask(Some(600 * SECOND)) > 590 * SECOND);
        drain.asked().await;
        assert!(drain.ask(Some(SECOND)) > 590 * SECOND, "it is asked for already");
        drain.hurry();
        let left = drain.remaining();
        assert!(left > SECOND && left <= 10 * SECOND, "{left:?}");
        drain.hurry();
        assert!(drain.remaining() <= left, "nothing puts it off");
    }
}
