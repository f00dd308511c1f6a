//! Requests about tasks.

use std::collections::BTreeMap;

use piecework_core::command::{NewTask, TaskRef, UpdateTask};
use piecework_core::{ClientId, Fingerprint, Millis, WallTime, limits};
use piecework_proto::v1;

use crate::wire::bulk::Sifted;
use crate::wire::failure::Failure;
use crate::wire::mask::Mask;
use crate::wire::{field, invalid, names};

const UPDATE_FIELDS: [&str; 3] = ["overlap", "priority", "deadline"];
/// What a payload is when its requester does not say.
const ANY_BYTES: &str = "application/octet-stream";

/// The tasks of a `CreateTasks`, each checked by itself. `now`: deadlines lie
/// ahead of it.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn new_tasks(
    messages: Vec<v1::NewTask>,
    now: WallTime,
) -> Result<Sifted<NewTask>, Failure> {
    field::items("tasks", messages.len())?;
    let mut first_with: BTreeMap<ClientId, usize> = BTreeMap::new();
    let read = |(index, message): (usize, v1::NewTask)| {
        let path = format!("tasks[{index}]");
        let task = new_task(&path, message, now)?;
        if let Some(name) = &task.name {
            if let Some(first) = first_with.get(name) {
                let problem = format!("is {name}, as is that of tasks[{first}]");
                return Err(invalid::field(format!("{path}.task_id"), problem));
            }
            first_with.insert(name.clone(), index);
        }
        Ok(task)
    };
    Ok(Sifted::new(messages.into_iter().enumerate().map(read)))
}

/// The changes of an `UpdateTasks`, each checked by itself.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn updates(
    project: &ClientId,
    messages: Vec<v1::TaskUpdate>,
    now: WallTime,
) -> Result<Sifted<UpdateTask>, Failure> {
    field::items("updates", messages.len())?;
    let read = |(index, message): (usize, v1::TaskUpdate)| {
        update(project, &format!("updates[{index}]"), message, now)
    };
    Ok(Sifted::new(messages.into_iter().enumerate().map(read)))
}

/// The names of a `CancelTasks` or `RequeueTasks`, each checked by itself.
///
/// # Errors
/// The list itself is empty or too long.
pub(crate) fn names_in(project: &ClientId, list: &[String]) -> Result<Sifted<TaskRef>, Failure> {
    field::items("names", list.len())?;
    let read =
        |(index, name): (usize, &String)| in_project(project, &format!("names[{index}]"), name);
    Ok(Sifted::new(list.iter().enumerate().map(read)))
}

fn new_task(path: &str, message: v1::NewTask, now: WallTime) -> Result<NewTask, Failure> {
    let at = |name: &str| format!("{path}.{name}");
    let payload = message.payload.to_vec();
    if payload.is_empty() {
        return Err(invalid::field(at("payload"), "is empty, a worker needs something to see"));
    }
    let bytes = payload.len();
    field::count(at("payload"), bytes, limits::PAYLOAD_BYTES_MAX, "bytes")?;
    let deadline = |time| field::future(&at("deadline"), time, now);
    let expected = |time| field::positive(&at("expected_duration"), time, limits::LEASE_MAX);
    let mut task = NewTask {
        name: names::new_id(&at("task_id"), &message.task_id)?,
        payload,
        content_type: field::content_type(at("content_type"), message.content_type, ANY_BYTES)?,
        priority: field::priority(&at("priority"), message.priority)?,
        deadline: message.deadline.map(deadline).transpose()?,
        overlap: field::optional_overlap(&at("overlap"), message.overlap)?,
        expected: message.expected_duration.map(expected).transpose()?,
        labels: field::labels(&at("labels"), message.labels)?,
        content: Fingerprint::default(),
    };
    task.content = content_of(&task);
    Ok(task)
}

/// Over everything but the name: the same id with another content is seen.
fn content_of(task: &NewTask) -> Fingerprint {
    let priority = task.priority.to_le_bytes();
    let deadline = task.deadline.map(|WallTime(at)| at.to_le_bytes());
    let overlap = task.overlap.unwrap_or(0).to_le_bytes();
    let expected = task.expected.map(|Millis(time)| time.to_le_bytes());
    let mut parts: Vec<&[u8]> = vec![
        &task.payload,
        task.content_type.as_bytes(),
        &priority,
        // Absent is no bytes, zero is eight.
        deadline.as_ref().map_or(&[], |bytes| bytes),
        &overlap,
        expected.as_ref().map_or(&[], |bytes| bytes),
    ];
    for (key, value) in &task.labels {
        parts.extend([key.as_bytes(), value.as_bytes()]);
    }
    Fingerprint::of(&parts)
}

