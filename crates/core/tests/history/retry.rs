//! What a retry owes: the first outcome, and no second effect (P2).

use piecework_core::change::{CreateKeyRow, Parent};
use piecework_core::command::{CreateKey, CreateTasks};
use piecework_core::lease::LeaseState;
use piecework_core::outcome::CreatedTask;
use piecework_core::project::ProjectState;
use piecework_core::{Command, LeaseId, Outcome, Refusal, TaskId, TaskNumber};

use super::player::Player;
use crate::world::Rows;

impl Player {
    /// P2: the first outcome once more, and no second effect.
    pub(super) fn retry(&mut self, which: u16) {
        let Some(at) = usize::from(which).checked_rem(self.past.len()) else { return };
        let Some(command) = self.past[at].command.clone() else { return };
        let first = self.past[at].did.outcome.clone();
        let rows = self.rows().clone();
        let now = self.act(command.clone());
        self.seen.retries += 1;
        match (&command, &first, &now.outcome) {
            (Command::Submit(c), Ok(Outcome::Submitted(was)), Ok(Outcome::Submitted(is))) => {
                for ((item, was), is) in c.items.iter().zip(was).zip(is) {
                    if was.is_ok() && alive(&rows, item.lease) {
                        assert_eq!(was, is, "another receipt");
                        assert!(now.changes.is_empty(), "a retried submit changed something");
                    }
                }
            }
            (Command::Return(c), Ok(Outcome::Returned(was)), Ok(Outcome::Returned(is))) => {
                for ((item, was), is) in c.items.iter().zip(was).zip(is) {
                    if was.is_ok() && alive(&rows, item.lease) && !answered(&rows, item.lease) {
                        assert_eq!(was, is, "another answer to a return");
                        assert!(now.changes.is_empty(), "a retried return changed something");
                    }
                }
            }
            (Command::Lease(c), Ok(Outcome::Leased(was)), Ok(Outcome::Leased(is))) => {
                let worker = rows.workers.values().find(|w| w.name == c.worker).map(|w| w.id);
                let request = rows.requests.values().find(|r| {
                    Some(r.worker) == worker && Some(&r.request_id) == c.request_id.as_ref()
                });
                let ids: Vec<LeaseId> = was.grants.iter().map(|g| g.lease.id).collect();
                if request.is_some_and(|r| r.leases == ids) {
                    let ids = ids.into_iter().filter(|l| alive(&rows, *l));
                    assert!(ids.eq(is.grants.iter().map(|g| g.lease.id)), "other leases");
                    assert!(now.changes.is_empty(), "a retried lease changed something");
                }
            }
            (Command::CreateTasks(c), Ok(Outcome::TasksCreated(was)), is) => {
                created_again(&rows, c, was, is);
            }
            _ => {}
        }
    }
}

/// Whether a lease's project still has its rows.
fn alive(rows: &Rows, lease: LeaseId) -> bool {
    let project = rows.projects.get(&lease.task.project);
    project.is_some_and(|p| p.state != ProjectState::Deleting) && rows.leases.contains_key(&lease)
}

fn answered(rows: &Rows, lease: LeaseId) -> bool {
    rows.leases.get(&lease).is_some_and(|l| matches!(l.state, LeaseState::Submitted(_)))
}

/// What was made is found again, item by item: by its own id for ever, by the call's
/// request id as long as that is remembered.
fn created_again(
    rows: &Rows,
    cmd: &CreateTasks,
    was: &[Result<CreatedTask, Refusal>],
    is: &Result<Outcome, Refusal>,
) {
    let made = was.iter().find_map(|w| w.as_ref().ok()).map(|w| w.task.project);
    let Some(project) = made.and_then(|p| rows.projects.get(&p)) else { return };
    // Deleted, and another one has its name.
    if project.name != cmd.project || project.state == ProjectState::Deleting {
        return;
    }
    let of_this_call = |row: &&CreateKeyRow| {
        let key = |k: &CreateKey| k.request_id == row.id.request_id && k.content == row.content;
        row.id.parent == Parent::Tasks(project.id) && cmd.key.as_ref().is_some_and(key)
    };
    let remembered = rows.create_keys.values().find(of_this_call);
    let named = cmd.tasks.iter().all(|task| task.name.is_some());
    let Ok(Outcome::TasksCreated(is)) = is else {
        assert!(remembered.is_none() && !named, "a retried create was refused: {is:?}");
        return;
    };
    for (index, (was, is)) in was.iter().zip(is).enumerate() {
        let Ok(was) = was else { continue };
        // The key may be of a later call with the same content: its numbers hold.
        let made = remembered.and_then(|row| row.made.get(index)).filter(|n| **n > 0);
        let number = match (&cmd.tasks[index].name, made) {
            (Some(_), _) => was.task.number,
            (None, Some(made)) => TaskNumber(*made),
            (None, None) => continue,
        };
        let task = TaskId { number, ..was.task };
        let again = CreatedTask { task, existed: true, ..was.clone() };
        assert_eq!(is.as_ref(), Ok(&again), "a retried create made another task");
    }
}
