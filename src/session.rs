//! The daemon a command talks to, and how it prints.

use anyhow::Result;
use piecework_client::{CallError, Client};

use crate::cli::Connection;
use crate::output::{Format, Output};

/// One command's view of the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    format: Option<Format>,
}

impl Session {
    /// Nothing is sent yet.
    pub(crate) fn open(connection: &Connection) -> Result<Self> {
        Self::at(connection.address(), connection.output)
    }

    /// With a daemon at another address than the one on the command line.
    pub(crate) fn at(server: &str, format: Option<Format>) -> Result<Self> {
        Ok(Self { client: Client::new(server)?, format })
    }

    /// Prints in the format asked for, else as a table.
    pub(crate) fn output(&self) -> Output {
        self.output_or(Format::Table)
    }

    /// Prints in the format asked for, else in this one.
    pub(crate) fn output_or(&self, format: Format) -> Output {
        Output::new(self.format.unwrap_or(format))
    }
}

/// A reply without its envelope, or why there is none.
pub(crate) fn answer<T>(reply: Result<tonic::Response<T>, tonic::Status>) -> Result<T, CallError> {
    reply.map(tonic::Response::into_inner).map_err(CallError::from)
}
