//! What tests outside of this crate need of its inside.

mod request;

pub use request::{World, methods, request, seeds};
