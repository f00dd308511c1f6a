//! `EventService`.

use std::sync::Arc;
use std::time::Duration;

use piecework_core::event::Log;
use piecework_proto::v1;
use piecework_proto::v1::event_service_server::EventService;
use piecework_proto::v1::watch_events_response::Frame;
use tonic::{Request, Response, Status};

use crate::services::call::Desk;
use crate::services::log::{LogQuery, Record, Stretch};
use crate::services::reader::Reader;
use crate::services::referred::Referred;
use crate::services::watch::{self, Frames, Handed};
use crate::services::{records, tenant};
use crate::wire::failure::Failure;
use crate::wire::names::LogParent;
use crate::wire::{field, from_wire, invalid, names};

pub(crate) struct EventApi {
    pub(crate) desk: Arc<Desk>,
    pub(crate) heartbeat: Duration,
}

const FRAMES: Frames<v1::WatchEventsResponse> = Frames { record: frame, heartbeat };

fn frame(
    referred: &Referred<'_>,
    record: Record,
) -> Result<Option<v1::WatchEventsResponse>, Failure> {
    let frame = |event| v1::WatchEventsResponse { frame: Some(Frame::Event(event)) };
    Ok(records::event(referred, record)?.map(frame))
}

fn heartbeat(resume_token: String) -> v1::WatchEventsResponse {
    v1::WatchEventsResponse { frame: Some(Frame::Heartbeat(v1::Heartbeat { resume_token })) }
}

/// The types asked for: known ones, and such as the parent's log has.
fn types(parent: &LogParent, values: &[i32]) -> Result<Vec<v1::EventType>, Failure> {
    let read = |(index, value): (usize, &i32)| {
        let path = format!("types[{index}]");
        let kind = field::said(&path, *value)?;
        let of_workers = kind == v1::EventType::Worker;
        match of_workers == (*parent == LogParent::Workers) {
            true => Ok(kind),
            false => Err(invalid::field(&path, "is no type of this parent's log")),
        }
    };
    values.iter().enumerate().map(read).collect()
}

/// Finds the log that a client named.
fn query(
    reader: &Reader,
    parent: LogParent,
    name: String,
    types: Vec<v1::EventType>,
) -> Result<LogQuery, Failure> {
    let log = match parent {
        LogParent::Project(project) => Log::Project(reader.project(&project)?.id),
        LogParent::Workers => Log::Workers(tenant::current()),
    };
    Ok(LogQuery::new(log, name, types))
}

/// A page: stretches until it is full, or until there is nothing more now.
fn page(
    reader: &Reader,
    query: &LogQuery,
    request: &v1::ListEventsRequest,
) -> Result<v1::ListEventsResponse, Failure> {
    let size = from_wire::page_size(request.page_size);
    let begin = match query.read_page_token(&request.page_token)? {
        Some(cursor) => cursor,
        None => query.begin(reader, &request.resume_token)?,
    };
    let Stretch { written, cursor } = query.stretch(reader, begin, size, records::event)?;
    let is_last = cursor.after >= reader.log_end(query.log)?;
    let next_page_token = if is_last { String::new() } else { query.page_token(cursor) };
    let resume_token = query.token(cursor);
    Ok(v1::ListEventsResponse { events: written, next_page_token, resume_token })
}

#[tonic::async_trait]
impl EventService for EventApi {
    type WatchEventsStream = Handed<v1::WatchEventsResponse>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let request = request.into_inner();
        let parent = names::log("parent", &request.parent)?;
        let types = types(&parent, &request.types)?;
        let read = move |reader: &Reader| {
            let query = query(reader, parent, request.parent, types)?;
            let cursor = query.begin(reader, &request.resume_token)?;
            Ok((query, cursor))
        };
        let (query, cursor) = self.desk.read(read).await?;
        Ok(Response::new(watch::follow(self.desk.source(), query, cursor, FRAMES, self.heartbeat)))
    }

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let request = request.into_inner();
        let parent = names::log("parent", &request.parent)?;
        let types = types(&parent, &request.types)?;
        self.desk.reach(&request.min_position).await?;
        let read = move |reader: &Reader| {
            let query = query(reader, parent, request.parent.clone(), types)?;
            page(reader, &query, &request)
        };
        Ok(Response::new(self.desk.read(read).await?))
    }
}

#[cfg(test)]
mod tests {
    use piecework_core::ClientId;

    use super::*;

    #[test]
    fn a_log_is_asked_only_for_what_it_has() {
        let cats = LogParent::Project(ClientId::new("cats").unwrap());
        let worker = [v1::EventType::Worker as i32];
        let result = [v1::EventType::Result as i32, v1::EventType::Submission as i32];
        assert!(types(&LogParent::Workers, &worker).is_ok());
        assert!(types(&cats, &result).is_ok());
        assert_eq!(types(&cats, &worker).unwrap_err().field(), Some("types[0]"));
        assert!(types(&LogParent::Workers, &result).is_err());
        assert!(types(&cats, &[0]).is_err());
    }
}
