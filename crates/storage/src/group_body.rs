//! A group's body as it grows: each command's rows, and each count once.
//!
//! The counts of a project or a worker change with every command of a group, but only
//! the last row of each can ever be read: a group is published, recovered and put into
//! snapshots as a whole. So they wait, and the group's last command has them.
//!
//! Not here: how a command lies in the body (`group.rs`), how rows do (`tables/row.rs`).

use std::collections::BTreeMap;

use piecework_core::change::{Change, Changed};
use piecework_core::{ProjectId, WorkerId};

use crate::group::{CommandHeader, Open};
use crate::tables::write_change;

/// The body of a group that is not yet whole.
#[derive(Debug, Default)]
pub struct GroupBody {
    body: Vec<u8>,
    /// The newest command.
    open: Option<Open>,
    counts: BTreeMap<Count, Changed>,
}

/// Whose counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    Project(ProjectId),
    Worker(WorkerId),
    Work(ProjectId, WorkerId),
    Skill(WorkerId, String),
}

impl GroupBody {
    /// Appends one command. Cost: as [`crate::encode_command`], without its counts.
    pub fn push(&mut self, header: &CommandHeader<'_>, changes: &[Changed]) {
        let mut open = self.begin(header);
        for changed in changes {
            match count_of(&changed.change) {
                Some(count) => drop(self.counts.insert(count, changed.clone())),
                None => open.rows += self.write(changed),
            }
        }
        self.open = Some(open);
    }

    /// The body, whole.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(mut open) = self.open.take() {
            for changed in self.counts.values() {
                open.rows += write_change(&mut self.body, changed);
            }
            open.end(&mut self.body);
        }
        self.body
    }

    fn begin(&mut self, header: &CommandHeader<'_>) -> Open {
        if let Some(open) = self.open.take() {
            open.end(&mut self.body);
        }
        Open::begin(&mut self.body, header)
    }

    fn write(&mut self, changed: &Changed) -> u32 {
        if let Change::ProjectGone(project) = changed.change {
            self.project_gone(project);
        }
        write_change(&mut self.body, changed)
    }

    /// What was counted before goes with its project.
    fn project_gone(&mut self, project: ProjectId) {
        self.counts.remove(&Count::Project(project));
        let works = Count::Work(project, WorkerId(0))..=Count::Work(project, WorkerId(u32::MAX));
        let gone: Vec<Count> = self.counts.range(works).map(|(count, _)| count.clone()).collect();
        gone.iter().for_each(|count| drop(self.counts.remove(count)));
    }
}

/// `None`: a row that is written with its command.
fn count_of(change: &Change) -> Option<Count> {
    match change {
        Change::ProjectTally(tally) => Some(Count::Project(tally.project)),
        Change::WorkerRecord(record) => Some(Count::Worker(record.worker)),
        Change::WorkTally(tally) => Some(Count::Work(tally.project, tally.worker)),
        Change::SkillRating(of) => Some(Count::Skill(of.worker, of.skill.clone())),
        _ => None,
    }
}
