//! `pg-intake`: tasks come into a table in PostgreSQL, 100 to a statement, each statement
//! durable before the next of its connection.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::Load;
use crate::closed_loop;
use crate::pg_table::{BATCH, Server, Table};
use crate::report::Report;

/// PostgreSQL: tasks are enqueued, 100 to a statement
#[derive(Debug, Args)]
pub(crate) struct PgIntake {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    server: Server,
}

impl PgIntake {
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
        let clients = self.load.clients;
        let mut hands = Vec::new();
        for number in 0..clients {
            let client = self.server.connect().await?;
            hands.push(table.enqueuer(client, (number, clients), None).await?);
        }
        let length = Duration::from_secs(self.load.seconds);
        let measured = closed_loop::run(hands, length, self.server.pid).await?;
        Ok(Report::of("pg-intake")
            .with("clients", clients)
            .with("batch", BATCH)
            .measured("task", &measured))
    }
}
