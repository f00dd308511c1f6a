//! Kills, stops, refusals to start, and what is found after each of them.

mod directory;
mod drains;
mod kills;
mod starts;
mod stops;
