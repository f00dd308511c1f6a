//! `verify`: a whole data directory, checked while no daemon runs on it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use piecework_server::offline;

use super::snapshot::print_findings;
use crate::cli::Connection;
use crate::failure::offline_failed;
use crate::output::{Format, Output};
use crate::progress::say;

/// Check a data directory on which no daemon runs; changes nothing
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Where a copy of the tables may lie for a while; by default where temporary
    /// files go. It needs as much space as `tables/` in the data directory
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

impl Verify {
    /// Prints a row for each part, the last one with the digest of the state.
    pub(crate) fn run(self, connection: &Connection) -> Result<()> {
        let mut scratch = tempfile::Builder::new();
        scratch.prefix("piecework-verify-");
        let scratch = match &self.scratch {
            Some(place) => scratch.tempdir_in(place),
            None => scratch.tempdir(),
        };
        let scratch = scratch.context("could not create a directory for a copy of the tables")?;
        let verified = offline::verify(&self.data_dir, scratch.path(), &say);
        let output = Output::new(connection.output.unwrap_or(Format::Table));
        print_findings(&verified.map_err(offline_failed)?, output)
    }
}
