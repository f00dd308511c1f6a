//! `DispatchService.Work`: one stream for many workers, as its clients meet it.

mod bad_frames;
mod claims;
mod drafts;
mod ending;
mod life_signs;
mod order;
mod owners;
mod protocol;
