//! How a recording is replayed: by which method, how many of its labels, in which order.
//!
//! Not here: doing so (`player.rs`, `setup.rs`).

use clap::{Args, ValueEnum};
use piecework_client::proto::v1::{Aggregation, DynamicOverlap};

use super::recording::Recording;
use crate::failure::input;

/// The flags that say so.
#[derive(Debug, Clone, PartialEq, Args)]
pub(super) struct Plan {
    /// How answers become results; `default` is what a project gets that does not say
    #[arg(long, value_enum, value_name = "METHOD", default_value = "majority")]
    aggregate: Method,
    /// `fixed`: every label is given; `dynamic`: a task that is sure takes no more of them
    #[arg(long, value_enum, value_name = "WHICH", default_value = "fixed")]
    overlap: Overlap,
    /// With --overlap dynamic: the confidence at which a task is sure, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    target: f64,
    /// With --overlap dynamic: labels that every task takes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    min: u32,
    /// The order of the labels
    #[arg(long, value_enum, value_name = "WHICH", default_value = "file")]
    order: Order,
    /// With --order random: another seed is another order
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
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
        if !(self.target > 0.0 && self.target <= 1.0) {
            let target = self.target;
            return Err(input(format!("--target {target} must be above 0 and at most 1")));
        }
        if self.order == Order::Random {
            recording.shuffle(self.seed);
        }
        // Another plan is another replay.
        if *self != Plan::default() {
            recording.digest.push_str(&format!("-{self:?}"));
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
        let max = most.max(self.min);
        let target_confidence = Some(self.target);
        self.is_dynamic().then_some((self.min, DynamicOverlap { max, target_confidence }))
    }
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            aggregate: Method::Majority,
            overlap: Overlap::Fixed,
            target: 0.95,
            min: 2,
            order: Order::File,
            seed: 1,
        }
    }
}
