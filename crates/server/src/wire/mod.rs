//! Between messages and the domain: nobody else converts.
//!
//! `from_wire` checks and parses requests, `to_wire` writes replies; names,
//! tokens, masks and filters are the small grammars inside them. Everything here
//! is a function of its arguments: no clock, no store, no inbox.

pub(crate) mod failure;

pub(crate) mod bulk;
pub(crate) mod field;
pub(crate) mod filter;
pub(crate) mod from_wire;
pub(crate) mod invalid;
pub(crate) mod mask;
pub(crate) mod names;
pub(crate) mod status;
pub(crate) mod to_wire;
pub(crate) mod tokens;
