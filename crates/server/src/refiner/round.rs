//! One refinement of a project: all votes, in slices; then what they say, in chunks.
//!
//! A slice is some milliseconds of work. In a long refinement each is followed by a rest
//! of the same length, so that half a core is left to those who wait for answers; the
//! thread gives way to all others besides.
//!
//! Not here: when one is due (`project.rs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piecework_core::command::{FieldOpinion, Learn, Refine, RefinedTask};
use piecework_core::limits::REFINED_PER_COMMAND_MAX;
use piecework_core::quality::{Crowd, Overlap, Refinement, RowVote, VoteTable, can_model};
use piecework_core::{Command, Outcome, Request, TaskNumber, TenantId, WorkerId};
use tracing::debug;

use super::project::{Told, Votes, surest};
use crate::metrics;
use crate::writer::{Inbox, Unanswered};

/// Numbers gone through in a slice.
const CELLS_PER_SLICE: usize = 50_000;
/// A refinement that has taken longer rests between its slices.
const LONG: Duration = Duration::from_millis(200);
/// How often a command is offered again that the writer has no room for.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The way to the writer.
pub(super) struct Asker<'a> {
    pub(super) inbox: &'a Inbox,
    pub(super) tenant: TenantId,
    pub(super) stop: &'a AtomicBool,
}

impl Asker<'_> {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits until the command has been decided. `false`: it never will be.
    fn ask(&self, command: &Command) -> bool {
        loop {
            let request = Request { tenant: self.tenant, command: command.clone() };
            match self.inbox.ask_blocking(request) {
                Ok(answer) => {
                    match answer.outcome {
                        Ok(Outcome::Refined { changed }) => metrics::revised(changed),
                        Ok(_) => {}
                        Err(refusal) => debug!(%refusal, "what the refiner found is not taken"),
                    }
                    return true;
                }
                Err(Unanswered::Overloaded { .. } | Unanswered::StorageFull) if !self.is_over() => {
                    std::thread::sleep(AGAIN_AFTER);
                }
                Err(_) => return false,
            }
        }
    }
}

/// Goes through all votes of a project and tells the engine. `false`: it did not come
/// to an end, and is put off.
pub(super) fn refine(votes: &mut Votes, asker: &Asker<'_>) -> bool {
    votes.begin();
    let is_done = settle_all(votes, asker);
    if !is_done {
        votes.put_off();
    }
    is_done
}

fn settle_all(votes: &mut Votes, asker: &Asker<'_>) -> bool {
    let through = votes.through;
    let mut opinions: BTreeMap<TaskNumber, Vec<FieldOpinion>> = BTreeMap::new();
    let (project, refiner, fields) = (votes.project, votes.refiner, votes.fields.len());
    let mut learnt = Vec::new();
    for place in 0..fields {
        let field = &mut votes.fields[place];
        let table = field.votes.table();
        let classes = u16::try_from(table.classes()).unwrap_or(u16::MAX);
        if table.tasks().is_empty() || !can_model(table.workers().len(), classes) {
            continue;
        }
        let index = field.index;
        let Some(settled) = settle(Refinement::start(table, refiner), asker) else {
            return false;
        };
        // An open task is judged as it will be after its next answer: by what its workers
        // are known for, not by what made them known.
        let mut crowd = settled.evidence().filter(|_| votes.learns).map(|evidence| {
            let mut crowd = Crowd::new(classes);
            crowd.adopt(&evidence);
            learnt.push((index, evidence));
            crowd
        });
        for (row, task) in settled.table().tasks().iter().enumerate() {
            let task = *task;
            let is_open = votes.tasks.get(&task).is_some_and(|told| !told.is_final);
            let opinion = match crowd.as_mut().filter(|_| is_open) {
                Some(crowd) => crowd.opinion(&votes_of(settled.table(), row)),
                None => settled.opinion(row),
            };
            let says = FieldOpinion {
                field: index,
                class: opinion.answer,
                confidence_ppm: opinion.confidence_ppm(),
            };
            let told = votes.tasks.get(&task);
            // Most tasks have one field of classes, and say what they said.
            if fields > 1 || told.is_some_and(|told| differs(votes, told, &[says])) {
                opinions.entry(task).or_default().push(says);
            }
        }
    }
    if votes.learns {
        for (field, evidence) in learnt {
            let learn = Learn { project, field, through, evidence };
            if !asker.ask(&Command::Learn(learn)) {
                return false;
            }
        }
    }
    !votes.revises || revise(votes, opinions, asker)
}

fn votes_of(table: &VoteTable, row: usize) -> Vec<(WorkerId, u16)> {
    let vote = |vote: &RowVote| (table.workers()[vote.worker as usize], vote.class);
    table.of_task(row).iter().map(vote).collect()
}

fn settle(mut refinement: Refinement, asker: &Asker<'_>) -> Option<Refinement> {
    let begun = Instant::now();
    loop {
        let slice = Instant::now();
        if refinement.work(CELLS_PER_SLICE) {
            return Some(refinement);
        }
        if asker.is_over() {
            return None;
        }
        if begun.elapsed() > LONG {
            std::thread::sleep(slice.elapsed());
        }
    }
}

/// Tells of the tasks whose results would be others.
fn revise(
    votes: &mut Votes,
    opinions: BTreeMap<TaskNumber, Vec<FieldOpinion>>,
    asker: &Asker<'_>,
) -> bool {
    let mut tasks = Vec::new();
    for (task, fields) in opinions {
        let Some(told) = votes.tasks.get(&task) else { continue };
        if differs(votes, told, &fields) {
            let (answers, revision) = (told.answers, told.revision);
            tasks.push(RefinedTask { task, answers, revision, fields });
        }
    }
    tasks.chunks(REFINED_PER_COMMAND_MAX).all(|tasks| {
        let refine = Refine { project: votes.project, tasks: tasks.to_vec() };
        let is_told = asker.ask(&Command::Refine(refine));
        if is_told {
            votes.told(tasks);
        }
        is_told
    })
}

/// Whether a result would be another one: its answer, or the side of the target on which
/// its confidence lies; of an open task, whether it is sure now.
fn differs(votes: &Votes, told: &Told, fields: &[FieldOpinion]) -> bool {
    if told.is_resolved {
        return false;
    }
    let surest = surest(fields);
    let target = votes.dynamic.map(|dynamic| dynamic.target_ppm);
    let mut of_classes = votes.fields.iter().zip(&told.classes);
    let said = |says: &FieldOpinion| {
        of_classes.find(|(field, _)| field.index == says.field).and_then(|(_, class)| *class)
    };
    let other = fields.iter().map(said).zip(fields).any(|(was, is)| was != Some(is.class));
    if told.is_final {
        let is_sure = |ppm: u32| target.is_some_and(|target| ppm >= target);
        return other || is_sure(told.confidence_ppm) != is_sure(surest);
    }
    let Some(dynamic) = votes.dynamic else { return false };
    let overlap = Overlap { min: votes.overlap, max: dynamic.max, target_ppm: dynamic.target_ppm };
    let is_news = told.told_sure != Some((told.answers, told.revision));
    is_news && overlap.is_sure(surest, told.counted) || told.revision > 0 && other
}
