//! Counts calls and their latency, by service, method and code.
//!
//! A layer around all services. Unknown paths share one label, so that a caller
//! cannot make metrics grow. What is counted under is looked up once a method.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Instant;

use metrics::{Counter, Histogram};
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::metrics as names;

/// The layer.
#[derive(Debug, Clone, Default)]
pub(crate) struct CountCalls {
    methods: Arc<Methods>,
}

impl<S> Layer<S> for CountCalls {
    type Service = Counted<S>;
    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, methods: Arc::clone(&self.methods) }
    }
}

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    methods: Arc<Methods>,
}

type Answering<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<S> Service<Request<Body>> for Counted<S>
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
        let begun = Instant::now();
        let known = self.methods.known(request.uri().path());
        let methods = Arc::clone(&self.methods);
        let path = request.uri().clone();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await;
            let code = answer.as_ref().map_or(Code::Unknown, code);
            let method = match (known, code) {
                // What is not implemented was perhaps never a method of ours.
                (_, Code::Unimplemented) => methods.of("other", || ["other", "other"]),
                (Some(method), _) => method,
                (None, _) => methods.of(path.path(), || labels(path.path())),
            };
            method.count(begun, code);
            answer
        })
    }
}

/// The methods that were called, by path.
#[derive(Debug, Default)]
struct Methods {
    by_path: RwLock<HashMap<String, Arc<Method>>>,
}

/// What is counted of one method.
struct Method {
    labels: [String; 2],
    seconds: Histogram,
    /// By number of the code.
    calls: [OnceLock<Counter>; CODES],
}

/// gRPC's codes are 0 to 16.
const CODES: usize = 17;

impl Methods {
    fn known(&self, path: &str) -> Option<Arc<Method>> {
        self.by_path.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Looked for first: who calls what is not there, again and again, makes nobody wait.
    fn of<'a>(&self, path: &str, labels: impl FnOnce() -> [&'a str; 2]) -> Arc<Method> {
        if let Some(method) = self.known(path) {
            return method;
        }
        let mut by_path = self.by_path.write().unwrap_or_else(PoisonError::into_inner);
        let method =
            by_path.entry(path.to_owned()).or_insert_with(|| Arc::new(Method::of(labels())));
        Arc::clone(method)
    }
}

impl Method {
    fn of(labels: [&str; 2]) -> Method {
        let labels = labels.map(str::to_owned);
        let [service, method] = labels.clone();
        let seconds =
            metrics::histogram!(names::RPC_SECONDS, "service" => service, "method" => method);
        Method { labels, seconds, calls: [const { OnceLock::new() }; CODES] }
    }

    fn count(&self, begun: Instant, code: Code) {
        self.seconds.record(begun.elapsed());
        let [service, method] = &self.labels;
        let counter = || {
            let labels = [
                ("service", service.clone()),
                ("method", method.clone()),
                ("code", name(code).into()),
            ];
            metrics::counter!(names::RPCS, &labels)
        };
        self.calls[code as usize].get_or_init(counter).increment(1);
    }
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Method").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// The code of an answer without body; a stream's end is not waited for.
fn code(answer: &Response<Body>) -> Code {
    Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
}

fn labels(path: &str) -> [&str; 2] {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    [service, method]
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
