//! One connection to the daemon and a client for each of its services.
//!
//! The connection is made with the first call and made again after it was
//! lost, so a `Client` outlives a restart of the daemon. Cloning it is cheap
//! and shares the connection.

use std::time::Duration;

use piecework_proto::v1::admin_service_client::AdminServiceClient;
use piecework_proto::v1::dispatch_service_client::DispatchServiceClient;
use piecework_proto::v1::event_service_client::EventServiceClient;
use piecework_proto::v1::project_service_client::ProjectServiceClient;
use piecework_proto::v1::requester_service_client::RequesterServiceClient;
use piecework_proto::v1::result_service_client::ResultServiceClient;
use piecework_proto::v1::submission_service_client::SubmissionServiceClient;
use piecework_proto::v1::task_service_client::TaskServiceClient;
use piecework_proto::v1::worker_service_client::WorkerServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::connection;

/// The largest reply that is read, bytes: the daemon's 4 MiB and room for what goes around them.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A daemon that hangs, or a cable that was pulled, is noticed after the sum of these two.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// The address of the daemon is not one.
#[derive(Debug, thiserror::Error)]
#[error("`{server}` is not the address of a daemon; write it like http://127.0.0.1:7420")]
pub struct ConnectError {
    server: String,
    #[source]
    source: tonic::transport::Error,
}

/// All services of one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    channel: Channel,
}

macro_rules! service {
    ($(#[$doc:meta])* $name:ident: $service:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> $service<Channel> {
            $service::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
        }
    };
}

impl Client {
    /// A client of the daemon at `server`, such as `http://127.0.0.1:7420` or `127.0.0.1:7420`.
    ///
    /// Nothing is sent yet: whether the daemon is there shows with the first call.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// `server` is not an address.
    pub fn new(server: &str) -> Result<Self, ConnectError> {
        let uri =
            if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
        let endpoint = Endpoint::from_shared(uri)
            .and_then(|e| e.user_agent(concat!("piecework-client/", env!("CARGO_PKG_VERSION"))))
            .map_err(|source| ConnectError { server: server.to_owned(), source })?
            .connect_timeout(CONNECT_WITHIN)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN)
            .keep_alive_while_idle(true);
        Ok(Self { channel: connection::lazy(&endpoint), endpoint })
    }

    /// The same daemon over another connection, which lives in the runtime of the caller.
    pub(crate) fn on_a_connection_of_its_own(&self) -> Self {
        let endpoint = self.endpoint.clone();
        Self { channel: connection::lazy(&endpoint), endpoint }
    }

    service! {
        /// Keeps the list of requesters.
        requesters: RequesterServiceClient
    }
    service! {
        /// Sets up projects, changes them and stops them.
        projects: ProjectServiceClient
    }
    service! {
        /// Brings tasks in, changes them and withdraws them.
        tasks: TaskServiceClient
    }
    service! {
        /// Keeps the workers, their skills and their standing.
        workers: WorkerServiceClient
    }
    service! {
        /// Hands tasks to workers and takes their answers.
        dispatch: DispatchServiceClient
    }
    service! {
        /// Reads what workers submitted.
        submissions: SubmissionServiceClient
    }
    service! {
        /// Streams and lists what happened.
        events: EventServiceClient
    }
    service! {
        /// Delivers results.
        results: ResultServiceClient
    }
    service! {
        /// Shows how the daemon itself is.
        admin: AdminServiceClient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_may_be_written_without_its_scheme() {
        assert!(Client::new("127.0.0.1:7420").is_ok());
        assert!(Client::new("http://localhost:7420").is_ok());
        let error = Client::new("http://not an address").unwrap_err();
        assert!(error.to_string().starts_with("`http://not an address` is not the address"));
    }
}
