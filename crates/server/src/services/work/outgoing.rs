//! Frames on their way out, through a short channel.
//!
//! A client that does not read makes its stream wait, and nobody else; after thirty
//! seconds it is cut, and hears so before the frames that it did not read.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use piecework_proto::v1;
use piecework_proto::v1::work_response::Frame;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::Status;

use crate::services::work::End;
use crate::wire::status;

/// Frames that wait for the transport; each is at most a message.
const CHANNEL_FRAMES: usize = 32;
/// How long a frame may wait for the client to read.
pub(super) const BEHIND_MAX: Duration = Duration::from_secs(30);

/// The stream's end of it.
pub(super) struct Outgoing {
    to: mpsc::Sender<Frame>,
    last: Arc<Mutex<Last>>,
    patience: Duration,
}

/// The transport's end of it.
pub(crate) struct Frames {
    from: mpsc::Receiver<Frame>,
    last: Arc<Mutex<Last>>,
}

/// What is said at the end.
#[derive(Default)]
struct Last {
    status: Option<Status>,
    /// Before what still waits.
    at_once: bool,
}

/// `patience`: how long a frame may wait for the client to read.
pub(super) fn channel(patience: Duration) -> (Outgoing, Frames) {
    let (to, from) = mpsc::channel(CHANNEL_FRAMES);
    let last = Arc::new(Mutex::default());
    (Outgoing { to, last: Arc::clone(&last), patience }, Frames { from, last })
}

impl Outgoing {
    pub(super) async fn send(&self, frame: Frame) -> Result<(), End> {
        let frame = match self.to.try_send(frame) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(End::Gone),
            Err(TrySendError::Full(frame)) => frame,
        };
        match timeout(self.patience, self.to.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Behind),
        }
    }

    /// Resolves when the client has gone.
    pub(super) async fn closed(&self) {
        self.to.closed().await;
    }

    /// The last word.
    pub(super) fn end(self, end: End) {
        let (status, at_once) = match end {
            End::Orderly | End::Gone => (None, false),
            End::Failed(failure) => (Some(failure.into()), false),
            End::Behind => (Some(status::reader_behind(self.patience).into()), true),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Last { status, at_once };
    }
}

impl Stream for Frames {
    type Item = Result<v1::WorkResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let at_once = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.at_once { last.status.take() } else { None }
        };
        if let Some(status) = at_once {
            self.from.close();
            while self.from.try_recv().is_ok() {}
            return Poll::Ready(Some(Err(status)));
        }
        match self.from.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(frame)) => {
                Poll::Ready(Some(Ok(v1::WorkResponse { frame: Some(frame) })))
            }
            Poll::Ready(None) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                Poll::Ready(last.status.take().map(Err))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use piecework_proto::v1::work_response::Ping;
    use tokio_stream::StreamExt;

    use super::*;
    use crate::wire::status;
    use crate::writer::Unanswered;

    fn ping(nonce: u64) -> Frame {
        Frame::Ping(Ping { nonce })
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_is_cut_before_what_it_has_not_read() {
        let (out, mut frames) = channel(Duration::from_millis(5));
        for nonce in 0..CHANNEL_FRAMES {
            out.send(ping(nonce as u64)).await.expect("there is room");
        }
        let end = out.send(ping(99)).await.expect_err("nobody reads");
        assert!(matches!(end, End::Behind), "{end:?}");
        out.end(end);
        let last = frames.next().await.expect("the last word").expect_err("cut");
        assert_eq!(last.code(), tonic::Code::ResourceExhausted);
        assert!(frames.next().await.is_none());
    }

    #[tokio::test]
    async fn any_other_end_comes_after_what_was_said() {
        let (out, mut frames) = channel(BEHIND_MAX);
        out.send(ping(1)).await.expect("there is room");
        out.end(status::unanswered(Unanswered::Draining).into());
        assert!(frames.next().await.expect("a frame").is_ok());
        let last = frames.next().await.expect("the last word").expect_err("the end");
        assert_eq!(last.code(), tonic::Code::Unavailable);
        assert!(frames.next().await.is_none());

        let (out, frames) = channel(BEHIND_MAX);
        drop(frames);
        assert!(matches!(out.send(ping(1)).await, Err(End::Gone)));
    }
}
