//! `stream`: one bare call that streams, read to its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use hdrhistogram::Histogram;
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use crate::closed_loop::Measured;
use crate::echo::serve;
use crate::echo_server::Payload;
use crate::report::Report;
use crate::stream_server::{PATH, Wanted};
use crate::usage;

/// A bare gRPC call that streams messages as fast as they are read
#[derive(Debug, Args)]
pub(crate) struct Stream {
    /// How many messages
    #[arg(long, value_name = "N", default_value_t = 200_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Bytes of each, as it travels
    #[arg(long, value_name = "BYTES", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    bytes: u32,
}

impl Stream {
    pub(crate) async fn run(&self) -> Result<Report> {
        // Dropping the child closes its stdin, upon which it ends.
        let (server, address) = serve().await?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let channel = endpoint.connect().await.context("could not reach the server")?;
        // The connection is warm, as that of a watcher who comes later is.
        self.read(&channel, 1).await?;
        let cpu = || server.id().and_then(usage::cpu);
        let before = cpu();
        let (took, first, bytes) = self.read(&channel, self.messages).await?;
        let server_cpu = cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
        let mut micros = Histogram::new(3).context("three digits are allowed")?;
        micros.record(u64::try_from(first.as_micros())?.max(1))?;
        let measured = Measured { done: self.messages, took, micros, server_cpu, ran_out: false };
        Ok(Report::of("stream").with("bytes", bytes).measured("message", &measured))
    }

    /// Reads so many. Returns how long it took, how long until the first, and their bytes.
    async fn read(&self, channel: &Channel, messages: u64) -> Result<(Duration, Duration, u64)> {
        let (begun, mut first) = (Instant::now(), None);
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.context("the server is gone")?;
        let (path, codec) = (PathAndQuery::from_static(PATH), ProstCodec::default());
        let wanted = Request::new(Wanted { messages, bytes: self.bytes });
        let reply = grpc.server_streaming(wanted, path, codec).await?;
        let mut stream: Streaming<Payload> = reply.into_inner();
        let (mut count, mut bytes) = (0, 0);
        while let Some(message) = stream.message().await? {
            first.get_or_insert_with(|| begun.elapsed());
            bytes += message.encoded_len() as u64;
            count += 1;
        }
        let took = begun.elapsed();
        if count != messages {
            bail!("{count} messages came instead of {messages}");
        }
        Ok((took, first.unwrap_or(took), bytes))
    }
}
