//! How often the interesting things happened, so that a run that proves nothing fails.

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
    pub(super) promised: u64,
    pub(super) hindered: u64,
    pub(super) drafts: u64,
    pub(super) unclaimed: u64,
}

impl Seen {
    pub(crate) fn list(&self) -> [(&'static str, u64); 16] {
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
            ("explained as open", self.promised),
            ("explained as hindered", self.hindered),
            ("drafts", self.drafts),
            ("unclaimed pushes", self.unclaimed),
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
        self.promised += other.promised;
        self.hindered += other.hindered;
        self.drafts += other.drafts;
        self.unclaimed += other.unclaimed;
    }
}
