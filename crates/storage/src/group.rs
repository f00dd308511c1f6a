//! What the journal keeps of a group: per command a header and its rows.
//!
//! ```text
//! version u8 | length u32 of what follows
//! tenant u32 | kind, actor, request id, refusal: length u8 and text | rows u32
//! checksum u32 of everything so far
//! rows (tables/row.rs)
//! ```
//!
//! Numbers little-endian; an empty text stands for none. Commands simply follow
//! each other, so a group is encoded into one vector as it is applied. Recovery
//! uses the rows only; headers are for people, the model and `verify`. Positions
//! are implied: the frame says the first one, each command takes the next.
//!
//! Not here: the frame around a group (`journal/frame.rs`).

use bytes::Bytes;
use piecework_core::{Changed, ClientId, TenantId};

use crate::tables::{Reader, Row, RowError, write_change};

/// The version this program writes, and the newest it reads.
const VERSION: u8 = 1;
const FIXED_BYTES: usize = 5;

/// What the journal says about a command besides what it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandHeader<'a> {
    /// On behalf of which platform.
    pub tenant: TenantId,
    /// The command's name, such as `submit`.
    pub kind: &'a str,
    /// The worker or requester in whose name it came.
    pub actor: Option<&'a ClientId>,
    /// The client's own id of the call.
    pub request_id: Option<&'a ClientId>,
    /// Name of the refusal; `None`: it was done.
    pub refusal: Option<&'a str>,
}

/// A command as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRows {
    /// On behalf of which platform.
    pub tenant: TenantId,
    /// The command's name, such as `submit`.
    pub kind: String,
    /// The worker or requester in whose name it came.
    pub actor: Option<String>,
    /// The client's own id of the call.
    pub request_id: Option<String>,
    /// Name of the refusal; `None`: it was done.
    pub refusal: Option<String>,
    /// What it changed, in order.
    pub rows: Vec<Row>,
}

/// Why a body is no group of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Written by a later release.
    #[error("command {index} of the group has version {version}, this program knows {VERSION}")]
    Version {
        /// The how-manieth command, from 0.
        index: usize,
        /// Its version.
        version: u8,
    },
    /// The header is not what was written.
    #[error("the header of command {index} of the group is damaged")]
    Header {
        /// The how-manieth command, from 0.
        index: usize,
    },
    /// A row is not what was written, or of a kind that we do not know.
    #[error("row {row} of command {index} of the group cannot be read")]
    Row {
        /// The how-manieth command, from 0.
        index: usize,
        /// The how-manieth of its rows, from 0.
        row: u32,
        /// What is wrong.
        #[source]
        source: RowError,
    },
}

/// Appends one command to the body of its group. Returns how many rows it has.
///
/// Panics when a text of the header is longer than 255 bytes: ours never are.
/// Cost: one message per row is built and encoded in place; the body grows.
pub fn encode_command(body: &mut Vec<u8>, header: &CommandHeader<'_>, changes: &[Changed]) -> u32 {
    let mut command = Open::begin(body, header);
    command.rows += changes.iter().map(|changed| write_change(body, changed)).sum::<u32>();
    command.end(body);
    command.rows
}

/// A command whose header waits for its rows.
#[derive(Debug)]
pub(crate) struct Open {
    start: usize,
    rows_at: usize,
    pub(crate) rows: u32,
}

impl Open {
    pub(crate) fn begin(body: &mut Vec<u8>, header: &CommandHeader<'_>) -> Open {
        let start = body.len();
        body.push(VERSION);
        body.extend_from_slice(&[0; 4]);
        body.extend_from_slice(&header.tenant.0.to_le_bytes());
        push_text(body, header.kind);
        push_text(body, header.actor.map_or("", ClientId::as_str));
        push_text(body, header.request_id.map_or("", ClientId::as_str));
        push_text(body, header.refusal.unwrap_or(""));
        let rows_at = body.len();
        body.extend_from_slice(&[0; 8]);
        Open { start, rows_at, rows: 0 }
    }

