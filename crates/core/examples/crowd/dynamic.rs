//! Dynamic overlap, replayed: labels come in an order, and a task that is sure takes no
//! more.
//!
//! Every so many answers bought a refinement looks at them, and comes back some answers
//! later; in between the online posterior decides. At the end a refinement settles.
//!
//! Not here: the rule and the methods, which are the crate's.

use std::collections::BTreeMap;
use std::sync::Arc;

use piecework_core::WorkerId;
use piecework_core::quality::{Crowd, Evidence, Overlap, Refinement, Refiner};

use crate::data::{Answer, Set};

/// How often a refinement starts, and how long it takes; in answers bought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) every: usize,
    pub(crate) lag: usize,
}

/// What came of a replay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Percent of the tasks answered right in the end.
    pub(crate) accuracy: f64,
    /// Percent of the labels bought.
    pub(crate) used: f64,
}

struct Pending {
    due: usize,
    evidence: Option<Arc<Evidence>>,
    /// Of each task how many votes it had counted.
    covered: Vec<usize>,
}

/// Replays `order` (places in the set's answers).
pub(crate) fn replay(set: &Set, order: &[usize], overlap: Overlap, pace: Pace) -> Outcome {
    let mut crowd = Crowd::new(set.classes);
    let mut votes: Vec<Vec<(WorkerId, u16)>> = vec![Vec::new(); set.tasks];
    let mut covered = vec![0; set.tasks];
    let mut is_sure = vec![false; set.tasks];
    let mut bought: Vec<Answer> = Vec::new();
    let mut pending: Option<Pending> = None;
    for place in order {
        let answer = set.answers[*place];
        if is_sure[answer.task] {
            continue;
        }
        bought.push(answer);
        votes[answer.task].push((answer.worker, answer.class));
        if pending.is_none() && bought.len().is_multiple_of(pace.every) {
            let refined =
                Refinement::start(set.votes(&bought).table(), Refiner::Smoothed).settled();
            pending = Some(Pending {
                due: bought.len() + pace.lag,
                evidence: refined.evidence(),
                covered: votes.iter().map(Vec::len).collect(),
            });
        }
        let mut looked_at = vec![answer.task];
        if let Some(done) = pending.take_if(|p| p.due <= bought.len()) {
            if let Some(evidence) = &done.evidence {
                crowd.adopt(evidence);
            }
            covered = done.covered;
            looked_at = (0..set.tasks).collect();
        }
        for task in looked_at {
            if is_sure[task] || votes[task].is_empty() {
                continue;
            }
            let opinion = crowd.opinion(&votes[task]);
            if overlap.is_sure(opinion.confidence_ppm(), answers(votes[task].len())) {
                is_sure[task] = true;
                crowd.learn(&votes[task][covered[task]..], &opinion.posterior);
            }
        }
    }
    let settled = Refinement::start(set.votes(&bought).table(), Refiner::Smoothed).settled();
    let answers: BTreeMap<u32, u16> =
        settled.opinions().map(|(t, o)| (t.0 - 1, o.answer)).collect();
    let answers: Vec<Option<u16>> =
        (0u32..).take(set.tasks).map(|t| answers.get(&t).copied()).collect();
    Outcome {
        accuracy: set.accuracy(&answers),
        used: 100.0 * bought.len() as f64 / set.answers.len() as f64,
    }
}

fn answers(votes: usize) -> u16 {
    u16::try_from(votes).unwrap_or(u16::MAX)
}

/// A random order of so many: Fisher and Yates with splitmix64.
pub(crate) fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        let place = next() % (last as u64 + 1);
        order.swap(last, usize::try_from(place).expect("below a length"));
    }
    order
}
