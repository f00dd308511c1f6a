//! The floor of any catch-up over gRPC: one call, and as many messages as were asked for.
//!
//! Every message is the same, ready made: nothing is read, nothing waited for.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use prost::Message;
use tokio_stream::iter;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, BoxStream, Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::echo_server::Payload;

/// The only method.
pub(crate) const PATH: &str = "/peers.Flow/Read";

/// What a reader asks for.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Wanted {
    /// How many messages.
    #[prost(uint64, tag = "1")]
    pub(crate) messages: u64,
    /// Bytes of each, encoded.
    #[prost(uint32, tag = "2")]
    pub(crate) bytes: u32,
}

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Flow;

/// Its method.
struct Read;

impl Service<http::Request<Body>> for Flow {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Payload, Wanted>::default());
            Ok(grpc.server_streaming(Read, request).await)
        })
    }
}

impl NamedService for Flow {
    const NAME: &'static str = "peers.Flow";
}

impl ServerStreamingService<Wanted> for Read {
    type Response = Payload;
    type ResponseStream = BoxStream<Payload>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Wanted>) -> Self::Future {
        Box::pin(async move {
            let Wanted { messages, bytes } = request.into_inner();
            let message = of_length(bytes as usize);
            let all = (0..messages).map(move |_| Ok(message.clone()));
            Ok(Response::new(Box::pin(iter(all)) as Self::ResponseStream))
        })
    }
}

/// A message of so many bytes, or one less where its own length takes one more.
pub(crate) fn of_length(bytes: usize) -> Payload {
    let with = |inside| Payload { bytes: Bytes::from(vec![b'x'; inside]) };
    // Key and length go before it.
    let fits = |inside: &usize| with(*inside).encoded_len() <= bytes;
    with((0..bytes.saturating_sub(1)).rev().find(fits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_is_to_be() {
        for bytes in [3, 100, 129, 307, 4_096, 70_000] {
            assert_eq!(of_length(bytes).encoded_len(), bytes);
        }
        // 127 bytes have a length of one byte, 128 one of two.
        assert_eq!(of_length(130).encoded_len(), 129);
        assert_eq!(of_length(0).encoded_len(), 0);
    }
}
