//! What the tests share: a daemon to kill, a platform that talks to it, and the
//! command line.

mod command;
mod daemon;
mod http;
mod kinds;
mod platform;
mod reads;
mod refusal;
mod relay;
mod sheet;
mod wait;
pub(crate) mod work;

pub(crate) use command::{Ran, piecework, piecework_at, start_piecework};
pub(crate) use daemon::{Daemon, terminate};
pub(crate) use http::{Page, get};
pub(crate) use kinds::{all_kinds, field};
pub(crate) use platform::{Platform, answer, labelled, wire};
pub(crate) use reads::next_result;
pub(crate) use refusal::{Outcome, refused};
pub(crate) use relay::Relay;
pub(crate) use sheet::{Sheet, label_of};
pub(crate) use wait::{in_time, time_passes, wait_until};
