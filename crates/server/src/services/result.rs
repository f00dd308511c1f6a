//! `ResultService`.

use std::sync::Arc;
use std::time::Duration;

use piecework_core::TaskNumber;
use piecework_core::event::{Event, Log, What};
use piecework_core::project::Project;
use piecework_core::task::TaskRecord;
use piecework_proto::v1;
use piecework_proto::v1::result_service_server::ResultService;
use piecework_proto::v1::watch_results_response::Frame;
use tonic::{Request, Response, Status};

use crate::services::call::Desk;
use crate::services::log::{LogQuery, Record};
use crate::services::page::Page;
use crate::services::reader::{Reader, missing};
use crate::services::records;
use crate::services::referred::Referred;
use crate::services::watch::{self, Frames, Handed};
use crate::wire::failure::Failure;
use crate::wire::filter::Filter;
use crate::wire::tokens::Scope;
use crate::wire::{from_wire, names, status, tokens};

pub(crate) struct ResultApi {
    pub(crate) desk: Arc<Desk>,
    pub(crate) heartbeat: Duration,
}

const FRAMES: Frames<v1::WatchResultsResponse> = Frames { record: frame, heartbeat };

fn frame(
    referred: &Referred<'_>,
    record: Record,
) -> Result<Option<v1::WatchResultsResponse>, Failure> {
    let Record { event, previous, token } = record;
    let frame = |result| {
        let result = Some(result);
        let previous_sequence = previous.0;
        let watched = v1::WatchedResult { result, previous_sequence, resume_token: token };
        v1::WatchResultsResponse { frame: Some(Frame::Result(watched)) }
    };
    Ok(of_event(referred, &event)?.map(frame))
}

fn heartbeat(resume_token: String) -> v1::WatchResultsResponse {
    v1::WatchResultsResponse { frame: Some(Frame::Heartbeat(v1::Heartbeat { resume_token })) }
}

/// `None`: it is no result, or its task is gone.
fn of_event(referred: &Referred<'_>, event: &Event) -> Result<Option<v1::Result>, Failure> {
    match &event.what {
        What::Result(result) => records::result(referred, result, event.sequence, event.at),
        What::Submitted(_) | What::TaskEnded { .. } | What::Worker { .. } => Ok(None),
    }
}

/// The newest revision; `None`: there is none.
fn of_task(reader: &Reader, record: &TaskRecord) -> Result<Option<v1::Result>, Failure> {
    let Some(sequence) = record.result else { return Ok(None) };
    let event = reader.event(Log::Project(record.id.project), sequence)?;
    let event = event.ok_or_else(|| missing("result", record.id))?;
    of_event(&Referred::by(std::slice::from_ref(&event), reader)?, &event)
}

fn state_filter(text: &str) -> Result<Option<v1::ResultState>, Failure> {
    let state = |name: &str| {
        v1::ResultState::from_str_name(&format!("RESULT_STATE_{name}"))
            .filter(|state| *state != v1::ResultState::Unspecified)
    };
    Filter::parse(text, &["state"])?.value("state", state)
}

fn list(
    reader: &Reader,
    project: &Project,
    request: &v1::ListResultsRequest,
    wanted: Option<v1::ResultState>,
) -> Result<v1::ListResultsResponse, Failure> {
    let scope = Scope::of(&["results", &project.id.to_string(), &request.filter]);
    let after = tokens::read_page(&request.page_token, scope)?;
    let mut page = Page::new(from_wire::page_size(request.page_size), after);
    let fits = |result: &v1::Result| wanted.is_none_or(|state| state == result.state());
    page.fill(
        |after, limit| reader.touched(project.id, TaskNumber(tokens::number(after)), limit),
        |record| record.id.number.0.into(),
        |record| Ok(of_task(reader, &record)?.filter(fits)),
    )?;
    let (results, next) = page.finish();
    Ok(v1::ListResultsResponse { results, next_page_token: tokens::next_page(scope, next) })
}

#[tonic::async_trait]
impl ResultService for ResultApi {
    type WatchResultsStream = Handed<v1::WatchResultsResponse>;

    async fn watch_results(
        &self,
        request: Request<v1::WatchResultsRequest>,
    ) -> Result<Response<Self::WatchResultsStream>, Status> {
        let request = request.into_inner();
        let name = names::project("parent", &request.parent)?;
        let read = move |reader: &Reader| {
            let log = Log::Project(reader.project(&name)?.id);
            let mut types = vec![v1::EventType::Result];
            if request.include_provisional {
                types.push(v1::EventType::ProvisionalResult);
            }
            let query = LogQuery::new(log, request.parent, types);
            let cursor = query.begin(reader, &request.resume_token)?;
            Ok((query, cursor))
        };
        let (query, cursor) = self.desk.read(read).await?;
        Ok(Response::new(watch::follow(self.desk.source(), query, cursor, FRAMES, self.heartbeat)))
    }

    async fn list_results(
        &self,
        request: Request<v1::ListResultsRequest>,
    ) -> Result<Response<v1::ListResultsResponse>, Status> {
        let request = request.into_inner();
        let name = names::project("parent", &request.parent)?;
        let wanted = state_filter(&request.filter)?;
        self.desk.reach(&request.min_position).await?;
        let read = move |reader: &Reader| list(reader, &reader.project(&name)?, &request, wanted);
        Ok(Response::new(self.desk.read(read).await?))
    }

    async fn get_result(
        &self,
        request: Request<v1::GetResultRequest>,
    ) -> Result<Response<v1::GetResultResponse>, Status> {
        let request = request.into_inner();
        let task = names::result("name", &request.name)?;
        self.desk.reach(&request.min_position).await?;
        let id = self.desk.find_task(&task).await?;
        let read = move |reader: &Reader| {
            let found = reader.record(id)?.map(|record| of_task(reader, &record));
            let found = found.transpose()?.flatten();
            found.ok_or_else(|| status::result_not_found(&request.name))
        };
        let result = Some(self.desk.read(read).await?);
        Ok(Response::new(v1::GetResultResponse { result }))
    }
}