fn update(
    project: &ClientId,
    path: &str,
    message: v1::TaskUpdate,
    now: WallTime,
) -> Result<UpdateTask, Failure> {
    let at = |name: &str| format!("{path}.{name}");
    let mask = Mask::new(&at("update_mask"), message.update_mask, &UPDATE_FIELDS, &["name"])?;
    let mut update = UpdateTask {
        task: in_project(project, &at("name"), &message.name)?,
        overlap: None,
        priority: None,
        deadline: None,
    };
    if mask.has("overlap") {
        update.overlap = Some(field::overlap(&at("overlap"), message.overlap)?);
    }
    if mask.has("priority") {
        update.priority = Some(field::priority(&at("priority"), message.priority)?);
    }
    if mask.has("deadline") {
        let read = |time| field::future(&at("deadline"), time, now);
        update.deadline = Some(message.deadline.map(read).transpose()?);
    }
    Ok(update)
}

fn in_project(project: &ClientId, path: &str, name: &str) -> Result<TaskRef, Failure> {
    let task = names::task(path, name)?;
    if task.project != *project {
        let problem = format!("is {name:?}, which is not in projects/{project}");
        return Err(invalid::field(path, problem));
    }
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> v1::NewTask {
        v1::NewTask {
            task_id: id.to_owned(),
            payload: b"cat.jpg".to_vec().into(),
            ..v1::NewTask::default()
        }
    }

    fn wrong(message: v1::NewTask) -> String {
        let failure = new_task("tasks[3]", message, WallTime(0)).unwrap_err();
        failure.field().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_wrong_field_of_the_wrong_item_is_named() {
        let base = || task("a");
        assert_eq!(wrong(v1::NewTask { payload: Vec::new().into(), ..base() }), "tasks[3].payload");
        let large = vec![0; limits::PAYLOAD_BYTES_MAX + 1].into();
        assert_eq!(wrong(v1::NewTask { payload: large, ..base() }), "tasks[3].payload");
        assert_eq!(wrong(v1::NewTask { overlap: 1001, ..base() }), "tasks[3].overlap");
        assert_eq!(wrong(v1::NewTask { priority: -101, ..base() }), "tasks[3].priority");
        assert_eq!(wrong(task("~1")), "tasks[3].task_id");
    }

    #[test]
    fn a_bad_item_leaves_its_neighbours_alone() {
        let empty = v1::NewTask { payload: Vec::new().into(), ..task("b") };
        let list = vec![task("a"), empty, task("c"), task("a")];
        let (good, gaps) = new_tasks(list, WallTime(0)).unwrap().split();
        assert_eq!(good.len(), 2);
        let filled = gaps.fill("tasks", vec![Ok(()), Ok(())]);
        let fields: Vec<_> =
            filled.iter().map(|item| item.as_ref().err().and_then(Failure::field)).collect();
        assert_eq!(fields, [None, Some("tasks[1].payload"), None, Some("tasks[3].task_id")]);
        assert!(new_tasks(vec![], WallTime(0)).is_err());
    }

    #[test]
    fn content_is_everything_but_the_name() {
        let content = |message| new_task("tasks[0]", message, WallTime(0)).unwrap().content;
        assert_eq!(content(task("a")), content(task("b")));
        assert_ne!(content(task("a")), content(v1::NewTask { priority: 1, ..task("a") }));
        assert_ne!(content(task("a")), content(v1::NewTask { overlap: 2, ..task("a") }));
    }

    #[test]
    fn a_task_of_another_project_is_refused_by_itself() {
        let cats = ClientId::new("cats").unwrap();
        let list = ["projects/cats/tasks/a".to_owned(), "projects/dogs/tasks/a".to_owned()];
        let (good, gaps) = names_in(&cats, &list).unwrap().split();
        assert_eq!(good.len(), 1);
        let filled = gaps.fill("names", vec![Ok(())]);
        assert_eq!(filled[1].as_ref().unwrap_err().field(), Some("names[1]"));
    }

    #[test]
    fn a_masked_deadline_without_a_value_is_taken_away() {
        let cats = ClientId::new("cats").unwrap();
        let message = |paths: &[&str]| v1::TaskUpdate {
            name: "projects/cats/tasks/a".to_owned(),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
            ..v1::TaskUpdate::default()
        };
        let update = |paths| update(&cats, "updates[0]", message(paths), WallTime(0));
        assert_eq!(update(&["deadline"]).unwrap().deadline, Some(None));
        assert_eq!(update(&["priority"]).unwrap().deadline, None);
        assert_eq!(update(&["overlap"]).unwrap_err().field(), Some("updates[0].overlap"));
    }
}
