//! Waiting for what can only be asked, not awaited.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Long for any of these daemons, also on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits for what must come; fails after half a minute.
pub(crate) async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let waited = timeout(WITHIN, coming).await;
    waited.unwrap_or_else(|_| panic!("waited {} s in vain until {what}", WITHIN.as_secs()))
}

/// Asks again and again until the answer is `Some`; fails after half a minute.
pub(crate) async fn wait_until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut every = interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        loop {
            every.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    in_time(what, looking).await
}

/// Lets real time pass where that is what a test is about: an outage, a stopped process.
pub(crate) async fn time_passes(for_so_long: Duration) {
    // tidy-expect(sleep): the length is the fault itself, nothing is waited for
    sleep(for_so_long).await;
}
