//! `TaskService`.

use std::sync::Arc;

use piecework_core::command::{CancelTasks, CreateKey, CreateTasks, ResolveTask, TaskRef};
use piecework_core::explanation::{Explanation, Question};
use piecework_core::outcome::{ChangedTask, CreatedTask};
use piecework_core::project::{Project, ProjectState};
use piecework_core::task::{TaskRecord, TaskSpec, TaskState};
use piecework_core::{ClientId, Command, Outcome, TaskId, TaskNumber, WallTime};
use piecework_proto::v1;
use piecework_proto::v1::task_service_server::TaskService;
use tonic::{Request, Response, Status};

use crate::services::call::{Desk, Told, unexpected};
use crate::services::page::Page;
use crate::services::reader::{Reader, missing, no_task};
use crate::wire::bulk::{Gaps, Sifted};
use crate::wire::failure::Failure;
use crate::wire::filter::Filter;
use crate::wire::to_wire::task::TaskRows;
use crate::wire::tokens::Scope;
use crate::wire::{from_wire, names, status, to_wire, tokens};
use crate::writer;

pub(crate) struct TaskApi(pub(crate) Arc<Desk>);

type Changed = (Vec<v1::ChangeTaskResult>, String);

impl TaskApi {
    /// Sends a change of tasks and formats what became of each. `field`: the list
    /// in the request.
    async fn change<T>(
        &self,
        sifted: Sifted<T>,
        field: &'static str,
        command: impl FnOnce(Vec<T>) -> Command,
    ) -> Result<Changed, Failure> {
        let (good, gaps) = sifted.split();
        if good.is_empty() {
            let none = gaps.fill(field, Vec::<Result<ChangedTask, _>>::new());
            let results = none.into_iter().filter_map(Result::err).map(refused).collect();
            return Ok((results, tokens::position(self.0.published())));
        }
        let told = self.0.ask(command(good)).await?;
        let Outcome::TasksChanged(changed) = told.outcome else {
            return Err(unexpected(&told.outcome));
        };
        let items = gaps.fill(field, changed);
        let results = self.0.read(move |reader| changed_items(reader, items)).await?;
        Ok((results, told.position))
    }

    async fn create(
        &self,
        command: CreateTasks,
        gaps: Gaps,
    ) -> Result<v1::CreateTasksResponse, Failure> {
        let project = command.project.clone();
        let (created, position) = match command.tasks.is_empty() {
            true => (Vec::new(), tokens::position(self.0.published())),
            false => {
                let told = self.0.ask(Command::CreateTasks(command)).await?;
                let Outcome::TasksCreated(created) = told.outcome else {
                    return Err(unexpected(&told.outcome));
                };
                (created, told.position)
            }
        };
        let items = gaps.fill("tasks", created).into_iter();
        let results = items.map(|item| created_item(&project, item)).collect();
        Ok(v1::CreateTasksResponse { results, position })
    }
}

fn created_item(project: &ClientId, item: Result<CreatedTask, Failure>) -> v1::CreateTaskResult {
    use v1::create_task_result::Outcome as Item;
    let outcome = match item {
        Ok(CreatedTask { task, name, existed }) => Item::Task(v1::CreatedTask {
            name: names::of_task(project, name.as_ref(), task.number),
            number: task.number.0.into(),
            existed,
        }),
        Err(failure) => Item::Error(failure.into_item()),
    };
    v1::CreateTaskResult { outcome: Some(outcome) }
}

fn changed_items(
    reader: &Reader,
    items: Vec<Result<ChangedTask, Failure>>,
) -> Result<Vec<v1::ChangeTaskResult>, Failure> {
    let format = |item| match item {
        Ok(ChangedTask { task, state }) => changed(reader, task, state),
        Err(failure) => Ok(refused(failure)),
    };
    items.into_iter().map(format).collect()
}

