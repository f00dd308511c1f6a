//! One connection to Redis: packed commands out, replies in, on a socket of our own.
//!
//! The client's own multiplexed connection would hand every call to another task and
//! back, which is not what is measured here.

use anyhow::{Context, Result};
use combine::parser::combinator::AnySendSyncPartialState;
use combine::stream::{Decoder, PointerOffset};
use redis::{Cmd, Value};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct RedisSocket {
    stream: TcpStream,
    decoder: Decoder<AnySendSyncPartialState, PointerOffset<[u8]>>,
}

impl RedisSocket {
    /// `address`: `host:port`.
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let at = || format!("could not reach Redis at {address}");
        let stream = TcpStream::connect(address).await.with_context(at)?;
        stream.set_nodelay(true).with_context(at)?;
        Ok(Self { stream, decoder: Decoder::new() })
    }

    /// Sends packed commands, in one piece.
    pub(crate) async fn send(&mut self, packed: &[u8]) -> Result<()> {
        self.stream.write_all(packed).await.context("could not write to Redis")
    }

    /// The next reply.
    ///
    /// # Errors
    /// The connection ended, or the reply is an error of the server.
    pub(crate) async fn reply(&mut self) -> Result<Value> {
        let value = redis::parse_redis_value_async(&mut self.decoder, &mut self.stream).await;
        value.and_then(Value::extract_error).context("could not read from Redis")
    }

    /// One command and its reply.
    pub(crate) async fn call(&mut self, command: &Cmd) -> Result<Value> {
        self.send(&command.get_packed_command()).await?;
        self.reply().await
    }
}
