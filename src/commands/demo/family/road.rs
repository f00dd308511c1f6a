//! The bad connection: bytes are passed on to the daemon, until they are not.
//!
//! Every connection lives for a short while only, and `cut` ends them all. Whoever
//! uses it sees what a phone sees in a tunnel.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long connections live, in turn.
const LIVES: [Duration; 5] = [
    Duration::from_millis(700),
    Duration::from_millis(1_500),
    Duration::from_millis(400),
    Duration::from_millis(900),
    Duration::from_millis(2_000),
];

/// Dropping it closes it; connections under way go on to their end.
#[derive(Debug)]
pub(super) struct Road {
    at: SocketAddr,
    is_open: watch::Sender<bool>,
    dropped: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Road {
    /// To the daemon at `server`, such as `http://127.0.0.1:7420`.
    pub(super) async fn to(server: &str) -> Result<Self> {
        let address = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let at = listener.local_addr()?;
        let (is_open, state) = watch::channel(true);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        let accepting = tokio::spawn(async move {
            let mut lives = LIVES.into_iter().cycle();
            while let Ok((client, _)) = listener.accept().await {
                let (Some(life), true) = (lives.next(), *state.borrow()) else { continue };
                let (address, closed, count) = (address.clone(), state.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    if pass_on(client, &address, life, closed).await {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self { at, is_open, dropped, accepting })
    }

    /// Where clients connect.
    pub(super) fn server(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Drops all connections, and makes no others until it is mended.
    pub(super) fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Connections are made again.
    pub(super) fn mend(&self) {
        self.is_open.send_replace(true);
    }

    /// Connections dropped in the middle so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Returns whether the connection was dropped, rather than closed by an end of it.
async fn pass_on(
    mut client: TcpStream,
    daemon: &str,
    life: Duration,
    mut is_open: watch::Receiver<bool>,
) -> bool {
    let Ok(mut daemon) = TcpStream::connect(daemon).await else { return false };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut daemon) => false,
        () = sleep(life) => true,
        _ = is_open.wait_for(|is_open| !is_open) => true,
    }
}
