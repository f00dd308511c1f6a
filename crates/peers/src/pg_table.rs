//! A table of tasks in PostgreSQL, for one run, and connections to it.
//!
//! A task is ready while `leased_until` is null; a partial index finds those. Room in the
//! pages and an eager autovacuum are what such a table needs.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use tokio_postgres::{Client, NoTls, Statement};

use crate::closed_loop::Hand;
use crate::payload::payload;

/// Tasks in a statement.
pub(crate) const BATCH: u16 = 100;

/// The server, and where its CPU is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// Where PostgreSQL listens, in its own words
    #[arg(
        long,
        value_name = "SETTINGS",
        default_value = "host=127.0.0.1 port=5432 user=postgres dbname=postgres"
    )]
    server: String,
    /// Its first process, to tell its CPU and that of its children
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
}

/// The table of one run.
#[derive(Debug)]
pub(crate) struct Table {
    name: String,
}

/// One connection that enqueues, a batch a round.
pub(crate) struct Enqueuer {
    client: Client,
    insert: Statement,
    next: u64,
    /// Batches still to be made; none: for ever.
    left: Option<u64>,
}

impl Server {
    /// One connection, whose other half runs beside us.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.server, NoTls)
            .await
            .with_context(|| format!("could not reach PostgreSQL at `{}`", self.server))?;
        // Its error comes to whoever waits for a reply.
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Table {
    /// Creates it, under a name that nobody else has.
    pub(crate) async fn create(client: &Client) -> Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let table = Self { name: format!("peers_{}_{}", std::process::id(), since.as_millis()) };
        let create = client.batch_execute(&table.definition()).await;
        create.with_context(|| format!("could not create table {}", table.name))?;
        Ok(table)
    }

    /// Drops it.
    pub(crate) async fn drop(&self, client: &Client) -> Result<()> {
        let drop = client.batch_execute(&format!("drop table {}", self.name)).await;
        drop.with_context(|| format!("could not drop table {}", self.name))
    }

    /// As it stands in statements.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn definition(&self) -> String {
        let name = &self.name;
        format!(
            "create table {name} (
                 id bigint generated always as identity primary key,
                 attempts integer not null default 0,
                 leased_until timestamptz,
                 payload bytea not null
             ) with (
                 fillfactor = 80,
                 autovacuum_vacuum_scale_factor = 0.02,
                 autovacuum_vacuum_cost_delay = 0
             );
             create index on {name} (id) where leased_until is null;"
        )
    }

    /// A connection that enqueues. `number`: of this one among `of`, which share `batches`.
    pub(crate) async fn enqueuer(
        &self,
        client: Client,
        (number, of): (u32, u32),
        batches: Option<u64>,
    ) -> Result<Enqueuer> {
        let insert = format!("insert into {} (payload) select unnest($1::bytea[])", self.name);
        let insert = client.prepare(&insert).await.context("could not prepare the enqueue")?;
        let (number, of) = (u64::from(number), u64::from(of));
        let left = batches.map(|batches| share(batches, number, of));
        // Numbers of tasks do not meet in a run of any length.
        Ok(Enqueuer { client, insert, next: number << 40, left })
    }
}

/// The part of one of them; all parts add up.
fn share(all: u64, number: u64, of: u64) -> u64 {
    all / of + u64::from(number < all % of)
}

impl Hand for Enqueuer {
    async fn round(&mut self) -> Result<u64> {
        match &mut self.left {
            Some(0) => return Ok(0),
            Some(left) => *left -= 1,
            None => {}
        }
        let tasks: Vec<Vec<u8>> = (0..u64::from(BATCH)).map(|n| payload(self.next + n)).collect();
        self.next += u64::from(BATCH);
        let inserted = self.client.execute(&self.insert, &[&tasks]).await;
        inserted.context("could not enqueue a batch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_all() {
        for (all, of) in [(0, 3), (2, 3), (3, 3), (1_000, 16), (7, 1)] {
            let shares: Vec<u64> = (0..of).map(|number| share(all, number, of)).collect();
            assert_eq!(shares.iter().sum::<u64>(), all, "{shares:?}");
            assert!(shares.iter().max() <= shares.iter().min().map(|least| least + 1).as_ref());
        }
    }

    #[test]
    fn the_definition_names_the_table_in_both_statements() {
        let table = Table { name: "peers_1_2".to_owned() };
        assert_eq!(table.definition().matches("peers_1_2").count(), 2);
    }
}
