//! `snapshot create | list | verify`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use piecework_client::proto::v1::{CreateSnapshotRequest, ListSnapshotsRequest};
use piecework_server::offline::{self, Finding, Found, Verified};
use serde::Serialize;

use crate::cli::Connection;
use crate::failure::{Failure, offline_failed};
use crate::output::{Format, Output};
use crate::progress::say;
use crate::session::{Session, answer};

/// All of the daemon's state at one position
#[derive(Debug, Subcommand)]
pub(crate) enum Snapshots {
    /// Have the daemon make one of now; returns when it is in place
    Create,
    /// List the whole ones, oldest first
    List(List),
    /// Read them through to the last byte, also beside a running daemon
    Verify(Verify),
}

/// List snapshots
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Those in this data directory, without asking a daemon
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Check snapshots
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this one; by default all
    name: Option<String>,
    /// The data directory they are in
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

impl Snapshots {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let output = Output::new(connection.output.unwrap_or(Format::Table));
        match self {
            Self::Create => {
                let session = Session::open(connection)?;
                let reply = session.client.admin().create_snapshot(CreateSnapshotRequest {}).await;
                output.one(&answer(reply)?.snapshot.unwrap_or_default())
            }
            Self::List(List { data_dir: Some(data_dir) }) => list(&data_dir, output),
            Self::List(List { data_dir: None }) => {
                let session = Session::open(connection)?;
                let reply = session.client.admin().list_snapshots(ListSnapshotsRequest {}).await;
                output.list(&answer(reply)?.snapshots)
            }
            Self::Verify(verify) => {
                let name = verify.name.as_deref();
                let verified = offline::verify_snapshots(&verify.data_dir, name, &say);
                print_findings(&verified.map_err(offline_failed)?, output)
            }
        }
    }
}

fn list(data_dir: &Path, output: Output) -> Result<()> {
    let list = offline::list_snapshots(data_dir).map_err(offline_failed)?;
    for damaged in &list.damaged {
        say(damaged);
    }
    output.list(&list.whole)
}

/// One part of a directory, as it is printed.
#[derive(Debug, Serialize)]
struct Row<'a> {
    part: &'a str,
    found: &'static str,
    position: Option<u64>,
    digest: Option<&'a str>,
    detail: &'a str,
}

/// Prints a row for each part; damage is a failure with status 3.
pub(super) fn print_findings(verified: &Verified, output: Output) -> Result<()> {
    let rows: Vec<Row<'_>> = verified.findings.iter().map(row).collect();
    output.rows(&rows)?;
    match verified.damage() {
        Some(damage) => Err(Failure::Damaged(damage).into()),
        None => Ok(()),
    }
}

fn row(finding: &Finding) -> Row<'_> {
    let Finding { part, found, position, digest, detail } = finding;
    let found = match found {
        Found::Good => "good",
        Found::Noted => "noted",
        Found::Damaged => "damaged",
    };
    Row { part, found, position: *position, digest: digest.as_deref(), detail }
}
