//! An address that outlives the daemon behind it.
//!
//! A daemon that is started again takes another free port. Whoever rides out
//! the restart connects to the relay instead, which passes bytes on to wherever
//! the daemon is now and hangs up while it is nowhere.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Dropping it closes the address; connections under way go on.
#[derive(Debug)]
pub(crate) struct Relay {
    at: SocketAddr,
    behind: watch::Sender<Option<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// With nothing behind it yet.
    pub(crate) async fn open() -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = listener.local_addr().expect("an address");
        let (behind, now) = watch::channel(None);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let behind = *now.borrow();
                if let Some(behind) = behind {
                    tokio::spawn(pass_on(client, behind));
                }
            }
        });
        Relay { at, behind, accepting }
    }

    /// Where clients connect.
    pub(crate) fn server(&self) -> String {
        format!("http://{}", self.at)
    }

    /// New connections lead there; `None`: nowhere.
    pub(crate) fn lead_to(&self, behind: Option<SocketAddr>) {
        self.behind.send_replace(behind);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass_on(mut client: TcpStream, behind: SocketAddr) {
    if let Ok(mut daemon) = TcpStream::connect(behind).await {
        // Either end may break off; the other one is told by the drop.
        let _ = copy_bidirectional(&mut client, &mut daemon).await;
    }
}