fn changed(reader: &Reader, id: TaskId, state: TaskState) -> Result<v1::ChangeTaskResult, Failure> {
    let project = reader.project_name(id.project)?.ok_or_else(|| gone(id))?;
    let rows = reader.task(id, &project, false)?.ok_or_else(|| gone(id))?;
    let task = to_wire::task::changed(&rows, state);
    let outcome = v1::change_task_result::Outcome::Task(task);
    Ok(v1::ChangeTaskResult { outcome: Some(outcome) })
}

fn refused(failure: Failure) -> v1::ChangeTaskResult {
    let outcome = v1::change_task_result::Outcome::Error(failure.into_item());
    v1::ChangeTaskResult { outcome: Some(outcome) }
}

fn gone(id: TaskId) -> Failure {
    missing("task", id)
}

fn is_withdrawn(project: &Project) -> bool {
    matches!(project.state, ProjectState::Cancelled { .. })
}

fn state_filter(text: &str) -> Result<Option<v1::TaskState>, Failure> {
    let state = |name: &str| {
        v1::TaskState::from_str_name(&format!("TASK_STATE_{name}"))
            .filter(|state| *state != v1::TaskState::Unspecified)
    };
    Filter::parse(text, &["state"])?.value("state", state)
}

/// A task as a list shows it; `None`: the filter leaves it out. Leases are read
/// only of what is shown.
fn listed(
    reader: &Reader,
    project: &Project,
    (spec, record): (TaskSpec, Option<TaskRecord>),
    wanted: Option<v1::TaskState>,
) -> Result<Option<v1::Task>, Failure> {
    let (name, withdrawn) = (project.name.clone(), is_withdrawn(project));
    let mut rows = TaskRows { spec, record, leases: Vec::new(), project: name, withdrawn };
    let state = to_wire::task::state(rows.state()).0;
    if wanted.is_some_and(|wanted| wanted != state) {
        return Ok(None);
    }
    if rows.record.is_some() {
        rows.leases = reader.leases(rows.spec.id)?;
    }
    Ok(Some(to_wire::task::task(&rows, false)))
}

#[tonic::async_trait]
impl TaskService for TaskApi {
    async fn create_tasks(
        &self,
        request: Request<v1::CreateTasksRequest>,
    ) -> Result<Response<v1::CreateTasksResponse>, Status> {
        let request = request.into_inner();
        let project = names::project("parent", &request.parent)?;
        let key = from_wire::create_key(&request.request_id, &request)?;
        // The same items must be good when the call is retried: then a deadline
        // may have passed, and the task that it was for is there.
        let now = if key.is_some() { WallTime(0) } else { writer::wall() };
        let (tasks, gaps) = from_wire::task::new_tasks(request.tasks, now)?.split();
        let key = key.map(|key| CreateKey { content: gaps.mark(key.content), ..key });
        let response = self.create(CreateTasks { project, tasks, key }, gaps).await?;
        Ok(Response::new(response))
    }

