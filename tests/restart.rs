//! Kills, stops, refusals to start, and what is found after each of them.

mod directory;
mod kills;
mod starts;
mod stops;
