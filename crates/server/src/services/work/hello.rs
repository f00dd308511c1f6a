//! How a stream begins: `Hello`, and `Welcome` to it.
//!
//! Not here: what follows (`session.rs`).

use std::sync::Arc;
use std::time::Duration;

use piecework_core::limits::MESSAGE_BYTES_MAX;
use piecework_core::{WorkerId, limits};
use piecework_proto::v1;
use piecework_proto::v1::work_request::Frame as Asked;
use piecework_proto::v1::work_response::{Frame, Welcome};
use tokio::time::timeout;
use tonic::Streaming;

use crate::services::reader::Reader;
use crate::services::work::crew::Crew;
use crate::services::work::outgoing::Outgoing;
use crate::services::work::session::Session;
use crate::services::work::{End, House};
use crate::wire::failure::Failure;
use crate::wire::from_wire::work::{self, Presence};
use crate::wire::to_wire::std_duration;
use crate::wire::{invalid, status};
use crate::writer::Unanswered;

/// How long a client may keep us waiting for its `Hello`.
const HELLO_WITHIN: Duration = Duration::from_secs(30);

/// Waits for the `Hello`, then goes on until the stream ends.
pub(super) async fn open(house: Arc<House>, mut frames: Streaming<v1::WorkRequest>, out: Outgoing) {
    let crew = tokio::select! {
        crew = greet(&house, &mut frames, &out) => crew,
        () = out.closed() => Err(End::Gone),
    };
    match crew {
        Ok(crew) => Session::new(house, crew, out).run(frames).await,
        Err(end) => out.end(end),
    }
}

async fn greet(
    house: &House,
    frames: &mut Streaming<v1::WorkRequest>,
    out: &Outgoing,
) -> Result<Crew, End> {
    let mut stopping = house.desk.stopping.clone();
    let first = tokio::select! {
        biased;
        // A closed channel is an end, too.
        _ = stopping.wait_for(|stopping| *stopping) => {
            return Err(status::unanswered(Unanswered::Draining).into());
        }
        first = timeout(HELLO_WITHIN, frames.message()) => first,
    };
    let request = match first {
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) => return Err(End::Orderly),
        Ok(Err(_)) => return Err(End::Gone),
        Err(_) => return Err(invalid::field("hello", "did not come within 30 seconds").into()),
    };
    let Some(Asked::Hello(hello)) = request.frame else {
        return Err(invalid::field("hello", "is not set, it must be the first frame").into());
    };
    let present = work::hello(hello)?;
    let crew = house.desk.read(move |reader| resolve(reader, present)).await?;
    out.send(Frame::Welcome(Welcome {
        heartbeat_interval: Some(std_duration(house.terms.heartbeat)),
        claim_within: Some(std_duration(house.terms.claim_within)),
        workers_max: u32::try_from(limits::WORKERS_PER_STREAM_MAX).unwrap_or(u32::MAX),
        frame_bytes_max: u32::try_from(MESSAGE_BYTES_MAX).unwrap_or(u32::MAX),
    }))
    .await?;
    Ok(Crew::new(crew))
}

/// Everybody's number. Who is not there ends the stream: there is no operation to
/// answer.
fn resolve(reader: &Reader, present: Vec<Presence>) -> Result<Vec<(WorkerId, Presence)>, Failure> {
    let find = |presence: Presence| {
        let worker = reader.worker(&presence.worker)?;
        let wishes = &presence.wishes;
        for project in wishes.projects.iter().chain(&wishes.except) {
            reader.project(project)?;
        }
        Ok((worker.id, presence))
    };
    present.into_iter().map(find).collect()
}
