//! Resource names as text: `projects/cats/tasks/~7`, `leases/3-7-1`.
//!
//! A thing that its client did not name is called `~` and its number, so an id
//! that a client chooses never begins with `~`; nor is it `-`, which stands for
//! all of a collection. A lease is named by the numbers
//! of its project, its task and itself; its submission by the same three.
//!
//! Not here: finding what is named (`services/reader.rs`, the engine).

use std::fmt::Display;

use piecework_core::command::{TaskKey, TaskRef};
use piecework_core::{ClientId, LeaseId, ProjectId, TaskId, TaskNumber};

use crate::wire::failure::Failure;
use crate::wire::invalid;

const REQUESTER: &str = "requesters/{requester}";
const PROJECT: &str = "projects/{project}";
const TASK: &str = "projects/{project}/tasks/{task}";
const RESULT: &str = "projects/{project}/tasks/{task}/result";
const WORKER: &str = "workers/{worker}";
const LEASE: &str = "leases/{lease}";
const SUBMISSION: &str = "submissions/{lease}";
const SUBMISSION_PARENT: &str = "projects/{project}/tasks/{task} or workers/{worker}";
const LOG: &str = "projects/{project} or workers/-";

/// Where a list of submissions starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubmissionParent {
    /// One task's.
    Task(TaskRef),
    /// One worker's.
    Worker(ClientId),
}

/// Which log a watcher asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogParent {
    /// One project's.
    Project(ClientId),
    /// That of all workers.
    Workers,
}

/// `path`: the field that holds `name`, as with all of these.
pub(crate) fn requester(path: &str, name: &str) -> Result<ClientId, Failure> {
    child(name, "requesters/").ok_or_else(|| invalid::name(path, name, REQUESTER))
}

/// `projects/{project}`.
pub(crate) fn project(path: &str, name: &str) -> Result<ClientId, Failure> {
    child(name, "projects/").ok_or_else(|| invalid::name(path, name, PROJECT))
}

/// `workers/{worker}`.
pub(crate) fn worker(path: &str, name: &str) -> Result<ClientId, Failure> {
    child(name, "workers/").ok_or_else(|| invalid::name(path, name, WORKER))
}

/// `projects/{project}/tasks/{task}`.
pub(crate) fn task(path: &str, name: &str) -> Result<TaskRef, Failure> {
    parse_task(name).ok_or_else(|| invalid::name(path, name, TASK))
}

/// `projects/{project}/tasks/{task}/result`.
pub(crate) fn result(path: &str, name: &str) -> Result<TaskRef, Failure> {
    let task = name.strip_suffix("/result").and_then(parse_task);
    task.ok_or_else(|| invalid::name(path, name, RESULT))
}

/// `leases/{lease}`.
pub(crate) fn lease(path: impl Display, name: &str) -> Result<LeaseId, Failure> {
    parse_lease(name, "leases/").ok_or_else(|| invalid::name(path, name, LEASE))
}

/// `submissions/{lease}`.
pub(crate) fn submission(path: &str, name: &str) -> Result<LeaseId, Failure> {
    parse_lease(name, "submissions/").ok_or_else(|| invalid::name(path, name, SUBMISSION))
}

/// `projects/{project}/tasks/{task}` or `workers/{worker}`.
pub(crate) fn submission_parent(path: &str, name: &str) -> Result<SubmissionParent, Failure> {
    let task = parse_task(name).map(SubmissionParent::Task);
    let parent = task.or_else(|| child(name, "workers/").map(SubmissionParent::Worker));
    parent.ok_or_else(|| invalid::name(path, name, SUBMISSION_PARENT))
}

/// `projects/{project}` or `workers/-`.
pub(crate) fn log(path: &str, name: &str) -> Result<LogParent, Failure> {
    match name {
        "workers/-" => Ok(LogParent::Workers),
        // Every project's log at once: not in this version.
        "projects/-" => Err(invalid::name(path, name, LOG)),
        _ => child(name, "projects/")
            .map(LogParent::Project)
            .ok_or_else(|| invalid::name(path, name, LOG)),
    }
}

/// An id that a client gives to something new; empty: the daemon names it.
pub(crate) fn new_id(path: &str, id: &str) -> Result<Option<ClientId>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    match ClientId::new(id) {
        Some(id) if id.as_str() != "-" && !id.as_str().starts_with('~') => Ok(Some(id)),
        Some(_) => {
            let problem = format!("is {id:?}; - and ids that begin with ~ are the daemon's own");
            Err(invalid::field(path, problem))
        }
        None => Err(invalid::field(path, malformed_id(id))),
    }
}

/// A request id, or the id of a skill: the same characters, `~` allowed.
pub(crate) fn id(path: &str, id: &str) -> Result<ClientId, Failure> {
    ClientId::new(id).ok_or_else(|| invalid::field(path, malformed_id(id)))
}

/// The same, where empty means none.
pub(crate) fn optional_id(path: &str, text: &str) -> Result<Option<ClientId>, Failure> {
    if text.is_empty() { Ok(None) } else { id(path, text).map(Some) }
}

/// `requesters/{requester}`.
pub(crate) fn of_requester(name: &ClientId) -> String {
    joined(&["requesters/", name.as_str()])
}

/// `projects/{project}`.
pub(crate) fn of_project(name: &ClientId) -> String {
    joined(&["projects/", name.as_str()])
}

/// `workers/{worker}`.
pub(crate) fn of_worker(name: &ClientId) -> String {
    joined(&["workers/", name.as_str()])
}

