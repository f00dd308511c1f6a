//! `echo`: calls of the echo server, each client with one under way.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::Load;
use crate::closed_loop::{self, Hand};
use crate::echo_server::{PATH, Payload, READY};
use crate::payload::payload;
use crate::report::Report;

/// Connections unless told otherwise.
const CONNECTIONS: u32 = 4;

/// A bare unary gRPC call that gives back what came
#[derive(Debug, Args)]
pub(crate) struct Echo {
    #[command(flatten)]
    load: Load,
    /// Connections that the clients share; by default 4, or as many as there are clients
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: Option<u32>,
}

/// One client.
struct Caller {
    grpc: Grpc<Channel>,
    payload: Payload,
}

impl Echo {
    pub(crate) async fn run(&self) -> Result<Report> {
        // Dropping the child closes its stdin, upon which it ends.
        let (server, address) = serve().await?;
        let asked = self.connections.unwrap_or(CONNECTIONS);
        let connections = asked.min(self.load.clients);
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let mut channels = Vec::new();
        for _ in 0..connections {
            channels.push(endpoint.connect().await.context("could not reach the echo server")?);
        }
        let channels = channels.into_iter().cycle().take(self.load.clients as usize);
        let callers = channels.zip(0..).map(|(channel, number)| Caller {
            grpc: Grpc::new(channel),
            payload: Payload { bytes: payload(number).into() },
        });
        let length = Duration::from_secs(self.load.seconds);
        let measured = closed_loop::run(callers.collect(), length, server.id()).await?;
        Ok(Report::of("echo")
            .with("clients", self.load.clients)
            .with("connections", connections)
            .measured("call", &measured))
    }
}

/// The server, as a process of its own, and its address.
pub(crate) async fn serve() -> Result<(Child, String)> {
    let executable = std::env::current_exe().context("could not find this executable")?;
    let mut server = Command::new(executable)
        .arg("echo-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("could not start the echo server")?;
    let stdout = server.stdout.take().context("the echo server has no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    match line.trim_end().strip_prefix(READY) {
        Some(address) => Ok((server, address.to_owned())),
        None => bail!("the echo server did not say where it listens"),
    }
}

impl Hand for Caller {
    async fn round(&mut self) -> Result<u64> {
        self.grpc.ready().await.context("the echo server is gone")?;
        let (path, codec) = (PathAndQuery::from_static(PATH), ProstCodec::default());
        let reply = self.grpc.unary(Request::new(self.payload.clone()), path, codec).await?;
        let reply: Payload = reply.into_inner();
        if reply != self.payload {
            bail!("the echo server gave back something else");
        }
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn a_payload_travels_as_field_one() {
        let encoded = Payload { bytes: payload(7).into() }.encode_to_vec();
        // Field 1, bytes, 256 of them.
        assert_eq!(encoded[..3], [0x0a, 0x80, 0x02]);
        assert_eq!(encoded.len(), 3 + 256);
    }
}