    /// Rows and length are known behind the rows; the checksum covers them too.
    pub(crate) fn end(&self, body: &mut [u8]) {
        let Open { start, rows_at, rows } = *self;
        let length = body.len() - start - FIXED_BYTES;
        let length = u32::try_from(length).expect("a group is below 4 GiB");
        body[start + 1..start + FIXED_BYTES].copy_from_slice(&length.to_le_bytes());
        body[rows_at..rows_at + 4].copy_from_slice(&rows.to_le_bytes());
        let sum = crc32c::crc32c(&body[start..rows_at + 4]);
        body[rows_at + 4..rows_at + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Takes a group's body apart. Values of rows are slices of `body`.
///
/// # Errors
/// What is damaged or unknown, and where. An unknown kind of row stops a start.
pub fn decode_group(body: &Bytes) -> Result<Vec<CommandRows>, GroupError> {
    let mut commands = Vec::new();
    read_group(Reader::new(body), body, &mut |header, rows| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        commands.push(CommandRows {
            tenant: header.tenant,
            kind: header.kind.to_owned(),
            actor: text(header.actor),
            request_id: text(header.request_id),
            refusal: text(header.refusal),
            rows,
        });
    })?;
    Ok(commands)
}

/// The rows of a group in order, without the headers.
pub(crate) fn group_rows(body: &Bytes) -> Result<Vec<Row>, GroupError> {
    all_rows(Reader::new(body), body)
}

/// The same for a body that this process has just encoded: checksums are not looked at.
pub(crate) fn own_rows(body: &Bytes) -> Result<Vec<Row>, GroupError> {
    all_rows(Reader::of_own(body), body)
}

fn all_rows(reader: Reader<'_>, body: &Bytes) -> Result<Vec<Row>, GroupError> {
    let mut all = Vec::new();
    read_group(reader, body, &mut |_, rows| {
        if all.is_empty() { all = rows } else { all.extend(rows) }
    })?;
    Ok(all)
}

struct RawHeader<'a> {
    tenant: TenantId,
    kind: &'a str,
    actor: &'a str,
    request_id: &'a str,
    refusal: &'a str,
    rows: u32,
}

fn read_group(
    mut reader: Reader<'_>,
    body: &Bytes,
    take: &mut dyn FnMut(RawHeader<'_>, Vec<Row>),
) -> Result<(), GroupError> {
    let mut index = 0;
    while !reader.is_empty() {
        let (header, end) = read_header(body, &mut reader, index)?;
        let mut rows = Vec::with_capacity(header.rows.min(4096) as usize);
        for row in 0..header.rows {
            let read = reader.row().map_err(|source| GroupError::Row { index, row, source })?;
            rows.push(read);
        }
        if reader.at() != end {
            return Err(GroupError::Header { index });
        }
        take(header, rows);
        index += 1;
    }
    Ok(())
}

/// The header, and where its command ends.
fn read_header<'a>(
    body: &Bytes,
    reader: &mut Reader<'a>,
    index: usize,
) -> Result<(RawHeader<'a>, usize), GroupError> {
    let damaged = |_| GroupError::Header { index };
    let start = reader.at();
    let version = reader.u8().map_err(damaged)?;
    if version != VERSION {
        return Err(GroupError::Version { index, version });
    }
    let length = reader.u32().map_err(damaged)? as usize;
    let mut header = RawHeader {
        tenant: TenantId(reader.u32().map_err(damaged)?),
        kind: read_text(reader, index)?,
        actor: read_text(reader, index)?,
        request_id: read_text(reader, index)?,
        refusal: read_text(reader, index)?,
        rows: 0,
    };
    header.rows = reader.u32().map_err(damaged)?;
    let sum = crc32c::crc32c(&body[start..reader.at()]);
    if sum != reader.u32().map_err(damaged)? {
        return Err(GroupError::Header { index });
    }
    Ok((header, start + FIXED_BYTES + length))
}

fn read_text<'a>(reader: &mut Reader<'a>, index: usize) -> Result<&'a str, GroupError> {
    let bytes = reader.short().map_err(|_| GroupError::Header { index })?;
    std::str::from_utf8(bytes).map_err(|_| GroupError::Header { index })
}

fn push_text(body: &mut Vec<u8>, text: &str) {
    body.push(u8::try_from(text.len()).expect("texts of a header are short"));
    body.extend_from_slice(text.as_bytes());
}
