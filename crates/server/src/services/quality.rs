//! A project's finished tasks, held against each other: agreement, confusion, workers,
//! and what one more answer was worth.
//!
//! Read and computed when somebody asks, on a blocking thread. Not here: the methods
//! (`piecework_core::quality`), what the refiner does while answers come (`refiner`).

use std::collections::BTreeMap;

use piecework_core::event::{Log, ResultState, What};
use piecework_core::lease::Lease;
use piecework_core::project::Project;
use piecework_core::quality::{Crowd, Refinement, Refiner, Votes, can_model, majority};
use piecework_core::schema::FieldKind;
use piecework_core::task::TaskRecord;
use piecework_core::{ClientId, TaskNumber, WorkerId};
use piecework_proto::v1;

use crate::refiner;
use crate::services::reader::Reader;
use crate::wire::failure::Failure;
use crate::wire::names;

/// Touched tasks that are looked at.
const TASKS_MAX: u64 = 100_000;
/// Of these at a time.
const PAGE: usize = 1_000;
/// Workers that are told.
const WORKERS_TOLD_MAX: usize = 1_000;
/// Numbers of answers that are told.
const ANSWERS_TOLD_MAX: usize = 100;
const BINS: usize = 10;

/// A field that is compared.
struct Field {
    index: usize,
    name: String,
    choices: Vec<String>,
}

/// One finished task: what it says, and who said what, in order of arrival; per field.
struct Finished {
    number: TaskNumber,
    result: Vec<Option<u16>>,
    given: Vec<(WorkerId, Vec<Option<u16>>)>,
}

/// What a project's answers are worth.
pub(crate) fn of(reader: &Reader, project: &Project) -> Result<v1::ProjectQuality, Failure> {
    let fields = fields(project);
    let tasks = read(reader, project, &fields)?;
    let dynamic = project.spec.dynamic.map_or(project.spec.overlap, |dynamic| dynamic.max);
    let most = |task: &Finished| u64::from(dynamic).max(task.given.len() as u64);
    let (values, crowd) = values(&fields, &tasks);
    Ok(v1::ProjectQuality {
        project: names::of_project(&project.name),
        tasks: tasks.len() as u64,
        answers: tasks.iter().map(|task| task.given.len() as u64).sum(),
        agreement: agreement(&tasks),
        confusion: confusion(&fields, &tasks),
        workers: workers(reader, &tasks, crowd.as_ref())?,
        values,
        answers_at_most: tasks.iter().map(most).sum(),
    })
}

fn fields(project: &Project) -> Vec<Field> {
    let all = project.spec.terms.schema.fields.iter().enumerate();
    all.filter_map(|(index, field)| {
        let choices = match &field.kind {
            FieldKind::Choice(choices) => choices.clone(),
            FieldKind::Boolean => ["false", "true"].map(str::to_owned).to_vec(),
            _ => return None,
        };
        Some(Field { index, name: field.name.clone(), choices })
    })
    .collect()
}

/// The newest tasks first, as they stand in memory: the oldest are read over.
fn read(reader: &Reader, project: &Project, fields: &[Field]) -> Result<Vec<Finished>, Failure> {
    let last = u64::from(reader.tally(project.id)?.last_task.0);
    let begin = last.saturating_sub(TASKS_MAX);
    let mut after = TaskNumber(u32::try_from(begin).unwrap_or(u32::MAX));
    let mut tasks = Vec::new();
    loop {
        let page = reader.touched(project.id, after, PAGE)?;
        let Some(newest) = page.last() else { return Ok(tasks) };
        after = newest.id.number;
        for record in &page {
            tasks.extend(finished(reader, project, record, fields)?);
        }
    }
}

fn finished(
    reader: &Reader,
    project: &Project,
    record: &TaskRecord,
    fields: &[Field],
) -> Result<Option<Finished>, Failure> {
    let Some(sequence) = record.result else { return Ok(None) };
    let event = reader.event(Log::Project(project.id), sequence)?;
    let Some(What::Result(result)) = event.map(|event| event.what) else { return Ok(None) };
    if !matches!(result.state, ResultState::Final { .. }) {
        return Ok(None);
    }
    let mut counted: Vec<_> = reader.leases(record.id)?;
    counted.retain(|lease| lease.counted().is_some());
    counted.sort_by_key(|lease| lease.counted().map(|submitted| submitted.order));
    let given = counted.iter().filter_map(|lease| {
        let values = &lease.counted()?.values;
        let class = |field: &Field| values.get(field.index)?.as_ref()?.class();
        Some((lease.worker, fields.iter().map(class).collect()))
    });
    let given = given.collect();
    let schema = &project.spec.terms.schema;
    let own = |id| Ok::<_, Failure>(counted.into_iter().find(|lease: &Lease| lease.id == id));
    let says = refiner::says::classes(result.answer.as_ref(), schema, own)?;
    let of_field = |field: &Field| says.get(field.index).copied().flatten();
    let result = fields.iter().map(of_field).collect();
    Ok(Some(Finished { number: record.id.number, result, given }))
}

