//! Who gets what: hard rules, then whose turn, then the order in the project.
//!
//! One formula decides the pick: (tier, requester's virtual time, project's virtual
//! time, first-lapsed places before others, −priority, deadline bucket, ready-at,
//! task number); and at most one grant in ten goes to a project that waits too long.

pub(crate) mod candidates;
pub(crate) mod cursor;
pub(crate) mod eligibility;
pub(crate) mod explain;
pub(crate) mod fairness;
pub(crate) mod order;
pub(crate) mod overdue;
pub(crate) mod pick;
pub(crate) mod places;
pub(crate) mod profile;
pub(crate) mod profiles;
pub(crate) mod rate;
pub(crate) mod traits;
pub(crate) mod why_none;
pub(crate) mod wishes;