    async fn get_task(
        &self,
        request: Request<v1::GetTaskRequest>,
    ) -> Result<Response<v1::GetTaskResponse>, Status> {
        let request = request.into_inner();
        let task = names::task("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let id = self.0.find_task(&task).await?;
        let read = move |reader: &Reader| {
            let project = reader.project(&task.project)?;
            let rows = reader.task(id, &project.name, is_withdrawn(&project))?;
            let rows = rows.ok_or_else(|| no_task(&task))?;
            Ok(to_wire::task::task(&rows, true))
        };
        let task = Some(self.0.read(read).await?);
        Ok(Response::new(v1::GetTaskResponse { task }))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<v1::ListTasksResponse>, Status> {
        let request = request.into_inner();
        let name = names::project("parent", &request.parent)?;
        let wanted = state_filter(&request.filter)?;
        let size = from_wire::page_size(request.page_size);
        self.0.reach(&request.min_position).await?;
        let read = move |reader: &Reader| {
            let project = reader.project(&name)?;
            let scope = Scope::of(&["tasks", &project.id.to_string(), &request.filter]);
            let mut page = Page::new(size, tokens::read_page(&request.page_token, scope)?);
            page.fill(
                |after, limit| reader.tasks(project.id, TaskNumber(tokens::number(after)), limit),
                |(spec, _)| spec.id.number.0.into(),
                |task| listed(reader, &project, task, wanted),
            )?;
            let (tasks, next) = page.finish();
            Ok(v1::ListTasksResponse { tasks, next_page_token: tokens::next_page(scope, next) })
        };
        Ok(Response::new(self.0.read(read).await?))
    }

    async fn explain_task(
        &self,
        request: Request<v1::ExplainTaskRequest>,
    ) -> Result<Response<v1::ExplainTaskResponse>, Status> {
        let request = request.into_inner();
        let task = names::task("name", &request.name)?;
        let worker = match request.worker.as_str() {
            "" => None,
            name => Some(names::worker("worker", name)?),
        };
        self.0.reach(&request.min_position).await?;
        let Explanation::Task(told) = self.0.explain(Question::Task { task, worker }).await? else {
            return Err(status::internal().into());
        };
        let explanation = Some(to_wire::explain::task(&request.name, &told));
        Ok(Response::new(v1::ExplainTaskResponse { explanation }))
    }

    async fn update_tasks(
        &self,
        request: Request<v1::UpdateTasksRequest>,
    ) -> Result<Response<v1::UpdateTasksResponse>, Status> {
        let request = request.into_inner();
        let project = names::project("parent", &request.parent)?;
        let updates = from_wire::task::updates(&project, request.updates, writer::wall())?;
        let (results, position) = self.change(updates, "updates", Command::UpdateTasks).await?;
        Ok(Response::new(v1::UpdateTasksResponse { results, position }))
    }

    async fn cancel_tasks(
        &self,
        request: Request<v1::CancelTasksRequest>,
    ) -> Result<Response<v1::CancelTasksResponse>, Status> {
        let request = request.into_inner();
        let project = names::project("parent", &request.parent)?;
        let tasks = from_wire::task::names_in(&project, &request.names)?;
        let revoke_leases = request.revoke_leases;
        let command =
            |tasks: Vec<TaskRef>| Command::CancelTasks(CancelTasks { tasks, revoke_leases });
        let (results, position) = self.change(tasks, "names", command).await?;
        Ok(Response::new(v1::CancelTasksResponse { results, position }))
    }

    async fn requeue_tasks(
        &self,
        request: Request<v1::RequeueTasksRequest>,
    ) -> Result<Response<v1::RequeueTasksResponse>, Status> {
        let request = request.into_inner();
        let project = names::project("parent", &request.parent)?;
        let tasks = from_wire::task::names_in(&project, &request.names)?;
        let (results, position) = self.change(tasks, "names", Command::RequeueTasks).await?;
        Ok(Response::new(v1::RequeueTasksResponse { results, position }))
    }

    async fn resolve_task(
        &self,
        request: Request<v1::ResolveTaskRequest>,
    ) -> Result<Response<v1::ResolveTaskResponse>, Status> {
        let request = request.into_inner();
        let task = names::task("name", &request.name)?;
        let paths = ["answer", "content_type"];
        let answer =
            from_wire::answer::answer(paths, request.answer.to_vec(), request.content_type)?;
        let command = Command::ResolveTask(Box::new(ResolveTask { task, answer }));
        let Told { outcome, position, .. } = self.0.ask(command).await?;
        let Outcome::TasksChanged(mut tasks) = outcome else {
            return Err(unexpected(&outcome).into());
        };
        let changed = tasks.pop().ok_or_else(status::internal)?;
        let changed = changed.map_err(|refusal| status::refused(&refusal, ""))?;
        let state = to_wire::task::state(changed.state).0.into();
        Ok(Response::new(v1::ResolveTaskResponse { state, position }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_states_filter() {
        assert_eq!(state_filter("state = FAILED").unwrap(), Some(v1::TaskState::Failed));
        assert_eq!(state_filter("").unwrap(), None);
        for wrong in ["state = LIVE", "state = UNSPECIFIED", "priority = 1"] {
            assert!(state_filter(wrong).is_err(), "{wrong}");
        }
    }
}
