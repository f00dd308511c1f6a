//! What happens to tasks, leases, answers and results, as the API shows it.

mod choice;
mod end_to_end;
mod expiry;
mod explained;
mod kinds;
mod quality;
mod rating;
mod reading;
mod retries;
mod stopping;
mod tasks;
mod watching;
