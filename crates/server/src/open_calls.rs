//! Which calls are still open, so that an end can wait for them.
//!
//! A layer around all services. A call is open until its last frame has been
//! handed to the connection. An end waits for the calls that were open when it
//! began; those that come later are short, since nothing is granted to them.
//!
//! Not here: cutting those that do not end (`serve.rs`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

/// The layer, and the count. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenCalls {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    open: AtomicUsize,
    settled: AtomicBool,
    ended: Notify,
}

/// Counts while it lives.
struct Open {
    shared: Option<Arc<Shared>>,
}

impl OpenCalls {
    /// Returns once all calls have ended that are open now.
    pub(crate) async fn have_ended(&self) {
        self.shared.settled.store(true, Ordering::SeqCst);
        loop {
            let ended = self.shared.ended.notified();
            tokio::pin!(ended);
            // From here on no end is missed.
            ended.as_mut().enable();
            if self.shared.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }

    fn begin(&self) -> Open {
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        let open = Open { shared: Some(Arc::clone(&self.shared)) };
        // After the count was raised, so that it cannot slip past an end that begins now.
        if self.shared.settled.load(Ordering::SeqCst) { Open { shared: None } } else { open }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        if shared.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            shared.ended.notify_waiters();
        }
    }
}

impl<S> Layer<S> for OpenCalls {
    type Service = Counting<S>;
    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, calls: self.clone() }
    }
}

/// A service whose open calls are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counting<S> {
    inner: S,
    calls: OpenCalls,
}

type Answering<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<S> Service<Request<Body>> for Counting<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<Response<Body>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let open = self.calls.begin();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await?;
            // The count goes with the body, whose closure holds it.
            Ok(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _still = &open;
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_waits_for_the_calls_before_it_and_no_others() {
        let calls = OpenCalls::default();
        let (first, second) = (calls.begin(), calls.begin());
        let mut ended = Box::pin(calls.have_ended());
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(ended.as_mut().poll(&mut context).is_pending());
        let late = calls.begin();
        drop(first);
        assert!(ended.as_mut().poll(&mut context).is_pending());
        drop(second);
        assert!(ended.as_mut().poll(&mut context).is_ready());
        drop(late);
        assert_eq!(calls.shared.open.load(Ordering::SeqCst), 0);
    }
}
