//! What is read together says what single reads say: over overlay and pages, with tasks
//! that are gone, revisions that were replaced, and texts of other answers.

use piecework_core::Sequence;
use piecework_core::change::{Change, PinnedTerms};
use piecework_core::event::Log;
use piecework_core::{Position, TaskNumber};
use piecework_proto::v1;
use piecework_proto::v1::EventType;
use piecework_storage::{Store, StoreSettings};

use super::*;
use crate::services::log::{LogQuery, Record, Stretch};
use crate::services::records;
use crate::wire::to_wire::result::{ResultParts, result as written};
use crate::wire::to_wire::votes::{Texts, object, text_in};
use crate::wire::tokens::Cursor;
use samples::{Dice, TENANT, at, body};

#[expect(dead_code, reason = "of all nouns that storage is tried with, these tests need some")]
#[path = "../../../../storage/tests/tables/samples.rs"]
mod samples;

const PROJECT: ProjectId = ProjectId(1);
const LOG: Log = Log::Project(PROJECT);

/// A log that grows beside the rows it refers to.
struct World {
    store: Store,
    dice: Dice,
    position: u64,
    events: u64,
}

impl World {
    /// `seed`: how it goes on.
    fn grown(seed: u64, groups: u32) -> World {
        let store = Store::in_memory(&StoreSettings::default());
        let mut world = World { store, dice: Dice(seed), position: 0, events: 0 };
        let dice = &mut world.dice;
        let mut project = dice.project();
        project.id = PROJECT;
        let mut first = vec![Change::Project(Box::new(project))];
        for revision in (0..8).map(Revision) {
            let pinned = PinnedTerms { project: PROJECT, revision, terms: dice.terms() };
            first.push(Change::Terms(Box::new(pinned)));
        }
        for id in (0..9).map(WorkerId) {
            let mut worker = dice.worker();
            (worker.id, worker.name) = (id, samples::name("w", id.0));
            first.push(Change::Worker(Box::new(worker)));
        }
        world.publish(first);
        for _ in 0..groups {
            world.grow();
        }
        world
    }

    fn publish(&mut self, changes: Vec<Change>) {
        self.position += 1;
        self.store.publish(&body(changes), Position(self.position), at(self.position)).unwrap();
    }

    fn grow(&mut self) {
        let mut changes = Vec::new();
        for _ in 0..self.dice.below(40) {
            changes.push(match self.dice.below(9) {
                0 | 1 => {
                    let task = self.task();
                    Change::Specs(vec![Arc::new(self.dice.spec(task))])
                }
                2 => {
                    let task = self.task();
                    Change::Task(Box::new(self.dice.record(task)))
                }
                3 | 4 => {
                    let lease = LeaseId { task: self.task(), number: 1 + self.dice.below(5) };
                    Change::Submission(Box::new(self.dice.submission(lease)))
                }
                _ => self.event(),
            });
        }
        if self.dice.below(8) == 0 {
            let first = TaskNumber(1 + self.dice.below(200));
            let last = TaskNumber(first.0 + self.dice.below(9));
            changes.push(Change::TasksGone { project: PROJECT, first, last });
        }
        self.publish(changes);
        match self.dice.below(12) {
            0 => {
                self.store.checkpoint_now().unwrap();
            }
            1..4 => {
                self.store.checkpoint_step().unwrap();
            }
            _ => {}
        }
    }

    fn task(&mut self) -> TaskId {
        TaskId { project: PROJECT, ..self.dice.task() }
    }

    /// Of this project, as all records of its log are.
    fn event(&mut self) -> Change {
        self.events += 1;
        let own = |lease: &mut LeaseId| lease.task.project = PROJECT;
        let mut event = loop {
            let event = self.dice.event(LOG, Sequence(self.events));
            if !matches!(event.what, What::Worker { .. }) {
                break event;
            }
        };
        match &mut event.what {
            What::Submitted(lease) => own(lease),
            What::TaskEnded { task, .. } => task.project = PROJECT,
            What::Worker { .. } => {}
            What::Result(result) => {
                result.task.project = PROJECT;
                result.answers.iter_mut().for_each(|vote| own(&mut vote.lease));
                if let Some(ResultAnswer::Of(lease)) = &mut result.answer {
                    own(lease);
                }
                for votes in &mut result.votes {
                    match &mut votes.fell {
                        Fell::Texts { texts, .. } => {
                            texts.iter_mut().for_each(|(lease, _)| own(lease));
                        }
                        // As many as there are workers, not as many as there are numbers.
                        Fell::Classes(classes) => {
                            classes.iter_mut().for_each(|(_, votes)| *votes %= 1_000);
                        }
                        Fell::Options { .. } | Fell::Numbers(_) => {}
                    }
                }
            }
        }
        Change::Event(Box::new(event))
    }

    fn reader(&self) -> Reader {
        Reader::new(self.store.view(TENANT))
    }
}

fn query(types: &[EventType]) -> LogQuery {
    LogQuery::new(LOG, "projects/p1".to_owned(), types.to_vec())
}

