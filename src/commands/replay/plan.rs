//! How a recording is replayed: by which method, how many of its labels, in which order.
//!
//! Not here: doing so (`player.rs`, `setup.rs`).

use clap::{Args, ValueEnum};
use piecework_client::proto::v1::{Aggregation, DynamicOverlap};

use super::recording::Recording;
use crate::failure::input;

/// What holds where nothing is said.
const TARGET: f64 = 0.95;
const MIN: u32 = 2;
const SEED: u64 = 1;

/// The flags that say so.
#[derive(Debug, Clone, Args)]
pub(super) struct Plan {
    /// How answers become results; `default` is what a project gets that does not say
    #[arg(long, value_enum, value_name = "METHOD", default_value = "majority")]
    aggregate: Method,
    /// `fixed`: every label is given; `dynamic`: a task that is sure takes no more of them
    #[arg(long, value_enum, value_name = "WHICH", default_value = "fixed")]
    overlap: Overlap,
    /// With --overlap dynamic: the confidence at which a task is sure, above 0 and at most 1; by default 0.95
    #[arg(long, value_name = "SHARE")]
    target: Option<f64>,
    /// With --overlap dynamic: labels that every task takes, 1 to 1,000; by default 2
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    min: Option<u32>,
    /// The order of the labels
    #[arg(long, value_enum, value_name = "WHICH", default_value = "file")]
    order: Order,
    /// With --order random: another seed is another order; by default 1
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Method {
    Majority,
    Weighted,
    Online,
    DawidSkene,
    Default,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Overlap {
    Fixed,
    Dynamic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    File,
    Random,
}

impl Plan {
    /// Checks the flags, and puts the labels into their order.
    ///
    /// # Errors
    /// Names the flag that is wrong.
    pub(super) fn prepare(&self, recording: &mut Recording) -> anyhow::Result<()> {
        let target = self.target();
        if !(target > 0.0 && target <= 1.0) {
            return Err(input(format!("--target {target} must be above 0 and at most 1")));
        }
        let (fixed, in_file_order) = (!self.is_dynamic(), self.order == Order::File);
        for (is_idle, flag, needed) in [
            (fixed && self.target.is_some(), "--target", "--overlap dynamic"),
            (fixed && self.min.is_some(), "--min", "--overlap dynamic"),
            (in_file_order && self.seed.is_some(), "--seed", "--order random"),
        ] {
            if is_idle {
                return Err(input(format!("{flag} does nothing without {needed}; say both")));
            }
        }
        if self.order == Order::Random {
            recording.shuffle(self.seed());
        }
        // Another plan is another replay.
        let said = (self.aggregate, self.overlap, target, self.min(), self.order, self.seed());
        let usual = (Method::Majority, Overlap::Fixed, TARGET, MIN, Order::File, SEED);
        if said != usual {
            recording.digest.push_str(&format!("-{said:?}"));
            recording.digest = blake3::hash(recording.digest.as_bytes()).to_hex()[..16].to_owned();
        }
        Ok(())
    }

    pub(super) fn aggregation(&self) -> Aggregation {
        match self.aggregate {
            Method::Majority => Aggregation::Majority,
            Method::Weighted => Aggregation::Weighted,
            Method::Online => Aggregation::Online,
            Method::DawidSkene => Aggregation::DawidSkene,
            Method::Default => Aggregation::Unspecified,
        }
    }

    /// A task that is sure takes no more labels.
    pub(super) fn is_dynamic(&self) -> bool {
        self.overlap == Overlap::Dynamic
    }

    /// The labels that every task takes, and when it takes more. `None`: all of them.
    pub(super) fn dynamic(&self, recording: &Recording) -> Option<(u32, DynamicOverlap)> {
        let most = recording.tasks.iter().map(|task| task.workers).max().unwrap_or(1);
        let max = most.max(self.min());
        let target_confidence = Some(self.target());
        self.is_dynamic().then_some((self.min(), DynamicOverlap { max, target_confidence }))
    }

    fn target(&self) -> f64 {
        self.target.unwrap_or(TARGET)
    }

    fn min(&self) -> u32 {
        self.min.unwrap_or(MIN)
    }

    fn seed(&self) -> u64 {
        self.seed.unwrap_or(SEED)
    }
}
