//! The votes of one project as its log tells them, and what its results say of them.
//!
//! Not here: going through them (`round.rs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use piecework_core::command::{FieldOpinion, RefinedTask};
use piecework_core::event::{Log, ResultAnswer, ResultState, TaskResult, What};
use piecework_core::project::{Aggregation, DynamicOverlap, Project, ProjectState, ProjectTally};
use piecework_core::quality::{self, Refiner};
use piecework_core::schema::{FieldKind, Schema, Value};
use piecework_core::{EngineTime, LeaseId, ProjectId, Sequence, TaskNumber};
use piecework_storage::{StoreError, View};

use super::says;
use super::unread::{QUIET, Unread};

/// Records of the log read at a time.
const EVENTS_PAGE: usize = 1_024;
/// New answers that are worth a refinement: so many, and one in so many of all; in a young
/// project, where a refinement is cheap and each answer still tells much, and in others.
const ANSWERS_MIN: u64 = 50;
const YOUNG_SHARE: u64 = 16;
const ANSWERS_SHARE: u64 = 8;
/// A project with fewer answers is young.
const YOUNG_ANSWERS: u64 = 20_000;

/// What a task's newest result says, and what it rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Number of its newest counted answer.
    pub(super) answers: u32,
    /// Counted answers.
    pub(super) counted: u16,
    /// Revision of its result; zero: none.
    pub(super) revision: u32,
    /// It has a final one.
    pub(super) is_final: bool,
    /// Nothing changes it.
    pub(super) is_resolved: bool,
    /// How sure its result is, in millionths.
    pub(super) confidence_ppm: u32,
    /// At which answers and revision the engine was last told that it is sure. What it
    /// made of that stands: a task may have an overlap of its own.
    pub(super) told_sure: Option<(u32, u32)>,
    /// Per field of classes, in their order, what it says.
    pub(super) classes: Vec<Option<u16>>,
}

/// One field of classes.
pub(super) struct Field {
    /// Its index in the schema.
    pub(super) index: u16,
    /// Its votes.
    pub(super) votes: quality::Votes,
}

/// The votes of one project.
pub(super) struct Votes {
    pub(super) project: ProjectId,
    pub(super) refiner: Refiner,
    /// What finished tasks teach is used for the next ones.
    pub(super) learns: bool,
    /// Results are revised.
    pub(super) revises: bool,
    /// The fewest answers of a task, and when more are bought.
    pub(super) overlap: u16,
    pub(super) dynamic: Option<DynamicOverlap>,
    pub(super) fields: Vec<Field>,
    pub(super) tasks: BTreeMap<TaskNumber, Told>,
    /// Engine time of the newest answer.
    pub(super) through: EngineTime,
    schema: Schema,
    cursor: Sequence,
    answers: u64,
    fresh: u64,
    unread: Unread,
    /// When the newest answer came that was read.
    heard: Instant,
}

impl Votes {
    /// Whether anything of this project is refined.
    pub(super) fn are_wanted(project: &Project, tally: &ProjectTally) -> bool {
        let terms = &project.spec.terms;
        let asks = terms.aggregation.learns() || terms.aggregation.is_refined();
        let state =
            !matches!(project.state, ProjectState::Deleting | ProjectState::Cancelled { .. });
        let has_classes = terms.schema.fields.iter().any(|f| is_modelled(&f.kind));
        asks && state && has_classes && tell_of_each_other(project, tally)
    }

    pub(super) fn new(project: &Project) -> Votes {
        let mut votes = Votes {
            project: project.id,
            refiner: Refiner::Smoothed,
            learns: false,
            revises: false,
            overlap: 1,
            dynamic: None,
            fields: Vec::new(),
            tasks: BTreeMap::new(),
            through: EngineTime(0),
            schema: Schema::default(),
            cursor: Sequence(0),
            answers: 0,
            fresh: 0,
            unread: Unread::new(Instant::now()),
            heard: Instant::now(),
        };
        votes.take_terms(project);
        votes
    }

    /// Takes in what the project says now: schemas only grow.
    fn take_terms(&mut self, project: &Project) {
        let terms = &project.spec.terms;
        self.refiner = match terms.aggregation {
            Aggregation::DawidSkene => Refiner::DawidSkene,
            _ => Refiner::Smoothed,
        };
        self.learns = terms.aggregation.learns();
        self.revises = terms.aggregation.is_refined();
        (self.overlap, self.dynamic) = (project.spec.overlap, project.spec.dynamic);
        if self.schema == terms.schema {
            return;
        }
        self.schema.clone_from(&terms.schema);
        for (index, field) in (0..).zip(&terms.schema.fields) {
            let known = self.fields.iter().any(|known| known.index == index);
            if let Some(classes) = field.kind.classes().filter(|_| is_modelled(&field.kind))
                && !known
            {
                self.fields.push(Field { index, votes: quality::Votes::new(classes) });
            }
        }
    }

    /// Counted answers that were read.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// So many changes came. Nothing is read yet.
    pub(super) fn hear(&mut self, changes: u32, now: Instant) {
        self.unread.hear(changes, now);
    }

