//! `restore`: a new data directory from a snapshot.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use piecework_server::offline;
use serde::Serialize;

use crate::cli::Connection;
use crate::failure::offline_failed;
use crate::output::{Format, Output};
use crate::progress::say;

/// Make a new data directory from a snapshot, and check it
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The manifest of the snapshot, its page files beside it
    #[arg(value_name = "SNAPSHOT")]
    manifest: PathBuf,
    /// The directory to make; nothing may be there
    #[arg(long, value_name = "NEW")]
    data_dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct Made {
    data_dir: String,
    position: u64,
    rows: u64,
    bytes: u64,
    digest: String,
}

impl Restore {
    /// Prints what was made.
    pub(crate) fn run(self, connection: &Connection) -> Result<()> {
        let made = offline::restore(&self.manifest, &self.data_dir, &say);
        let offline::RestoredDirectory { position, rows, stored_bytes, digest } =
            made.map_err(offline_failed)?;
        let data_dir = self.data_dir.display().to_string();
        let made = Made { data_dir, position, rows, bytes: stored_bytes, digest };
        Output::new(connection.output.unwrap_or(Format::Table)).summary(&made)
    }
}
