//! What is explained as open is what a lease grants, and nothing else.

use std::collections::BTreeSet;

use piecework_core::command::{TaskKey, TaskRef};
use piecework_core::explanation::{Explanation, Question};
use piecework_core::outcome::Leased;
use piecework_core::project::{Assignment, ProjectState};
use piecework_core::{Command, Outcome, ProjectId, Refusal, Request, Step, TaskId, WorkerId};

use super::player::{Player, TENANT};

impl Player {
    /// Whether a task is explained as one that this worker would be leased now; `None`:
    /// there is no such task.
    pub(super) fn explains_as_open(&mut self, worker: WorkerId, task: &TaskRef) -> Option<bool> {
        let question = Question::Task { task: task.clone(), worker: Some(self.name(worker)) };
        let told = self.question(question);
        let Ok(Outcome::Explained(told)) = told else { return None };
        let Explanation::Task(told) = *told else { panic!("{told:?}") };
        let open = told.could_lease == 1;
        let blocked = told.blocked.is_some();
        assert_eq!(u32::from(!blocked), told.workers, "{told:?}");
        assert_eq!(told.obstacles.len(), usize::from(!open && !blocked), "{told:?}");
        *(if open { &mut self.seen.promised } else { &mut self.seen.hindered }) += 1;
        Some(open)
    }

    fn question(&mut self, question: Question) -> Result<Outcome, Refusal> {
        let request = Request { tenant: TENANT, command: Command::Explain(question) };
        let (world, mut pinned) = (&mut self.world, Vec::new());
        loop {
            match world.engine.apply(world.position.next(), self.now, &request) {
                Step::Done { outcome, changes } => {
                    assert_eq!(changes, [], "a question changed something");
                    world.engine.unpin(&pinned);
                    return outcome;
                }
                Step::NeedCold(tasks) => {
                    for task in &tasks {
                        world.engine.warm(self.now, world.rows.cold(*task));
                    }
                    pinned = tasks;
                }
            }
        }
    }

    /// Every task that this worker would be leased now in projects where the daemon
    /// picks, among the wished ones.
    pub(super) fn explained_as_open(
        &mut self,
        worker: WorkerId,
        wished: &[ProjectId],
    ) -> BTreeSet<TaskId> {
        let picked = self.rows().projects.values().filter(|p| {
            p.spec.assignment == Assignment::ServerPicks
                && p.state != ProjectState::Deleting
                && (wished.is_empty() || wished.contains(&p.id))
        });
        let picked: Vec<_> = picked.map(|p| (p.id, p.name.clone())).collect();
        let mut open = BTreeSet::new();
        for (id, project) in picked {
            let tasks: Vec<_> = self.rows().specs_of(id).map(|spec| spec.id).collect();
            for id in tasks {
                let task = TaskKey::Number(id.number);
                let task = TaskRef { project: project.clone(), task };
                if self.explains_as_open(worker, &task) == Some(true) {
                    open.insert(id);
                }
            }
        }
        open
    }

    /// A grant is of what was open; an empty answer means that nothing was.
    pub(super) fn judge_explained(&self, open: &BTreeSet<TaskId>, leased: &Leased) {
        match leased.grants.first() {
            Some(grant) => {
                let task = grant.lease.id.task;
                assert!(open.contains(&task), "{task} was explained as hindered");
            }
            None => assert!(open.is_empty(), "nothing was granted of {open:?}"),
        }
    }
}
