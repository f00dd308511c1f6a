//! Dynamic overlap: when a task stops buying answers.
//!
//! A task is sure when its confidence reaches the target and it has at least `min`
//! answers, or when it has `max`. Until then one more place opens at a time, so that no
//! answer is bought that the ones still out might make needless.
//!
//! Not here: the confidence (`online.rs`), the places (the engine).

/// How many answers a task buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Answers that are bought in any case, at least one.
    pub min: u16,
    /// Answers that are never exceeded, at least `min`.
    pub max: u16,
    /// The confidence at which it stops, in millionths.
    pub target_ppm: u32,
}

impl Overlap {
    /// Whether a task with `counted` answers and this confidence needs no more.
    #[must_use]
    pub fn is_sure(&self, confidence_ppm: u32, counted: u16) -> bool {
        counted >= self.min.max(1) && confidence_ppm >= self.target_ppm || counted >= self.max
    }

    /// How many answers a task is to have, with so many `counted` and so many leases
    /// `live`: never fewer than both together, for a live lease keeps its place. Equal to
    /// both together where nothing opens: the task is sure, or waits for what is out.
    #[must_use]
    pub fn wanted(&self, confidence_ppm: u32, counted: u16, live: u16) -> u16 {
        let held = counted.saturating_add(live);
        if self.is_sure(confidence_ppm, counted) {
            return held;
        }
        // Below the minimum all places open at once; beyond it one, when none is out.
        let next = counted.saturating_add(live.max(1)).max(self.min.max(1));
        next.min(self.max).max(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAP: Overlap = Overlap { min: 2, max: 5, target_ppm: 950_000 };

    #[test]
    fn the_minimum_opens_at_once_and_then_one_at_a_time() {
        assert_eq!(OVERLAP.wanted(0, 0, 0), 2);
        assert_eq!(OVERLAP.wanted(990_000, 1, 0), 2, "one answer is never enough");
        assert_eq!(OVERLAP.wanted(900_000, 2, 0), 3);
        assert_eq!(OVERLAP.wanted(900_000, 2, 1), 3, "the one that is out may make it sure");
        assert_eq!(OVERLAP.wanted(900_000, 3, 0), 4);
        assert_eq!(OVERLAP.wanted(900_000, 5, 0), 5);
    }

    #[test]
    fn a_sure_task_wants_what_it_has_and_what_is_out() {
        assert_eq!(OVERLAP.wanted(950_000, 2, 1), 3);
        assert_eq!(OVERLAP.wanted(950_000, 3, 0), 3);
        assert_eq!(OVERLAP.wanted(100_000, 4, 3), 7, "a lowered maximum takes no lease away");
        assert!(OVERLAP.is_sure(100_000, 5) && !OVERLAP.is_sure(949_000, 4));
        assert!(!OVERLAP.is_sure(1_000_000, 1));
    }
}
