//! Frames on their way to the transport, some at a time.
//!
//! What is handed over at once is given out frame by frame; behind it the same may wait
//! once more, and no more than that. A client that does not read makes its follower wait.
//!
//! Not here: when a stream ends and what is said then (`watch.rs`).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

/// What is handed over at a time: frames in their order, or why there are no more.
pub(super) type Handful<M> = Result<Vec<M>, Status>;

/// The transport's end.
#[derive(Debug)]
pub(crate) struct Handed<M> {
    from: mpsc::Receiver<Handful<M>>,
    frames: vec::IntoIter<M>,
}

/// The follower's end, and the transport's.
pub(super) fn channel<M>() -> (mpsc::Sender<Handful<M>>, Handed<M>) {
    let (to, from) = mpsc::channel(1);
    (to, Handed { from, frames: Vec::new().into_iter() })
}

impl<M: Unpin> Stream for Handed<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Poll::Ready(Some(Ok(frame)));
            }
            // An idle stream holds no room for frames.
            self.frames = Vec::new().into_iter();
            match ready!(self.from.poll_recv(context)) {
                Some(Ok(frames)) => self.frames = frames.into_iter(),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(None),
            }
        }
    }
}