/// `projects/{project}/tasks/{task}`: by its own id, else by its number.
pub(crate) fn of_task(project: &ClientId, own: Option<&ClientId>, number: TaskNumber) -> String {
    let project = project.as_str();
    match own {
        Some(own) => joined(&["projects/", project, "/tasks/", own.as_str()]),
        None => joined(&["projects/", project, "/tasks/~", Digits::of(number.0).as_str()]),
    }
}

/// `projects/{project}/tasks/{task}` as a client wrote it.
pub(crate) fn of_task_ref(task: &TaskRef) -> String {
    match &task.task {
        TaskKey::Named(own) => of_task(&task.project, Some(own), TaskNumber(0)),
        TaskKey::Number(number) => of_task(&task.project, None, *number),
    }
}

/// The name of a task's result.
pub(crate) fn of_result(task: &str) -> String {
    joined(&[task, "/result"])
}

/// `leases/{lease}`.
pub(crate) fn of_lease(id: LeaseId) -> String {
    numbered("leases/", id)
}

/// `submissions/{lease}`.
pub(crate) fn of_submission(id: LeaseId) -> String {
    numbered("submissions/", id)
}

fn numbered(collection: &str, id: LeaseId) -> String {
    let [project, task, number] = [id.task.project.0, id.task.number.0, id.number].map(Digits::of);
    joined(&[collection, project.as_str(), "-", task.as_str(), "-", number.as_str()])
}

/// Names are written millions of times a minute: `format!` takes five times as long.
fn joined(parts: &[&str]) -> String {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| text.push_str(part));
    text
}

/// A number in decimal, at the end of its bytes.
struct Digits {
    bytes: [u8; 10],
    from: usize,
}

impl Digits {
    fn of(mut number: u32) -> Digits {
        let mut digits = Digits { bytes: [b'0'; 10], from: 10 };
        loop {
            digits.from -= 1;
            digits.bytes[digits.from] += (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return digits;
            }
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.from..]).expect("digits")
    }
}

fn malformed_id(id: &str) -> String {
    format!("is {id:?}; an id is 1 to 128 characters of A-Za-z0-9._~:@+=-")
}

fn child(name: &str, collection: &str) -> Option<ClientId> {
    name.strip_prefix(collection).and_then(ClientId::new)
}

fn parse_task(name: &str) -> Option<TaskRef> {
    let (project, task) = name.strip_prefix("projects/")?.split_once("/tasks/")?;
    let project = ClientId::new(project)?;
    let task = match task.strip_prefix('~') {
        Some(number) => TaskKey::Number(TaskNumber(parse_number(number)?)),
        None => TaskKey::Named(ClientId::new(task)?),
    };
    Some(TaskRef { project, task })
}

fn parse_lease(name: &str, collection: &str) -> Option<LeaseId> {
    let mut numbers = name.strip_prefix(collection)?.split('-').map(parse_number);
    let (project, task, number) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let task = TaskId { project: ProjectId(project), number: TaskNumber(task) };
    numbers.next().is_none().then_some(LeaseId { task, number })
}

/// Numbers count from 1 and have one spelling: no sign, no leading zero.
fn parse_number(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use piecework_proto::v1::ErrorReason;

    use super::*;

    #[test]
    fn a_number_is_written_as_it_is_displayed() {
        let edges = (0..10).flat_map(|power| {
            let ten = 10_u32.pow(power);
            [ten - 1, ten, ten + 1]
        });
        for number in edges.chain([u32::MAX]) {
            assert_eq!(Digits::of(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn names_read_back_as_they_were_written() {
        let cats = ClientId::new("cats").unwrap();
        for text in ["projects/cats/tasks/a:b", "projects/cats/tasks/~7"] {
            assert_eq!(of_task_ref(&task("name", text).unwrap()), text);
        }
        assert_eq!(of_task(&cats, None, TaskNumber(7)), "projects/cats/tasks/~7");
        assert_eq!(of_project(&project("name", "projects/cats").unwrap()), "projects/cats");
        assert_eq!(of_worker(&worker("name", "workers/~3").unwrap()), "workers/~3");
        let id = lease("lease", "leases/3-7-1").unwrap();
        assert_eq!((id.task.project, id.task.number, id.number), (ProjectId(3), TaskNumber(7), 1));
        assert_eq!(of_lease(id), "leases/3-7-1");
        assert_eq!(submission("name", &of_submission(id)).unwrap(), id);
    }

    #[test]
    fn a_malformed_name_names_its_field_and_the_pattern() {
        let failure = lease("answers[2].lease", "leases/3-7").unwrap_err();
        assert_eq!(failure.reason(), ErrorReason::NameMalformed);
        assert_eq!(failure.field(), Some("answers[2].lease"));
        assert!(failure.message().contains("leases/{lease}"));
    }

    #[test]
    fn a_name_has_one_spelling() {
        for wrong in ["leases/03-7-1", "leases/+3-7-1", "leases/3-7-1-1", "leases/0-7-1", "3-7-1"] {
            assert!(lease("lease", wrong).is_err(), "{wrong}");
        }
        for wrong in ["projects/cats/tasks/~0", "projects/cats/tasks/~x", "projects/a b/tasks/t"] {
            assert!(task("name", wrong).is_err(), "{wrong}");
        }
        assert!(project("name", "projects/cats/tasks/7").is_err());
        assert!(log("parent", "projects/-").is_err());
    }

    #[test]
    fn a_new_id_never_begins_with_the_mark_of_ours() {
        assert_eq!(new_id("task_id", "").unwrap(), None);
        assert_eq!(new_id("task_id", "7").unwrap(), ClientId::new("7"));
        assert!(new_id("project_id", "-").is_err());
        let failure = new_id("tasks[0].task_id", "~7").unwrap_err();
        assert_eq!(failure.reason(), ErrorReason::FieldInvalid);
        assert_eq!(failure.field(), Some("tasks[0].task_id"));
    }
}
