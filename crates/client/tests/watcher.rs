//! The result watcher against a server that follows a script.
//!
//! Each call of `WatchResults` takes the next list of frames and then breaks
//! the stream off; what it was asked for is kept.

#![allow(missing_docs, reason = "a test")]

use std::sync::{Arc, Mutex};

use piecework_client::proto::v1::result_service_server::{ResultService, ResultServiceServer};
use piecework_client::proto::v1::watch_results_response::Frame;
use piecework_client::proto::v1::{
    GetResultRequest, GetResultResponse, Heartbeat, ListResultsRequest, ListResultsResponse,
    Result as TaskResult, WatchResultsRequest, WatchResultsResponse, WatchedResult,
};
use piecework_client::{Client, ResultWatcher, WatchError};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

type Item = Result<WatchResultsResponse, Status>;
type Frames = Vec<Item>;

#[derive(Debug, Clone, Default)]
struct Scripted {
    script: Arc<Mutex<Vec<Frames>>>,
    asked_for: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl ResultService for Scripted {
    type WatchResultsStream = tokio_stream::Iter<std::vec::IntoIter<Item>>;

    async fn watch_results(
        &self,
        request: Request<WatchResultsRequest>,
    ) -> Result<Response<Self::WatchResultsStream>, Status> {
        self.asked_for.lock().unwrap().push(request.into_inner().resume_token);
        let mut script = self.script.lock().unwrap();
        if script.is_empty() {
            return Err(Status::not_found("the script is over"));
        }
        let mut frames = script.remove(0);
        frames.push(Err(Status::unavailable("broken off")));
        Ok(Response::new(tokio_stream::iter(frames)))
    }

    async fn list_results(
        &self,
        _: Request<ListResultsRequest>,
    ) -> Result<Response<ListResultsResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn get_result(
        &self,
        _: Request<GetResultRequest>,
    ) -> Result<Response<GetResultResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }
}

fn result(previous: u64, sequence: u64) -> Item {
    let frame = Frame::Result(WatchedResult {
        result: Some(TaskResult { sequence, ..TaskResult::default() }),
        previous_sequence: previous,
        resume_token: format!("token-{sequence}"),
    });
    Ok(WatchResultsResponse { frame: Some(frame) })
}

fn heartbeat(token: &str) -> Item {
    let frame = Frame::Heartbeat(Heartbeat { resume_token: token.to_owned() });
    Ok(WatchResultsResponse { frame: Some(frame) })
}

/// A server with this script, and a watcher of it that starts at `token`.
async fn watch(script: Vec<Frames>, token: &str) -> (Scripted, ResultWatcher) {
    let scripted = Scripted::default();
    *scripted.script.lock().unwrap() = script;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = ResultServiceServer::new(scripted.clone());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let client = Client::new(&address).unwrap();
    (scripted, ResultWatcher::new(client, "projects/cats".to_owned(), token.to_owned()))
}

async fn sequences(watcher: &mut ResultWatcher, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(watcher.next_result().await.unwrap().result.unwrap().sequence);
    }
    seen
}

#[tokio::test]
async fn a_broken_stream_resumes_after_the_last_result() {
    let script = vec![
        vec![result(0, 3), result(3, 4)],
        vec![heartbeat("token-6")],
        Vec::new(),
        vec![result(4, 9)],
    ];
    let (server, mut watcher) = watch(script, "").await;
    assert_eq!(sequences(&mut watcher, 3).await, [3, 4, 9]);
    assert_eq!(watcher.token(), "token-9");
    let asked_for = server.asked_for.lock().unwrap().clone();
    assert_eq!(asked_for, ["", "token-4", "token-6", "token-6"]);
}

#[tokio::test]
async fn a_missing_result_is_not_passed_over() {
    for script in [vec![result(0, 1), result(2, 3)], vec![result(1, 2)]] {
        let (_, mut watcher) = watch(vec![script], "").await;
        let error = loop {
            match watcher.next_result().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, WatchError::Gap { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_repeated_result_is_seen_too() {
    let script = vec![vec![result(0, 1)], vec![result(0, 1)]];
    let (_, mut watcher) = watch(script, "").await;
    assert_eq!(sequences(&mut watcher, 1).await, [1]);
    assert!(matches!(watcher.next_result().await, Err(WatchError::Gap { seen: 1, .. })));
}

#[tokio::test]
async fn a_token_from_outside_may_stand_anywhere() {
    let (server, mut watcher) = watch(vec![vec![result(7, 8), result(8, 9)]], "token-7").await;
    assert_eq!(sequences(&mut watcher, 2).await, [8, 9]);
    assert_eq!(server.asked_for.lock().unwrap()[0], "token-7");
}

#[tokio::test]
async fn a_refusal_ends_it() {
    let (_, mut watcher) = watch(Vec::new(), "").await;
    let error = watcher.next_result().await.unwrap_err();
    let WatchError::Refused(call) = error else { panic!("{error}") };
    assert_eq!(call.refused().unwrap().code, tonic::Code::NotFound);
}
