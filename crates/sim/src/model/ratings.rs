//! What answers do to ratings.
//!
//! The formulas of evidence and standing are those of `piecework_core::quality`; which
//! evidence there is, when, of whom and in which skill areas is found anew.

use piecework_core::event::WorkerEvent;
use piecework_core::lease::{Judged, Lease, LeaseState};
use piecework_core::project::Aggregation;
use piecework_core::quality::{Judgement, Opinion, Published, Rating, Record, Weighed};
use piecework_core::schema::FieldKind;
use piecework_core::{LeaseId, Millis, ProjectId, TaskId, WorkerId};

use super::Model;
use super::votes::{class, facts, votes_on};
use super::written::RowKey;

impl Model {
    /// The time of a counted answer is held against the median before it.
    pub(super) fn time(&mut self, who: WorkerId, project: ProjectId, took: Millis, median: Millis) {
        let areas = self.areas(who, project);
        self.change_rating(who, &areas, |record| record.time(took, median));
    }

    /// Each counted answer is held against those of the others. What an earlier result
    /// said of it is taken back where that counted; what this one says counts where the
    /// project's own requirements ask for skills now. A rating is told after twenty more
    /// judged answers.
    pub(super) fn rate(&mut self, id: TaskId) {
        let counted = self.tasks[&id].leases.iter().filter(|l| l.counted().is_some());
        let newest = counted.map(|l| l.revision).max();
        let collects = |of| self.terms(id.project, of).aggregation == Aggregation::Collect;
        // Collected answers are never judged.
        if newest.is_some_and(collects) {
            return;
        }
        for (lease, says) in self.judged(id) {
            let before = self.lease(lease).expect("a lease of the task").clone();
            let (who, was) = (before.worker, facts(&before).judged.clone());
            if was.as_ref().map(|judged| judged.says) == says {
                continue;
            }
            let areas = self.areas(who, id.project);
            let is = says.map(|says| Judged { says, areas });
            if let Some(Judged { says, areas }) = was {
                self.change_rating(who, &areas, |record| record.unjudge(says.by_agreement()));
            }
            if let Some(Judged { says, areas }) = &is {
                self.change_rating(who, areas, |record| record.judge(says.by_agreement()));
            }
            if let LeaseState::Submitted(submitted) = &mut self.edit_lease(lease).state {
                submitted.judged = is;
            }
            self.publish(who);
        }
    }

    /// Per counted answer, in the order of leases: field by field by the shares of the
    /// others' votes, then all fields as one.
    fn judged(&self, id: TaskId) -> Vec<(LeaseId, Option<Weighed>)> {
        let task = &self.tasks[&id];
        let counted: Vec<&Lease> = task.leases.iter().filter(|l| l.counted().is_some()).collect();
        let Some(revision) = counted.iter().map(|l| l.revision).max() else { return Vec::new() };
        let fields = &self.terms(id.project, revision).schema.fields;
        let mut judged = Vec::new();
        for lease in &counted {
            let others: Vec<&Lease> =
                counted.iter().copied().filter(|l| l.id != lease.id).collect();
            let mut said = Vec::new();
            for (index, field) in fields.iter().enumerate() {
                let classes = match &field.kind {
                    FieldKind::Choice(choices) => choices.len(),
                    FieldKind::Boolean => 2,
                    _ => continue,
                };
                let Some(own) = class(lease, index) else { continue };
                let votes = votes_on(index, &others);
                let cast: u32 = votes.iter().map(|(_, n)| n).sum();
                let mut shares = vec![0.0; classes];
                for (choice, n) in votes {
                    shares[usize::from(choice)] = f64::from(n) / f64::from(cast);
                }
                if cast > 0 {
                    let others = Opinion::of(shares, cast as usize);
                    said.extend(Judgement::by_agreement(own, &others));
                }
            }
            let one = Judgement::of_fields(&said);
            judged.push((lease.id, one.and_then(|one| one.weighed())));
        }
        judged
    }

    /// The skills that a project's own requirements ask for.
    fn areas(&self, who: WorkerId, project: ProjectId) -> Vec<String> {
        assert!(self.workers[&who].areas.len() < 200, "more areas than these runs have skills");
        let asked = &self.projects[&project].project.spec.requirements.skills;
        asked.keys().cloned().collect()
    }

    /// All evidence fades first.
    fn change_rating(&mut self, who: WorkerId, areas: &[String], change: impl Fn(&mut Record)) {
        let (now, half_life) = (self.now.engine, self.limits.rating_half_life);
        let apply = |rating: &mut Rating| {
            rating.fade(now, half_life);
            change(&mut rating.record);
        };
        apply(&mut self.record(who).rating);
        for skill in areas {
            self.touch(RowKey::SkillRating(who, skill.clone()));
            let person = self.workers.get_mut(&who).expect("a lease's worker");
            apply(person.areas.entry(skill.clone()).or_default());
        }
    }

    fn publish(&mut self, who: WorkerId) {
        let is_due = |r: &Rating| r.record.judged() >= r.published.judged + 20;
        let areas = self.workers[&who].areas.iter().filter(|(_, rating)| is_due(rating));
        let areas: Vec<String> = areas.map(|(skill, _)| skill.clone()).collect();
        for skill in areas {
            self.touch(RowKey::SkillRating(who, skill.clone()));
            let person = self.workers.get_mut(&who).expect("a lease's worker");
            let rating = person.areas.get_mut(&skill).expect("one of its areas");
            rating.published = Published::of(&rating.record);
        }
        let rating = &mut self.record(who).rating;
        if is_due(rating) {
            rating.published = Published::of(&rating.record);
            let (judged, told) = (rating.published.judged, rating.published.bulletin());
            let rating_milli = told.overall_milli;
            self.tell_worker(who, WorkerEvent::RatingPublished { rating_milli, judged });
        }
    }
}
