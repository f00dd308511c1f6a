//! What tests and benches outside of this crate need of its inside.

mod request;
mod wire;

pub use request::{World, methods, request, seeds};
pub use wire::{LeaseReplies, submit_command};
