//! What a refinement learned of a crowd, in a form that can be handed on and compared.
//!
//! Not here: learning it (`smoothed.rs`), using it (`online.rs`).

use crate::WorkerId;

/// What is kept of one, and of a millionth: counts are whole thousandths.
const ONE: f64 = 1_000.0;
const MILLION: f64 = 1e6;

/// What a refinement found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Imagined answers of the priors, in millionths: between workers, within one, on
    /// wrong answers.
    strengths: [u64; 3],
    /// Expected number of tasks of each class, in thousandths.
    class_counts: Vec<u64>,
    /// Of all workers together by class given and true class, in thousandths.
    counts: Vec<u64>,
    /// Ascending; each with its counts by class given and true class, in thousandths.
    workers: Vec<(WorkerId, Vec<u32>)>,
}

impl Evidence {
    /// Of these workers, who ascend, the counts by class given and true class.
    pub(super) fn new<'a>(
        strengths: [f64; 3],
        class_counts: &[f64],
        workers: impl Iterator<Item = (WorkerId, &'a [f64])>,
    ) -> Evidence {
        let classes = class_counts.len();
        let mut counts = vec![0; classes * classes];
        let workers = workers.map(|(worker, own)| {
            let own: Vec<u32> = own.iter().map(|n| thousandths(*n)).collect();
            counts.iter_mut().zip(&own).for_each(|(sum, n)| *sum += u64::from(*n));
            (worker, own)
        });
        let workers = workers.collect();
        let class_counts = class_counts.iter().map(|n| whole(n * ONE)).collect();
        Evidence { strengths: strengths.map(|n| whole(n * MILLION)), class_counts, counts, workers }
    }

    /// Choices of the field it is about.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.class_counts.len()
    }

    /// Workers it knows of.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// A worker's counts; `None`: it had no vote.
    pub(super) fn of(&self, worker: WorkerId) -> Option<&[u32]> {
        let at = self.workers.binary_search_by_key(&worker, |(id, _)| *id).ok()?;
        Some(&self.workers[at].1)
    }

    pub(super) fn strengths(&self) -> [f64; 3] {
        self.strengths.map(|n| n as f64 / MILLION)
    }

    pub(super) fn class_counts(&self) -> &[u64] {
        &self.class_counts
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }
}

/// A count in thousandths, as it is kept.
pub(super) fn thousandths(count: f64) -> u32 {
    u32::try_from(whole(count * ONE)).unwrap_or(u32::MAX)
}

fn whole(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    let whole = libm::round(number).clamp(0.0, 9e15) as u64;
    whole
}