/// All that a reader gets in stretches of `limit`.
fn read<M: prost::Message>(
    world: &World,
    types: &[EventType],
    limit: usize,
    write: impl Fn(&Referred<'_>, Record) -> Result<Option<M>, Failure>,
) -> Vec<M> {
    let (reader, query) = (world.reader(), query(types));
    let (mut all, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        let Stretch { written, cursor: next } =
            query.stretch(&reader, cursor, limit, &write).unwrap();
        all.extend(written);
        if next == cursor {
            return all;
        }
        cursor = next;
    }
}

fn watched(referred: &Referred<'_>, record: Record) -> Result<Option<v1::WatchedResult>, Failure> {
    let Record { event, previous, token } = record;
    let What::Result(result) = &event.what else { return Ok(None) };
    let written = records::result(referred, result, event.sequence, event.at)?;
    Ok(framed(written, previous, token))
}

fn framed(
    result: Option<v1::Result>,
    previous: Sequence,
    resume_token: String,
) -> Option<v1::WatchedResult> {
    let result = Some(result?);
    Some(v1::WatchedResult { result, previous_sequence: previous.0, resume_token })
}

/// The same by nothing but single reads.
fn singly(referred: &Referred<'_>, record: Record) -> Result<Option<v1::WatchedResult>, Failure> {
    let Record { event, previous, token } = record;
    let What::Result(result) = &event.what else { return Ok(None) };
    let written = from_single_reads(referred.reader(), result, &event);
    Ok(framed(written, previous, token))
}

fn from_single_reads(reader: &Reader, result: &TaskResult, event: &Event) -> Option<v1::Result> {
    let project = reader.project_name(PROJECT).unwrap()?;
    let spec = reader.spec(result.task).unwrap()?;
    let given = match &result.answer {
        Some(ResultAnswer::Of(lease)) => Some(reader.submission(*lease).unwrap()?),
        _ => None,
    };
    let newest = || Some(Arc::new(reader.project_of(PROJECT).unwrap()?.spec.terms));
    let terms = match (&result.answer, &given) {
        (Some(ResultAnswer::Values { revision, .. }), _) => {
            reader.terms(PROJECT, *revision).unwrap()?
        }
        (_, Some(given)) if result.answers.len() <= 1 => {
            reader.terms(PROJECT, given.revision).unwrap()?
        }
        _ => newest()?,
    };
    let mut texts = Texts::new();
    for votes in &result.votes {
        let Fell::Texts { texts: commonest, .. } = &votes.fell else { continue };
        let Some(field) = terms.schema.fields.get(usize::from(votes.field)) else { continue };
        for (lease, _) in commonest {
            let given = reader.submission(*lease).unwrap()?;
            texts.insert((votes.field, *lease), text_in(&given.answer.bytes, &field.name));
        }
    }
    let said = match &result.answer {
        Some(ResultAnswer::Values { values, .. }) => Some(object(&terms.schema, values, &texts)),
        _ => given.map(|given| (given.answer.bytes, given.answer.content_type)),
    };
    let name = |vote: &piecework_core::event::Vote| -> Rc<str> {
        format!("workers/{}", reader.worker_name(vote.worker).unwrap().0).into()
    };
    let newest = reader.record(result.task).unwrap().map(|record| record.result_revision);
    let parts = ResultParts {
        project: &project,
        title: &TaskTitle { name: spec.name, labels: spec.labels },
        schema: &terms.schema,
        said,
        superseded: newest.is_some_and(|newest| newest > result.revision),
        texts: &texts,
        workers: result.answers.iter().map(name).collect(),
        sequence: event.sequence,
        at: event.at,
    };
    Some(written(result, parts))
}

#[test]
fn results_of_a_stretch_are_those_of_single_reads() {
    let types = [EventType::Result, EventType::ProvisionalResult];
    let (mut shown, mut superseded, mut left_out) = (0, 0, 0);
    for seed in 0..60 {
        let world = World::grown(seed, 60);
        let alone = read(&world, &types, 1, singly);
        for limit in [1, 7, 256] {
            let together = read(&world, &types, limit, watched);
            assert_eq!(together, alone, "seed {seed}, {limit} at a time");
        }
        let state = |watched: &v1::WatchedResult| watched.result.as_ref().map(v1::Result::state);
        let is_old =
            |watched: &&v1::WatchedResult| state(watched) == Some(v1::ResultState::Superseded);
        shown += alone.len();
        superseded += alone.iter().filter(is_old).count();
        let marks = read(&world, &types, 256, |_, _| Ok(Some(v1::Heartbeat::default())));
        left_out += marks.len() - alone.len();
    }
    assert!(shown > 1_000 && superseded > 100 && left_out > 100, "{shown} {superseded} {left_out}");
}

#[test]
fn events_of_all_kinds_are_the_same_in_stretches_of_any_length() {
    for seed in 100..130 {
        let world = World::grown(seed, 60);
        let alone = read(&world, &[], 1, records::event);
        assert!(!alone.is_empty());
        for limit in [5, 256] {
            assert_eq!(read(&world, &[], limit, records::event), alone, "seed {seed}");
        }
    }
}

#[test]
fn what_goes_beyond_the_bytes_read_together_is_read_all_the_same() {
    let mut world = World::grown(7, 0);
    let mut changes = Vec::new();
    for number in (1..=12).map(TaskNumber) {
        let task = TaskId { project: PROJECT, number };
        let lease = LeaseId { task, number: 1 };
        let (mut spec, mut given) = (world.dice.spec(task), world.dice.submission(lease));
        given.revision = Revision(1);
        given.answer.bytes = vec![b'x'; 200_000];
        spec.payload = vec![b'x'; 200_000];
        let Change::Event(mut event) = world.event() else { unreachable!("it makes events") };
        event.what = What::Submitted(lease);
        changes.extend([Change::Specs(vec![Arc::new(spec)]), Change::Submission(Box::new(given))]);
        changes.push(Change::Event(event));
    }
    world.publish(changes);
    for _ in 0..2 {
        let alone = read(&world, &[], 1, records::event);
        assert_eq!(alone.len(), 12);
        assert_eq!(read(&world, &[], 256, records::event), alone);
        world.store.checkpoint_now().unwrap();
    }
}
