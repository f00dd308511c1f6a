//! Repeating calls that may be repeated.
//!
//! Lost calls and passing refusals are tried again until a deadline, after a
//! pause that doubles from try to try and is spread at random, so that a crowd
//! of clients does not come back in step. The daemon's own `RetryInfo` is the
//! least that is waited.
//!
//! Which calls are safe is written at each in the `.proto` files: all reads,
//! and every change that carries its natural key or a `request_id`.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Response, Status};

use crate::error::CallError;
use crate::request_id::random;

/// How often and how long to try again.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    within: Duration,
    first: Duration,
    longest: Duration,
}

impl Retry {
    /// Tries again for at most so long after the first failure in a row.
    #[must_use]
    pub fn within(within: Duration) -> Self {
        Self { within, first: Duration::from_millis(50), longest: Duration::from_secs(2) }
    }

    /// Tries once.
    #[must_use]
    pub fn never() -> Self {
        Self::within(Duration::ZERO)
    }

    /// Calls until it works, is refused for good, or the time is over.
    ///
    /// `call` is made anew for each try and must be safe to repeat.
    ///
    /// # Errors
    /// The last try's.
    pub async fn call<T, F, Fut>(&self, mut call: F) -> Result<T, CallError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let mut deadline = None;
        for attempt in 0.. {
            let error = match call().await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => CallError::from(status),
            };
            let pause = self.pause(attempt, &error);
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.within);
            if !error.is_passing() || Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
        unreachable!("the loop only ends by returning")
    }

    /// As `call`, with a service's client and a request that are cloned for each try:
    /// `retry.send(&client.dispatch(), &request, |mut s, r| async move { s.lease(r).await })`.
    ///
    /// # Errors
    /// The last try's.
    pub async fn send<S, R, T, F, Fut>(
        &self,
        service: &S,
        request: &R,
        call: F,
    ) -> Result<T, CallError>
    where
        S: Clone,
        R: Clone,
        F: Fn(S, R) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.call(|| call(service.clone(), request.clone())).await
    }

    /// How long to wait after the `attempt`-th try, from 0, failed with `error`.
    pub(crate) fn pause(&self, attempt: u32, error: &CallError) -> Duration {
        let full = self.first.saturating_mul(1 << attempt.min(16)).min(self.longest);
        // Between half and all of it.
        let spread = full / 2 + full.mul_f64((random() >> 11) as f64 / (1_u64 << 53) as f64) / 2;
        let least = error.refused().and_then(|refused| refused.retry_after).unwrap_or_default();
        spread.max(least)
    }
}

impl Default for Retry {
    /// A restart of the daemon is ridden out.
    fn default() -> Self {
        Self::within(Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn tries(retry: Retry, failures: u32, status: fn() -> Status) -> (bool, u32) {
        let calls = AtomicU32::new(0);
        let outcome = retry
            .call(|| async {
                let before = calls.fetch_add(1, Ordering::Relaxed);
                if before < failures { Err(status()) } else { Ok(Response::new(())) }
            })
            .await;
        (outcome.is_ok(), calls.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn lost_calls_are_tried_again() {
        let lost = || Status::unavailable("connection refused");
        assert_eq!(tries(Retry::default(), 5, lost).await, (true, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_for_good_is_not() {
        let no = || Status::not_found("no such project");
        assert_eq!(tries(Retry::default(), 1, no).await, (false, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_it() {
        let lost = || Status::unavailable("connection refused");
        let began = Instant::now();
        let (worked, calls) = tries(Retry::within(Duration::from_secs(5)), u32::MAX, lost).await;
        assert!(!worked && calls > 3, "{calls}");
        assert!(began.elapsed() <= Duration::from_secs(5));
        assert_eq!(tries(Retry::never(), u32::MAX, lost).await, (false, 1));
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let retry = Retry::default();
        let lost = CallError::from(Status::unavailable(""));
        assert!(retry.pause(0, &lost) <= Duration::from_millis(50));
        assert!(retry.pause(0, &lost) >= Duration::from_millis(25));
        let late = retry.pause(40, &lost);
        assert!(late >= Duration::from_secs(1) && late <= Duration::from_secs(2), "{late:?}");
    }
}
