//! The tables through the crate's face: what goes in as changes comes out as
//! nouns, as an image and as a digest, whatever happens in between.

mod checkpoints;
mod damage;
mod earlier;
mod group_body;
mod groups;
mod image;
mod imports;
mod model;
mod opening;
mod reads;
mod samples;
mod scrubs;
mod settled;
mod together;
