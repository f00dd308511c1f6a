//! A failing run as text.

use std::fmt::Write as _;

use crate::world::{Failure, Step};

/// Characters of a step that are shown.
const STEP_CHARS_MAX: usize = 600;

/// The steps, numbered, and how they end.
#[must_use]
pub fn story(seed: u64, steps: &[Step], failure: &Failure) -> String {
    let mut text = format!("seed {seed}, {} steps\n", steps.len());
    for (number, step) in steps.iter().enumerate() {
        let mut line = step.to_string();
        if let Some((at, _)) = line.char_indices().nth(STEP_CHARS_MAX) {
            line.truncate(at);
            line.push('…');
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:>5}  {line}", number + 1);
    }
    let _ = writeln!(text, "fails  {failure}");
    text
}
