//! The metrics port, asked in plain HTTP.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET path`.
pub(crate) async fn get(at: SocketAddr, path: &str) -> Page {
    let mut stream = TcpStream::connect(at).await.expect("the metrics port answers");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("send");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("receive");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Page { status, body: body.to_owned() }
}

impl Page {
    /// The value of a series of a scrape, written as in the page; 0 if there is none yet.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }
}
