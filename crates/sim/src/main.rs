//! `piecework-sim`: run seeds, replay one, run one twice.

fn main() {}