    /// Whether what it was told of may make a refinement due.
    pub(super) fn wants_reading(&self, now: Instant) -> bool {
        let enough = self.enough().saturating_sub(self.fresh).min(EVENTS_PAGE as u64);
        self.unread.is_worth_reading(enough, now)
    }

    /// Whether enough is new, or no more answers seem to come.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_quiet = now.saturating_duration_since(self.heard) >= QUIET;
        self.fresh > 0 && (self.fresh >= self.enough() || is_quiet)
    }

    /// New answers that are worth a refinement.
    fn enough(&self) -> u64 {
        let is_young = self.answers < YOUNG_ANSWERS;
        ANSWERS_MIN.max(self.answers / if is_young { YOUNG_SHARE } else { ANSWERS_SHARE })
    }

    /// What was new is being gone through.
    pub(super) fn begin(&mut self) {
        self.fresh = 0;
    }

    /// It did not come to an end: it is due again after a while without answers.
    pub(super) fn put_off(&mut self) {
        self.fresh += 1;
        self.heard = Instant::now();
    }

    /// The engine was told of these tasks.
    pub(super) fn told(&mut self, tasks: &[RefinedTask]) {
        let Some(dynamic) = self.dynamic else { return };
        let is_sure = |task: &&RefinedTask| surest(&task.fields) >= dynamic.target_ppm;
        for task in tasks.iter().filter(is_sure) {
            if let Some(told) = self.tasks.get_mut(&task.task) {
                told.told_sure = Some((task.answers, task.revision));
            }
        }
    }

    /// Reads the log from where it stopped.
    pub(super) fn follow(
        &mut self,
        view: &View,
        project: &Project,
        stop: &AtomicBool,
    ) -> Result<(), StoreError> {
        self.take_terms(project);
        let (had, told) = (self.answers, self.unread.read());
        while !stop.load(Ordering::Acquire) {
            let mut all = |_: &_| true;
            let log = Log::Project(self.project);
            let found = view.events(log, self.cursor, EVENTS_PAGE, &mut all)?;
            if found.through == self.cursor {
                break;
            }
            for event in found.events {
                match event.what {
                    What::Submitted(lease) => self.submitted(view, lease)?,
                    What::Result(result) => self.result(view, &result)?,
                    What::TaskEnded { .. } | What::Worker { .. } => {}
                }
            }
            self.cursor = found.through;
        }
        if self.answers > had {
            self.heard = told;
        }
        Ok(())
    }

    fn submitted(&mut self, view: &View, id: LeaseId) -> Result<(), StoreError> {
        let Some(lease) = view.lease(id)? else { return Ok(()) };
        let Some(submitted) = lease.counted() else { return Ok(()) };
        for field in &mut self.fields {
            let value = submitted.values.get(usize::from(field.index)).and_then(Option::as_ref);
            if let Some(class) = value.and_then(Value::class) {
                field.votes.put(id.task.number, lease.worker, class);
            }
        }
        let told = self.tasks.entry(id.task.number).or_default();
        told.answers = told.answers.max(submitted.order);
        told.counted = told.counted.saturating_add(1);
        self.through = self.through.max(lease.granted + submitted.took);
        self.answers += 1;
        self.fresh += 1;
        Ok(())
    }

    fn result(&mut self, view: &View, result: &TaskResult) -> Result<(), StoreError> {
        let values = says::classes(result.answer.as_ref(), &self.schema, |id| view.lease(id))?;
        let resolved = matches!(result.answer, Some(ResultAnswer::Given { .. }));
        let number = result.task.number;
        let class_of = |field: &Field| values.get(usize::from(field.index)).copied().flatten();
        let classes = self.fields.iter().map(class_of).collect();
        if resolved {
            // What its requester says is known, whatever the votes say.
            for field in &mut self.fields {
                let class = values.get(usize::from(field.index)).copied().flatten();
                class.into_iter().for_each(|class| field.votes.know(number, class));
            }
        }
        let told = self.tasks.entry(number).or_default();
        told.revision = result.revision;
        told.is_final = matches!(result.state, ResultState::Final { .. });
        told.is_resolved = resolved;
        told.confidence_ppm = result.confidence_ppm;
        told.classes = classes;
        Ok(())
    }
}

/// How sure an answer of these fields is: as sure as its least sure one, in millionths.
pub(super) fn surest(fields: &[FieldOpinion]) -> u32 {
    fields.iter().map(|says| says.confidence_ppm).min().unwrap_or(0)
}

/// Whether answers of this project tell anything of each other. One answer a task, and none
/// that its requester knows better, say nothing of who is right.
fn tell_of_each_other(project: &Project, tally: &ProjectTally) -> bool {
    let spec = &project.spec;
    spec.overlap > 1 || spec.dynamic.is_some() || tally.counted != tally.done || tally.resolved > 0
}

fn is_modelled(kind: &FieldKind) -> bool {
    kind.classes().is_some_and(|classes| quality::can_model(1, classes))
}
