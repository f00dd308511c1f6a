//! How a connection is made: TCP without delay, its writes gathered.
//!
//! Not here: when it is made, and what goes over it (`client.rs`).

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use piecework_proto::Gathered;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;

/// A channel to `endpoint` that connects with the first call. Must be called inside a
/// tokio runtime.
pub(crate) fn lazy(endpoint: &Endpoint) -> Channel {
    let mut tcp = HttpConnector::new();
    // Which schemes there are is the endpoint's affair.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let gathered = |tcp: TokioIo<_>| TokioIo::new(Gathered::new(tcp.into_inner()));
    endpoint.connect_with_connector_lazy(tcp.map_response(gathered))
}
