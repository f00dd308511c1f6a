//! Ctrl-C and SIGTERM: a command is asked to end, and may finish what it holds.

use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Whether, and how often, somebody has asked this process to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<u32>,
}

impl Interrupt {
    /// From now on these signals ask instead of killing.
    pub(crate) fn listen() -> Result<Self> {
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (told, asked) = watch::channel(0);
        tokio::spawn(count(interrupt, terminate, told));
        Ok(Self { asked })
    }

    /// Whether it was asked already.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow() > 0
    }

    /// Returns once it was asked.
    pub(crate) async fn asked(&mut self) {
        self.asked_times(1).await;
    }

    /// Returns once it was asked a second time: whoever asks is in a hurry.
    pub(crate) async fn insisted(&mut self) {
        self.asked_times(2).await;
    }

    async fn asked_times(&mut self, times: u32) {
        if self.asked.wait_for(|asked| *asked >= times).await.is_err() {
            // Nobody listens any more, so nobody can ask.
            std::future::pending::<()>().await;
        }
    }
}

async fn count(mut interrupt: Signal, mut terminate: Signal, told: watch::Sender<u32>) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.send_modify(|asked| *asked += 1);
    }
}
