//! `redis-list`: the reliable queue on Redis lists.
//!
//! Lease: `LMOVE` from the common list to a list of the client's own, where the task
//! stays until it is finished. Finish: `LREM` from there. In two round trips; or, with
//! `--pipelined`, in one: finish this, lease the next.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use clap::Args;
use redis::{Cmd, Value, cmd};

use crate::Load;
use crate::closed_loop::{self, Hand};
use crate::payload::payload;
use crate::redis_socket::RedisSocket;
use crate::report::{Report, per_second};

/// Cycles a second that no machine is expected to exceed: so many tasks are enqueued.
const RATE_MAX: u64 = 60_000;
/// Tasks in one command of the enqueue.
const ENQUEUE_BATCH: u64 = 500;

/// Redis lists: lease by LMOVE to a list of one's own, finish by LREM
#[derive(Debug, Args)]
pub(crate) struct RedisList {
    #[command(flatten)]
    load: Load,
    /// Where Redis listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:6379")]
    server: String,
    /// Its process, to tell its CPU
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Finish this and lease the next in one round trip
    #[arg(long)]
    pipelined: bool,
    /// Tasks enqueued beforehand; by default enough for the time
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u64).range(1..))]
    open: Option<u64>,
}

/// The keys of one run, so that nothing of others is touched.
#[derive(Debug)]
struct Keys(String);

/// One client.
struct Client {
    socket: RedisSocket,
    own: String,
    /// `LMOVE`, packed: always the same.
    lease: Vec<u8>,
    pipelined: bool,
    /// Leased and not yet finished.
    held: Option<Vec<u8>>,
}

impl RedisList {
    pub(crate) async fn run(&self) -> Result<Report> {
        let keys = Keys::fresh();
        let mut socket = RedisSocket::connect(&self.server).await?;
        let result = self.measure(&keys, &mut socket).await;
        // Also after a failure; what it says then is that failure.
        let cleared = socket.call(&keys.clear(self.load.clients)).await;
        let report = result?;
        cleared?;
        Ok(report)
    }

    async fn measure(&self, keys: &Keys, socket: &mut RedisSocket) -> Result<Report> {
        let open = self.open.unwrap_or(self.load.seconds * RATE_MAX);
        let begun = Instant::now();
        enqueue(socket, keys, open).await?;
        let enqueued = per_second(open, begun.elapsed());
        let mut clients = Vec::new();
        for number in 0..self.load.clients {
            clients.push(self.client(keys, number).await?);
        }
        let length = Duration::from_secs(self.load.seconds);
        let measured = closed_loop::run(clients, length, self.pid).await?;
        Ok(Report::of("redis-list")
            .with("clients", self.load.clients)
            .with("pipelined", self.pipelined)
            .with("open", open)
            .with("enqueue_batch", ENQUEUE_BATCH)
            .with("enqueued_per_second", enqueued)
            .measured("cycle", &measured))
    }

    async fn client(&self, keys: &Keys, number: u32) -> Result<Client> {
        let own = keys.own(number);
        let lease = keys.lease(&own).get_packed_command();
        let socket = RedisSocket::connect(&self.server).await?;
        let mut client = Client { socket, own, lease, pipelined: self.pipelined, held: None };
        if self.pipelined {
            client.socket.send(&client.lease).await?;
            client.held = client.leased().await?;
        }
        Ok(client)
    }
}

/// Durable when it returns, where the server syncs always.
async fn enqueue(socket: &mut RedisSocket, keys: &Keys, tasks: u64) -> Result<()> {
    for begin in (0..tasks).step_by(usize::try_from(ENQUEUE_BATCH)?) {
        let mut push = cmd("LPUSH");
        push.arg(keys.ready());
        for number in begin..tasks.min(begin + ENQUEUE_BATCH) {
            push.arg(payload(number));
        }
        socket.call(&push).await?;
    }
    Ok(())
}

impl Keys {
    fn fresh() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(format!("peers:{}:{}", std::process::id(), since.as_millis()))
    }

    fn ready(&self) -> String {
        format!("{}:ready", self.0)
    }

    fn own(&self, client: u32) -> String {
        format!("{}:client:{client}", self.0)
    }

    fn lease(&self, own: &str) -> Cmd {
        let mut lease = cmd("LMOVE");
        lease.arg(self.ready()).arg(own).arg("RIGHT").arg("LEFT");
        lease
    }

    fn clear(&self, clients: u32) -> Cmd {
        let mut clear = cmd("UNLINK");
        clear.arg(self.ready());
        for client in 0..clients {
            clear.arg(self.own(client));
        }
        clear
    }
}

impl Hand for Client {
    async fn round(&mut self) -> Result<u64> {
        if !self.pipelined {
            self.socket.send(&self.lease).await?;
            self.held = self.leased().await?;
        }
        let Some(task) = self.held.take() else { return Ok(0) };
        let mut packed = self.finish(&task);
        if self.pipelined {
            packed.extend_from_slice(&self.lease);
        }
        self.socket.send(&packed).await?;
        self.finished().await?;
        if self.pipelined {
            self.held = self.leased().await?;
        }
        Ok(1)
    }
}

impl Client {
    fn finish(&self, task: &[u8]) -> Vec<u8> {
        let mut finish = cmd("LREM");
        finish.arg(&self.own).arg(1).arg(task);
        finish.get_packed_command()
    }

    async fn leased(&mut self) -> Result<Option<Vec<u8>>> {
        match self.socket.reply().await? {
            Value::BulkString(task) => Ok(Some(task)),
            Value::Nil => Ok(None),
            other => bail!("Redis answered LMOVE with {other:?}"),
        }
    }

    async fn finished(&mut self) -> Result<()> {
        match self.socket.reply().await? {
            Value::Int(1) => Ok(()),
            other => bail!("Redis answered LREM of a leased task with {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(command: &Cmd) -> String {
        String::from_utf8(command.get_packed_command()).expect("plain text")
    }

    #[test]
    fn a_lease_moves_the_oldest_to_a_list_of_ones_own() {
        let keys = Keys("k".to_owned());
        let lease = packed(&keys.lease(&keys.own(3)));
        let words = "*5\r\n$5\r\nLMOVE\r\n$7\r\nk:ready\r\n$10\r\nk:client:3\r\n";
        assert_eq!(lease, format!("{words}$5\r\nRIGHT\r\n$4\r\nLEFT\r\n"));
    }

    #[test]
    fn all_keys_of_a_run_are_cleared() {
        let keys = Keys("k".to_owned());
        let clear = packed(&keys.clear(2));
        for key in [keys.ready(), keys.own(0), keys.own(1)] {
            assert!(clear.contains(&key), "{key} in {clear:?}");
        }
        assert!(!clear.contains(&keys.own(2)));
    }
}
