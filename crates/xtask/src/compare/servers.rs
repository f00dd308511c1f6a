//! The servers of the peers: each starts with nothing in it for one measure, on a free
//! port, and ends with it, so that no server has another's leavings or works meanwhile.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::compare::interrupt::Interrupt;
use crate::compare::measures::Peer;
use crate::compare::postgres::Postgres;
use crate::compare::program::Program;
use crate::compare::redis::Redis;

/// Those that are installed; of the others, why they are not used.
#[derive(Debug)]
pub(crate) struct Servers {
    directory: PathBuf,
    redis: Result<Redis, String>,
    postgres: Result<Postgres, String>,
}

/// One that serves. Ends when dropped, and its data go.
#[derive(Debug)]
pub(crate) struct Running {
    /// Ends first.
    program: Program,
    address: String,
    _data: Data,
}

/// A directory that goes away.
#[derive(Debug)]
struct Data(PathBuf);

impl Servers {
    /// Looks for those that are needed, and installs what is missing where we may.
    ///
    /// # Errors
    /// We were asked to end.
    pub(crate) fn find(
        directory: &Path,
        interrupt: &Interrupt,
        is_needed: impl Fn(Peer) -> bool,
    ) -> Result<Self> {
        let not_needed = || "no row that is asked for needs it".to_owned();
        let redis = if is_needed(Peer::Redis) { Redis::find() } else { Err(not_needed()) };
        interrupt.check()?;
        let postgres = if is_needed(Peer::Postgres) { Postgres::find() } else { Err(not_needed()) };
        interrupt.check()?;
        Ok(Self { directory: directory.to_owned(), redis, postgres })
    }

    /// Names and versions of those that are there.
    pub(crate) fn versions(&self) -> Vec<String> {
        let redis = self.redis.as_ref().ok().map(Redis::version);
        let postgres = self.postgres.as_ref().ok().map(Postgres::version);
        redis.into_iter().chain(postgres).collect()
    }

    /// Why a peer cannot be measured.
    pub(crate) fn missing(&self, peer: Peer) -> Option<&str> {
        match peer {
            Peer::Redis => self.redis.as_ref().err().map(String::as_str),
            Peer::Postgres => self.postgres.as_ref().err().map(String::as_str),
            Peer::Floor => None,
        }
    }

    /// Starts what this peer needs; some need nothing.
    pub(crate) fn start(&self, peer: Peer, interrupt: &Interrupt) -> Result<Option<Running>> {
        let missing = |why: &String| anyhow::anyhow!("{why}");
        match peer {
            Peer::Redis => {
                let redis = self.redis.as_ref().map_err(missing)?;
                redis.start(&self.directory, interrupt).map(Some)
            }
            Peer::Postgres => {
                let postgres = self.postgres.as_ref().map_err(missing)?;
                postgres.start(&self.directory, interrupt).map(Some)
            }
            Peer::Floor => Ok(None),
        }
    }
}

impl Running {
    pub(crate) fn new(program: Program, address: String, data: PathBuf) -> Self {
        Self { program, address, _data: Data(data) }
    }

    /// What `peers` needs to know of it.
    pub(crate) fn words(&self) -> Vec<String> {
        let pid = self.program.id().to_string();
        vec!["--server".to_owned(), self.address.clone(), "--pid".to_owned(), pid]
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // What stays goes with the directory of the whole run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An empty directory of this name.
pub(crate) fn fresh_directory(within: &Path, name: &str) -> Result<PathBuf> {
    let path = within.join(name);
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("could not empty {}", path.display()))?;
    }
    fs::create_dir(&path).with_context(|| format!("could not create {}", path.display()))?;
    Ok(path)
}

/// A port that nobody has; a server that must be told one takes it at once.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not find a port")?;
    Ok(listener.local_addr().context("could not find a port")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_peer_is_said_and_the_floors_need_none() {
        let (redis, postgres) = (Err("no redis".to_owned()), Err("no postgres".to_owned()));
        let servers = Servers { directory: PathBuf::new(), redis, postgres };
        assert_eq!(servers.missing(Peer::Redis), Some("no redis"));
        assert_eq!(servers.missing(Peer::Postgres), Some("no postgres"));
        assert_eq!(servers.missing(Peer::Floor), None);
        assert!(servers.versions().is_empty());
        let error = servers.start(Peer::Redis, &Interrupt::never()).expect_err("is not there");
        assert_eq!(error.to_string(), "no redis");
    }

    #[test]
    fn a_directory_is_fresh_every_time() {
        let within = tempfile::tempdir().expect("a temporary directory");
        let path = fresh_directory(within.path(), "x").expect("creates");
        fs::write(path.join("file"), "").expect("writes");
        let again = fresh_directory(within.path(), "x").expect("creates again");
        assert_eq!((again.read_dir().expect("lists").count(), again), (0, path));
    }
}
