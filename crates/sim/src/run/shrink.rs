//! From a failing run to a story short enough to read.
//!
//! Leaves out ever smaller stretches of steps as long as the run still fails in
//! the same way.

use std::time::{Duration, Instant};

use super::{Run, replay};
use crate::world::{Failure, Step};

/// The steps that still fail in the same way, and how. Stops after `patience`.
#[must_use]
pub fn shrink(run: &Run, patience: Duration) -> Option<(Vec<Step>, Failure)> {
    let mut failure = run.failure.clone()?;
    let mut steps = run.steps.clone();
    // A run that did not drain fails by where it ends, not by a step.
    let began = Instant::now();
    let mut stretch = steps.len() / 2;
    while stretch > 0 {
        let mut at = 0;
        while at < steps.len() {
            if began.elapsed() > patience {
                return Some((steps, failure));
            }
            let mut fewer = steps.clone();
            fewer.drain(at..(at + stretch).min(steps.len()));
            match replay(run.seed, &fewer) {
                Some(found) if found.kind == failure.kind => {
                    failure = found;
                    steps = fewer;
                }
                _ => at += stretch,
            }
        }
        stretch /= 2;
    }
    Some((steps, failure))
}
