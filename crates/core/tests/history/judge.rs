//! A grant held against the brute-force pick.

use std::collections::BTreeMap;

use piecework_core::project::ProjectTally;
use piecework_core::{ProjectId, TaskId};

use super::brute::{self, Offer};
use super::player::Player;

impl Player {
    /// The project's turn, or the tenth grant of one that waited too long.
    pub(super) fn judge_turn(
        &self,
        offers: &[Offer],
        got: ProjectId,
        before: &BTreeMap<ProjectId, ProjectTally>,
    ) {
        let turn = |p: ProjectId| brute::turn(self.rows(), before, p);
        let ready: Vec<ProjectId> =
            offers.iter().filter(|o| o.ready.is_some()).map(|o| o.project).collect();
        if ready.is_empty() {
            let resting = offers.iter().filter(|o| o.resting.is_some()).map(|o| o.project);
            assert_eq!(resting.min_by_key(|p| turn(*p)), Some(got), "not its turn");
            return;
        }
        let normal = ready.iter().copied().min_by_key(|p| turn(*p));
        if normal == Some(got) {
            return;
        }
        let waited = |p: &ProjectId| self.now.engine - before[p].waiting_since;
        let overdue = ready.into_iter().filter(|p| waited(p) >= self.world.limits.service_gap);
        let overdue = overdue.min_by_key(|p| (before[p].waiting_since, *p));
        assert_eq!(overdue, Some(got), "neither the turn of {got} nor overdue");
    }

    pub(super) fn judge_pick(&mut self, offers: &[Offer], first: Option<TaskId>) {
        let any_ready = offers.iter().any(|o| o.ready.is_some());
        let Some(task) = first else {
            let nothing = offers.iter().all(|o| o.ready.is_none() && o.resting.is_none());
            assert!(nothing, "an empty answer although there is {offers:?}");
            self.seen.empty += 1;
            return;
        };
        let offer = offers.iter().find(|o| o.project == task.project);
        let offer = offer.unwrap_or_else(|| panic!("{task} breaks a hard rule"));
        let best = if any_ready { offer.ready } else { offer.resting };
        assert_eq!(Some(task.number.0), best.map(|key| key.4), "{task} is not the best: {offer:?}");
        self.seen.picks += 1;
        self.seen.resting_picks += u64::from(!any_ready);
    }
}
