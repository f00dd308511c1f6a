//! How often the interesting things happened, so that a run that proves nothing fails.

use piecework_core::event::{Fell, Method, What};

/// How often interesting things happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(super) expiries: u64,
    pub(super) late: u64,
    pub(super) returns: u64,
    pub(super) cancels: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) retries: u64,
    pub(super) restarts: u64,
    pub(super) fetched: u64,
    pub(super) picks: u64,
    pub(super) resting_picks: u64,
    pub(super) empty: u64,
    pub(super) drafts: u64,
    pub(super) unclaimed: u64,
    pub(super) promised: u64,
    pub(super) hindered: u64,
    /// Results by each method that needs no refinement.
    by_first: u64,
    by_majority: u64,
    by_weight: u64,
    by_crowd: u64,
    collected: u64,
    /// Votes by kind of field.
    classes: u64,
    options: u64,
    numbers: u64,
    texts: u64,
}

impl Seen {
    pub(crate) fn list(&self) -> [(&'static str, u64); 25] {
        [
            ("expiries", self.expiries),
            ("late submits", self.late),
            ("returns", self.returns),
            ("cancels", self.cancels),
            ("tasks done", self.done),
            ("tasks failed", self.failed),
            ("retries", self.retries),
            ("restarts", self.restarts),
            ("cold tasks", self.fetched),
            ("picks", self.picks),
            ("picks of resting places", self.resting_picks),
            ("empty answers", self.empty),
            ("drafts", self.drafts),
            ("unclaimed pushes", self.unclaimed),
            ("explained as open", self.promised),
            ("explained as hindered", self.hindered),
            ("results by the first answer", self.by_first),
            ("results by majority", self.by_majority),
            ("results by weight", self.by_weight),
            ("results by the online posterior", self.by_crowd),
            ("collected answers", self.collected),
            ("votes on classes", self.classes),
            ("votes on options", self.options),
            ("votes on numbers", self.numbers),
            ("votes on texts", self.texts),
        ]
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        self.expiries += other.expiries;
        self.late += other.late;
        self.returns += other.returns;
        self.cancels += other.cancels;
        self.done += other.done;
        self.failed += other.failed;
        self.retries += other.retries;
        self.restarts += other.restarts;
        self.fetched += other.fetched;
        self.picks += other.picks;
        self.resting_picks += other.resting_picks;
        self.empty += other.empty;
        self.drafts += other.drafts;
        self.unclaimed += other.unclaimed;
        self.promised += other.promised;
        self.hindered += other.hindered;
        self.by_first += other.by_first;
        self.by_majority += other.by_majority;
        self.by_weight += other.by_weight;
        self.by_crowd += other.by_crowd;
        self.collected += other.collected;
        self.classes += other.classes;
        self.options += other.options;
        self.numbers += other.numbers;
        self.texts += other.texts;
    }

    /// Counts a result's method and the kinds of its votes.
    pub(super) fn event(&mut self, what: &What) {
        let What::Result(result) = what else { return };
        match result.method {
            Method::First => self.by_first += 1,
            Method::Majority => self.by_majority += 1,
            Method::Weighted => self.by_weight += 1,
            Method::Online => self.by_crowd += 1,
            Method::Collected => self.collected += 1,
            Method::Smoothed | Method::DawidSkene | Method::Requester => {}
        }
        for votes in &result.votes {
            match votes.fell {
                Fell::Classes(_) => self.classes += 1,
                Fell::Options { .. } => self.options += 1,
                Fell::Numbers(_) => self.numbers += 1,
                Fell::Texts { .. } => self.texts += 1,
            }
        }
    }
}
