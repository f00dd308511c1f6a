//! Threads whose work can wait a little: on a machine that is busy they give way to those
//! that a caller waits for.
//!
//! For good: a thread cannot take its priority back. What such a thread falls behind with
//! holds up the callers in the end (the overlay is full, the journal is long), and the
//! cores are its own again.

/// How far, of 19: a tenth of what other threads get of a core that all of them want.
const NICE: i32 = 10;

/// Lowers the priority of the calling thread. Where the system lowers only whole
/// processes, nothing happens.
pub fn give_way() {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::setpriority_process(None, NICE)
    {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a thread");
        tracing::warn!(%error, "{name} has the priority of all other threads");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_gives_way_and_no_other_does() {
        let here = || rustix::process::getpriority_process(None).expect("is known");
        let before = here();
        let there = thread::spawn(move || {
            give_way();
            here()
        });
        assert_eq!(there.join().expect("no panic"), NICE.max(before));
        assert_eq!(here(), before);
    }
}
