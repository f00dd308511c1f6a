//! What answers are worth: the result of a task, the rating of a worker.
//!
//! All of it is functions of votes: no clock, no storage, no order of arrival, and floats
//! through `libm` alone. Three layers:
//!
//! - One task: `majority`, `weighted` on classes; `number`; `text` says what compares as equal.
//! - A crowd: `Crowd` is asked after every answer (`online`), a `Refinement` goes through
//!   all votes now and then and teaches it; both are the model of `prior`. `Overlap` says
//!   when a task stops buying.
//! - A worker: a `Judgement` of each answer goes into its `Record`, which has a `Standing`.
//! - A worker's `Rating`: that record as of a time, and what was published of it.
//!
//! Not here: leases and schemas, apart from `verdicts`.

mod cells;
mod dawid_skene;
mod evidence;
mod field;
mod gamma;
mod interval;
mod judgement;
mod majority;
mod number;
mod online;
mod opinion;
mod overlap;
mod prior;
mod rating;
mod record;
mod refinement;
mod said;
mod smoothed;
mod strength;
mod text;
mod verdicts;
mod votes;
mod weighted;

pub use evidence::Evidence;
pub use judgement::{Judgement, Source, Weighed};
pub use majority::majority;
pub use number::{NumberOpinion, number};
pub use online::Crowd;
pub use opinion::{Opinion, ppm};
pub use overlap::Overlap;
pub use prior::can_model;
pub use rating::{Bulletin, Published, Rating};
pub use record::{Basis, Record, Standing, Tally};
pub use refinement::{Refinement, Refiner};
pub use text::normalised;
pub(crate) use verdicts::{Verdicts, aggregate, judge};
pub use votes::{RowVote, VoteTable, Votes};
pub use weighted::weighted;