/// Whether an answer says what the result says, wherever both say something.
fn agrees(result: &[Option<u16>], given: &[Option<u16>]) -> bool {
    let mut both = result.iter().zip(given).filter(|(r, g)| r.is_some() && g.is_some());
    both.all(|(result, given)| result == given)
}

fn agreement(tasks: &[Finished]) -> Vec<v1::AgreementBin> {
    let mut bins = [0_u64; BINS];
    for task in tasks.iter().filter(|task| task.given.len() > 1) {
        let agreed = task.given.iter().filter(|(_, given)| agrees(&task.result, given)).count();
        bins[(agreed * BINS / task.given.len()).min(BINS - 1)] += 1;
    }
    let bin = |(place, tasks): (usize, &u64)| v1::AgreementBin {
        from: place as f64 / BINS as f64,
        to: (place + 1) as f64 / BINS as f64,
        tasks: *tasks,
    };
    bins.iter().enumerate().map(bin).collect()
}

fn confusion(fields: &[Field], tasks: &[Finished]) -> Vec<v1::FieldConfusion> {
    let of = |(place, field): (usize, &Field)| {
        let classes = field.choices.len();
        let mut counts = vec![vec![0_u64; classes]; classes];
        for task in tasks {
            let Some(result) = task.result[place] else { continue };
            for (_, given) in &task.given {
                if let Some(given) = given[place] {
                    counts[usize::from(result)][usize::from(given)] += 1;
                }
            }
        }
        let rows = counts.into_iter().map(|given| v1::ConfusionRow { given }).collect();
        v1::FieldConfusion { field: field.name.clone(), choices: field.choices.clone(), rows }
    };
    fields.iter().enumerate().map(of).collect()
}

fn workers(
    reader: &Reader,
    tasks: &[Finished],
    crowd: Option<&Crowd>,
) -> Result<Vec<v1::WorkerQuality>, Failure> {
    let mut counts: BTreeMap<WorkerId, (u64, u64)> = BTreeMap::new();
    for task in tasks {
        for (worker, given) in &task.given {
            let (answers, agreed) = counts.entry(*worker).or_default();
            *answers += 1;
            *agreed += u64::from(agrees(&task.result, given));
        }
    }
    let mut all: Vec<(WorkerId, (u64, u64))> = counts.into_iter().collect();
    all.sort_by_key(|(worker, (answers, _))| (std::cmp::Reverse(*answers), *worker));
    all.truncate(WORKERS_TOLD_MAX);
    let told = |(worker, (answers, agreed)): (WorkerId, (u64, u64))| {
        let (name, _): (ClientId, _) = reader.worker_name(worker)?;
        let share = agreed as f64 / answers as f64;
        let accuracy = crowd.map_or(share, |crowd| crowd.accuracy(worker));
        Ok(v1::WorkerQuality { worker: names::of_worker(&name), answers, agreed, accuracy })
    };
    all.into_iter().map(told).collect()
}

/// What was known with one answer, with two, and so on: by the crowd as all answers
/// together tell it, or by majority where it cannot be modelled.
fn values(fields: &[Field], tasks: &[Finished]) -> (Vec<v1::AnswerValue>, Option<Crowd>) {
    let Some(field) = fields.first() else { return (Vec::new(), None) };
    let classes = u16::try_from(field.choices.len()).unwrap_or(u16::MAX);
    let mut crowd = crowd(classes, tasks);
    let (mut sums, mut settled) = (Vec::<(u64, f64)>::new(), Vec::<u64>::new());
    for task in tasks {
        let votes: Vec<(WorkerId, u16)> =
            task.given.iter().filter_map(|(w, given)| Some((*w, given[0]?))).collect();
        for count in 1..=votes.len().min(ANSWERS_TOLD_MAX) {
            let so_far = &votes[..count];
            let opinion = match &mut crowd {
                Some(crowd) => Some(crowd.opinion(so_far)),
                None => majority(&so_far.iter().map(|v| v.1).collect::<Vec<_>>(), classes),
            };
            let Some(opinion) = opinion else { continue };
            if sums.len() < count {
                sums.push((0, 0.0));
                settled.push(0);
            }
            sums[count - 1].0 += 1;
            sums[count - 1].1 += opinion.confidence();
            settled[count - 1] += u64::from(task.result[0] == Some(opinion.answer));
        }
    }
    let value = |(place, (tasks, sum)): (usize, &(u64, f64))| v1::AnswerValue {
        answers: u32::try_from(place + 1).unwrap_or(u32::MAX),
        tasks: *tasks,
        confidence: sum / *tasks as f64,
        settled: settled[place] as f64 / *tasks as f64,
    };
    (sums.iter().enumerate().map(value).collect(), crowd)
}

fn crowd(classes: u16, tasks: &[Finished]) -> Option<Crowd> {
    let mut votes = Votes::new(classes);
    for task in tasks {
        for (worker, given) in &task.given {
            if let Some(class) = given[0] {
                votes.put(task.number, *worker, class);
            }
        }
    }
    let table = votes.table();
    if table.tasks().is_empty() || !can_model(table.workers().len(), classes) {
        return None;
    }
    let evidence = Refinement::start(table, Refiner::Smoothed).settled().evidence()?;
    let mut crowd = Crowd::new(classes);
    crowd.adopt(&evidence);
    Some(crowd)
}
