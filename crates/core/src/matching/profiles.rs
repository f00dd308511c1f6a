//! The profiles of one tenant, and what makes them out of date.
//!
//! A project whose rules change gets a new stamp; a profile judges what was stamped
//! since it last looked, a bounded number at a time. A threshold that nobody asked
//! for before, or another block list, may tell workers apart that were alike: then
//! the generation moves, and every worker's traits are taken anew when it next asks.
//!
//! Not here: one profile (`profile.rs`), whom it stands for (`traits.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::matching::fairness::Account;
use crate::matching::profile::{Profile, ProfileId};
use crate::matching::traits::{Thresholds, Traits};
use crate::project::ProjectSpec;
use crate::requester::Requester;
use crate::{ProjectId, RequesterId, WallTime};

/// All profiles of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    /// `None`: a pick has it in hand.
    of: BTreeMap<ProfileId, Option<Box<Profile>>>,
    by_traits: BTreeMap<Traits, ProfileId>,
    last: u64,
    pub(crate) thresholds: Thresholds,
    /// Requesters with a block list or an allow list.
    pub(crate) listing: BTreeSet<RequesterId>,
    pub(crate) generation: u64,
    stamps: BTreeMap<u64, ProjectId>,
    last_stamp: u64,
}

/// Which profile a worker has, and for how long that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) profile: ProfileId,
    /// Of the thresholds; `None`: something about the worker has changed.
    pub(crate) generation: Option<u64>,
    /// Skills expire: it holds from the one wall time until before the other.
    pub(crate) holds: (WallTime, WallTime),
}

impl Profiles {
    /// A project's rules are new: thresholds, and a stamp for every profile to see.
    pub(crate) fn add_rules(&mut self, spec: &ProjectSpec) {
        self.generation += u64::from(self.thresholds.add(spec));
    }

    pub(crate) fn remove_rules(&mut self, spec: &ProjectSpec) {
        self.thresholds.remove(spec);
    }

    /// Who a requester keeps away may be another.
    pub(crate) fn list(&mut self, requester: &Requester) {
        let lists = !requester.blocked_workers.is_empty() || !requester.allowed_workers.is_empty();
        let listed = self.listing.remove(&requester.id);
        if lists {
            self.listing.insert(requester.id);
        }
        self.generation += u64::from(lists || listed);
    }

    /// Every profile is to judge the project (again). `old`: its stamp so far.
    pub(crate) fn stamp(&mut self, old: u64, project: ProjectId) -> u64 {
        self.stamps.remove(&old);
        self.last_stamp += 1;
        self.stamps.insert(self.last_stamp, project);
        self.last_stamp
    }

    /// Projects that were stamped after `seen`, with their stamps.
    pub(crate) fn stamped_since(&self, seen: u64) -> impl Iterator<Item = (u64, ProjectId)> + '_ {
        self.stamps.range(seen + 1..).map(|(stamp, project)| (*stamp, *project))
    }

    /// All projects of the tenant, those first whose rules changed last.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = ProjectId> + '_ {
        self.stamps.values().rev().copied()
    }

    /// Nothing is left of a project.
    pub(crate) fn drop_project(&mut self, stamp: u64, project: ProjectId) {
        self.stamps.remove(&stamp);
        self.all_mut().for_each(|profile| profile.remove(project));
    }

    /// A requester's time in a tier may have sunk.
    pub(crate) fn reseat(&mut self, account: Account, time: u64) {
        self.all_mut().for_each(|profile| profile.reseat(account, time));
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Profile> {
        self.of.values_mut().flatten().map(AsMut::as_mut)
    }

    /// One more worker with these traits, and one less with those of `old`.
    /// Returns its profile, and the one that nobody is left in.
    pub(crate) fn move_worker(
        &mut self,
        old: Option<ProfileId>,
        traits: Traits,
    ) -> (ProfileId, Option<(ProfileId, Box<Profile>)>) {
        let id = self.by_traits.get(&traits).copied().unwrap_or_else(|| {
            self.last += 1;
            let id = ProfileId(self.last);
            self.by_traits.insert(traits.clone(), id);
            self.of.insert(id, Some(Box::new(Profile::new(traits))));
            id
        });
        if let Some(profile) = self.get_mut(id) {
            profile.workers += 1;
        }
        let gone = old.filter(|old| {
            self.get_mut(*old).is_some_and(|profile| {
                profile.workers -= 1;
                profile.workers == 0
            })
        });
        let gone = gone.and_then(|old| Some((old, self.of.remove(&old)??)));
        if let Some((_, profile)) = &gone {
            self.by_traits.remove(&profile.traits);
        }
        (id, gone)
    }

    /// The stamp of the newest rules.
    pub(crate) fn last_stamp(&self) -> u64 {
        self.last_stamp
    }

    pub(crate) fn get_mut(&mut self, id: ProfileId) -> Option<&mut Profile> {
        self.of.get_mut(&id)?.as_deref_mut()
    }

    /// Takes a profile in hand, to walk it beside the state.
    pub(crate) fn take(&mut self, id: ProfileId) -> Option<Box<Profile>> {
        self.of.get_mut(&id)?.take()
    }

    pub(crate) fn put_back(&mut self, id: ProfileId, profile: Box<Profile>) {
        self.of.insert(id, Some(profile));
    }

    /// All profiles, for the invariant check.
    pub(crate) fn all(&self) -> impl Iterator<Item = (ProfileId, &Profile)> {
        self.of.iter().filter_map(|(id, profile)| Some((*id, profile.as_deref()?)))
    }
}
