//! What answers are worth: the result of a task, the rating of a worker.

mod majority;
mod rating;

pub(crate) use majority::{aggregate, judge};
pub use rating::{rating, rating_milli};
