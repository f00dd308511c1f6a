//! Bad input is refused with code, reason and field, and changes nothing.

mod dispatch;
mod fairness;
mod lists;
mod projects;
mod quality;
mod schemas;
mod tasks;
