//! Names of things, as a person writes them: `cats` or `projects/cats`.
//!
//! Only the shape is looked at here; the daemon judges the id.

use anyhow::Result;

use crate::failure::input;

/// `projects/{id}`.
pub(crate) fn project(text: &str) -> Result<String> {
    full("projects", text)
}

/// `requesters/{id}`.
pub(crate) fn requester(text: &str) -> Result<String> {
    full("requesters", text)
}

/// `workers/{id}`.
pub(crate) fn worker(text: &str) -> Result<String> {
    full("workers", text)
}

/// `projects/{project}/tasks/{id}`; a bare id is taken to be in `project`, a full project name.
pub(crate) fn task(project: &str, text: &str) -> Result<String> {
    if text.contains('/') {
        let inside = text.strip_prefix(project).is_some_and(|rest| rest.starts_with("/tasks/"));
        return if inside {
            Ok(text.to_owned())
        } else {
            Err(input(format!("`{text}` is not a task of {project}; write its id alone")))
        };
    }
    Ok(format!("{project}/tasks/{text}"))
}

/// `cats/tasks/7` is `projects/cats/tasks/7`: the project's full name and the task's.
pub(crate) fn full_task(text: &str) -> Result<(String, String)> {
    let name = text.strip_prefix("projects/").unwrap_or(text);
    let Some((project, id)) = name.split_once("/tasks/") else {
        return Err(input(format!("`{text}` is not a task; write `PROJECT/tasks/TASK`")));
    };
    let project = self::project(project)?;
    let task = task(&project, id)?;
    Ok((project, task))
}

/// The last part of a name: what the requester calls it.
pub(crate) fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether the daemon takes this as the id of something new: 1 to 128
/// characters of `[A-Za-z0-9._~:@+=-]`, not `~` first, which is its own, and not
/// `-` alone, which names all of a kind.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('~')
        && text != "-"
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~:@+=-".contains(&b))
}

fn full(kind: &str, text: &str) -> Result<String> {
    match text.split_once('/') {
        None if !text.is_empty() => Ok(format!("{kind}/{text}")),
        Some((found, id)) if found == kind && !id.is_empty() && !id.contains('/') => {
            Ok(text.to_owned())
        }
        _ => Err(input(format!("`{text}` is not a name; write `ID` or `{kind}/ID`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_ids_and_full_names_are_the_same() {
        assert_eq!(project("cats").unwrap(), "projects/cats");
        assert_eq!(project("projects/cats").unwrap(), "projects/cats");
        assert_eq!(worker("ann").unwrap(), "workers/ann");
        assert_eq!(task("projects/cats", "7").unwrap(), "projects/cats/tasks/7");
        assert_eq!(
            task("projects/cats", "projects/cats/tasks/7").unwrap(),
            "projects/cats/tasks/7"
        );
        assert_eq!(id("projects/cats"), "cats");
    }

    #[test]
    fn a_task_is_named_with_its_project() {
        assert_eq!(full_task("cats/tasks/a").unwrap().1, "projects/cats/tasks/a");
        let full = ("projects/cats".to_owned(), "projects/cats/tasks/~7".to_owned());
        assert_eq!(full_task("projects/cats/tasks/~7").unwrap(), full);
        assert!(full_task("a").is_err() && full_task("/tasks/a").is_err());
    }

    #[test]
    fn another_kind_of_name_is_refused() {
        for wrong in ["workers/ann", "", "projects/", "projects/cats/tasks/7"] {
            assert!(project(wrong).is_err(), "{wrong}");
        }
        assert!(task("projects/cats", "projects/dogs/tasks/7").is_err());
    }

    #[test]
    fn ids_follow_the_daemons_rule() {
        assert!(is_id("a.b~c:d@e+f=g-h") && !is_id("~a") && !is_id("a b"));
        assert!(!is_id("") && !is_id(&"x".repeat(129)) && is_id(&"x".repeat(128)));
        assert!(is_id("7") && is_id("t7") && !is_id("~7") && !is_id("-"));
    }
}
