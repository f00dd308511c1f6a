//! What the daemon's journal wrote, from its metrics page.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a journal wrote since its daemon started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Journal {
    /// Bytes of all groups, with what goes around them on disk.
    pub(super) bytes: f64,
    /// Times that it waited for the disk.
    pub(super) syncs: f64,
}

/// Reads the metrics that are served at `address`.
pub(super) async fn journal(address: &str) -> Result<Journal> {
    journal_in(&page(address).await?).with_context(|| format!("in the metrics at {address}"))
}

fn journal_in(page: &str) -> Result<Journal> {
    let value = |series: &str| {
        let mut lines = page.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = value.and_then(|value| value.trim().parse().ok());
        value.with_context(|| format!("there is no {series}"))
    };
    Ok(Journal {
        bytes: value("piecework_journal_written_bytes_total")?,
        syncs: value("piecework_journal_syncs_total")?,
    })
}

async fn page(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await.context("could not read the metrics")?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => bail!("the metrics at {address} were not served"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_counters_are_read_from_a_page() {
        let page = "# TYPE piecework_journal_syncs_total counter\n\
                    piecework_journal_syncs_total 7\n\n\
                    piecework_journal_written_bytes_total 28672\n";
        let both = Journal { bytes: 28_672.0, syncs: 7.0 };
        assert_eq!(journal_in(page).unwrap(), both);
        let error = journal_in("piecework_journal_syncs_total 7\n").unwrap_err();
        assert!(error.to_string().contains("piecework_journal_written_bytes_total"));
    }
}
