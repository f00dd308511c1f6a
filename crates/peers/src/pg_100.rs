//! `pg-100`: a table in PostgreSQL, taken in batches of 100 with `FOR UPDATE SKIP LOCKED`.
//!
//! A batch is taken and deleted in one transaction: its row locks are the leases, and the
//! commit makes all of it durable at once. With `--lease-first` the lease is a transaction
//! of its own, durable before the client has its tasks, which outlives the client.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Row, Statement};

use crate::Load;
use crate::closed_loop::{self, Hand};
use crate::pg_table::{BATCH, Server, Table};
use crate::report::{Report, per_second};

/// Cycles a second that no machine is expected to exceed: so many tasks are enqueued.
const RATE_MAX: u64 = 120_000;

/// PostgreSQL: 100 tasks at a time by FOR UPDATE SKIP LOCKED
#[derive(Debug, Args)]
pub(crate) struct Pg100 {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    server: Server,
    /// Commit the lease before the work begins
    #[arg(long)]
    lease_first: bool,
    /// Tasks enqueued beforehand; by default enough for the time
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u64).range(1..))]
    open: Option<u64>,
}

/// One connection.
struct Taker {
    client: Client,
    take: Statement,
    delete: Statement,
    lease_first: bool,
}

impl Pg100 {
    pub(crate) async fn run(&self) -> Result<Report> {
        let client = self.server.connect().await?;
        let table = Table::create(&client).await?;
        let result = self.measure(&table).await;
        // Also after a failure; what it says then is that failure.
        let dropped = table.drop(&client).await;
        let report = result?;
        dropped?;
        Ok(report)
    }

    async fn measure(&self, table: &Table) -> Result<Report> {
        let open = self.open.unwrap_or(self.load.seconds * RATE_MAX);
        let batches = open.div_ceil(u64::from(BATCH));
        let begun = Instant::now();
        self.enqueue(table, batches).await?;
        let enqueued = per_second(batches * u64::from(BATCH), begun.elapsed());
        let mut takers = Vec::new();
        for _ in 0..self.load.clients {
            takers.push(self.taker(table).await?);
        }
        let length = Duration::from_secs(self.load.seconds);
        let measured = closed_loop::run(takers, length, self.server.pid).await?;
        Ok(Report::of("pg-100")
            .with("clients", self.load.clients)
            .with("lease_first", self.lease_first)
            .with("open", batches * u64::from(BATCH))
            .with("enqueue_batch", BATCH)
            .with("enqueued_per_second", enqueued)
            .measured("cycle", &measured))
    }

    async fn enqueue(&self, table: &Table, batches: u64) -> Result<()> {
        let clients = self.load.clients;
        let mut running = JoinSet::new();
        for number in 0..clients {
            let client = self.server.connect().await?;
            let mut hand = table.enqueuer(client, (number, clients), Some(batches)).await?;
            running.spawn(async move {
                while hand.round().await? > 0 {}
                Ok::<_, anyhow::Error>(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn taker(&self, table: &Table) -> Result<Taker> {
        let name = table.name();
        let ready = format!(
            "select id from {name} where leased_until is null
             order by id limit {BATCH} for update skip locked"
        );
        let take = if self.lease_first {
            format!(
                "update {name} set leased_until = now() + interval '60 s', attempts = attempts + 1
                 where id = any (array({ready})) returning id, payload"
            )
        } else {
            ready.replacen("select id", "select id, payload", 1)
        };
        let client = self.server.connect().await?;
        let take = client.prepare(&take).await.context("could not prepare the lease")?;
        let delete = format!("delete from {name} where id = any ($1::bigint[])");
        let delete = client.prepare(&delete).await.context("could not prepare the delete")?;
        Ok(Taker { client, take, delete, lease_first: self.lease_first })
    }
}

impl Hand for Taker {
    async fn round(&mut self) -> Result<u64> {
        let ids = self.lease().await.context("could not take a batch")?;
        let deleted = self.finish(&ids).await.context("could not finish a batch")?;
        if deleted != ids.len() as u64 {
            bail!("of {} leased tasks {deleted} were there to be deleted", ids.len());
        }
        Ok(deleted)
    }
}

impl Taker {
    /// Statements that are polled together go out in one piece, in this order.
    async fn lease(&self) -> Result<Vec<i64>, tokio_postgres::Error> {
        let rows = if self.lease_first {
            self.client.query(&self.take, &[]).await?
        } else {
            let begin = self.client.batch_execute("begin");
            tokio::try_join!(biased; begin, self.client.query(&self.take, &[]))?.1
        };
        rows.iter().map(leased).collect()
    }

    async fn finish(&self, ids: &[i64]) -> Result<u64, tokio_postgres::Error> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&ids];
        let delete = self.client.execute(&self.delete, &parameters);
        if self.lease_first {
            return delete.await;
        }
        Ok(tokio::try_join!(biased; delete, self.client.batch_execute("commit"))?.0)
    }
}

/// The number of a task; its payload is read too, as whoever works on it would.
fn leased(row: &Row) -> Result<i64, tokio_postgres::Error> {
    let _: &[u8] = row.try_get(1)?;
    row.try_get(0)
}
