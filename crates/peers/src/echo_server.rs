//! The floor of any daemon that speaks gRPC: a bare unary call that gives back what came.
//!
//! A process of its own, so that its CPU is told apart from the client's. It serves the bare
//! stream, too.
//!
//! Not here: that stream (`stream_server.rs`).

use std::convert::Infallible;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::stream_server::Flow;

/// The only method.
pub(crate) const PATH: &str = "/peers.Echo/Echo";
/// How its line on stdout begins; the address follows.
pub(crate) const READY: &str = "ready ";

/// What goes there and comes back.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Payload {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) bytes: Bytes,
}

/// The service.
#[derive(Debug, Clone)]
struct Echo;

/// Its method.
struct GiveBack;

/// Serves on a free port, which it prints, until whoever started it closes its stdin.
pub(crate) async fn serve_until_stdin_closes() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("could not listen")?;
    println!("{READY}{}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = Server::builder().add_service(Echo).add_service(Flow);
    let served = served.serve_with_incoming(incoming);
    tokio::select! {
        served = served => served.context("could not serve"),
        () = stdin_closed() => Ok(()),
    }
}

async fn stdin_closed() {
    let (mut stdin, mut ignored) = (tokio::io::stdin(), [0; 64]);
    while stdin.read(&mut ignored).await.is_ok_and(|bytes| bytes > 0) {}
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Payload, Payload>::default());
            Ok(grpc.unary(GiveBack, request).await)
        })
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "peers.Echo";
}

impl UnaryService<Payload> for GiveBack {
    type Response = Payload;
    type Future = BoxFuture<Response<Payload>, Status>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}
