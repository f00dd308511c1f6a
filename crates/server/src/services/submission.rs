//! `SubmissionService`.

use std::sync::Arc;

use piecework_core::submission::Submission;
use piecework_core::{ClientId, TaskId};
use piecework_proto::v1;
use piecework_proto::v1::submission_service_server::SubmissionService;
use tonic::{Request, Response, Status};

use crate::services::call::Desk;
use crate::services::page::Page;
use crate::services::reader::Reader;
use crate::wire::failure::Failure;
use crate::wire::filter::Filter;
use crate::wire::names::SubmissionParent;
use crate::wire::tokens::Scope;
use crate::wire::{from_wire, names, status, to_wire, tokens};

pub(crate) struct SubmissionApi(pub(crate) Arc<Desk>);

/// A submission with the names in it, `own` its task's; `None`: its project is gone.
pub(crate) fn formatted(
    reader: &Reader,
    submission: Submission,
    own: Option<&ClientId>,
) -> Result<Option<v1::Submission>, Failure> {
    let task = submission.lease.task;
    let Some(project) = reader.project_name(task.project)? else { return Ok(None) };
    let Some(terms) = reader.terms(task.project, submission.revision)? else { return Ok(None) };
    let worker = reader.worker_name(submission.worker)?;
    let task = names::of_task(&project, own, task.number);
    Ok(Some(to_wire::submission::submission(submission, task, &worker, &terms)))
}

/// The same, with its task's name looked up; `None`: its task is gone.
fn found(reader: &Reader, submission: Submission) -> Result<Option<v1::Submission>, Failure> {
    let task = submission.lease.task;
    let Some(title) = reader.titles(&[task], usize::MAX)?.pop().flatten() else { return Ok(None) };
    formatted(reader, submission, title.name.as_ref())
}

/// A page by task. Answers are few (at most 1,000 places), so all are read and
/// put into the order in which they were taken: by lease within the same moment.
fn of_task(
    reader: &Reader,
    id: TaskId,
    filter: Wanted,
    size: usize,
    page_token: &str,
) -> Result<v1::ListSubmissionsResponse, Failure> {
    let scope = Scope::of(&["submissions", &id.to_string(), filter.0]);
    let after = tokens::read_page(page_token, scope)?;
    let mut all = reader.submissions_of_task(id)?;
    all.sort_by_key(|submission| (submission.submitted, submission.lease));
    let numbered: Vec<(u64, Submission)> = (1..).zip(all).collect();
    let mut page = Page::new(size, after);
    page.fill(
        |after, limit| {
            let behind = numbered.iter().filter(|(n, _)| *n > after).take(limit);
            Ok(behind.cloned().collect())
        },
        |(n, _)| *n,
        |(_, submission)| filter.format(reader, submission),
    )?;
    Ok(response(page, scope))
}

fn of_worker(
    reader: &Reader,
    name: &ClientId,
    filter: Wanted,
    size: usize,
    page_token: &str,
) -> Result<v1::ListSubmissionsResponse, Failure> {
    let worker = reader.worker(name)?.id;
    let scope = Scope::of(&["submissions", &format!("worker {worker}"), filter.0]);
    let mut page = Page::new(size, tokens::read_page(page_token, scope)?);
    page.fill(
        |after, limit| reader.submissions_of_worker(worker, tokens::number(after), limit),
        |submission| submission.nth.into(),
        |submission| filter.format(reader, submission),
    )?;
    Ok(response(page, scope))
}

fn response(page: Page<v1::Submission>, scope: Scope) -> v1::ListSubmissionsResponse {
    let (submissions, next) = page.finish();
    let next_page_token = tokens::next_page(scope, next);
    v1::ListSubmissionsResponse { submissions, next_page_token }
}

/// What the list leaves in: the text for its tokens, and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted(&'static str, Option<bool>);

impl Wanted {
    fn parse(text: &str) -> Result<Wanted, Failure> {
        let read = |value: &str| value.parse().ok();
        Ok(match Filter::parse(text, &["counted"])?.value("counted", read)? {
            None => Wanted("", None),
            Some(true) => Wanted("counted", Some(true)),
            Some(false) => Wanted("not counted", Some(false)),
        })
    }

    fn format(
        self,
        reader: &Reader,
        submission: Submission,
    ) -> Result<Option<v1::Submission>, Failure> {
        if self.1.is_some_and(|counted| counted != submission.counted) {
            return Ok(None);
        }
        found(reader, submission)
    }
}

#[tonic::async_trait]
impl SubmissionService for SubmissionApi {
    async fn get_submission(
        &self,
        request: Request<v1::GetSubmissionRequest>,
    ) -> Result<Response<v1::GetSubmissionResponse>, Status> {
        let request = request.into_inner();
        let id = names::submission("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let read = move |reader: &Reader| {
            let answer = reader.submission(id)?.map(|answer| found(reader, answer));
            let answer = answer.transpose()?.flatten();
            answer.ok_or_else(|| status::submission_not_found(&request.name))
        };
        let submission = Some(self.0.read(read).await?);
        Ok(Response::new(v1::GetSubmissionResponse { submission }))
    }

    async fn list_submissions(
        &self,
        request: Request<v1::ListSubmissionsRequest>,
    ) -> Result<Response<v1::ListSubmissionsResponse>, Status> {
        let request = request.into_inner();
        let parent = names::submission_parent("parent", &request.parent)?;
        let filter = Wanted::parse(&request.filter)?;
        let size = from_wire::page_size(request.page_size);
        self.0.reach(&request.min_position).await?;
        let token = request.page_token;
        let response = match parent {
            SubmissionParent::Task(task) => {
                let id = self.0.find_task(&task).await?;
                self.0.read(move |reader| of_task(reader, id, filter, size, &token)).await?
            }
            SubmissionParent::Worker(name) => {
                self.0.read(move |reader| of_worker(reader, &name, filter, size, &token)).await?
            }
        };
        Ok(Response::new(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_counted_or_not() {
        assert_eq!(Wanted::parse("counted = true").unwrap().1, Some(true));
        assert_eq!(Wanted::parse("").unwrap().1, None);
        assert!(Wanted::parse("counted = maybe").is_err());
    }
}
