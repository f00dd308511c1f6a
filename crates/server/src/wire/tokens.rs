//! Opaque strings that clients give back: positions, page tokens, resume tokens.
//!
//! Lower-case hexadecimal of: version, kind, partition, the kind's own numbers,
//! and four bytes of a hash over all that. The hash is no secret: it tells a
//! damaged or invented string from one of ours, nothing more. A page or resume
//! token also carries a digest of what it belongs to, so that a token of another
//! list or log is seen to be foreign.
//!
//! Not here: whether a position or sequence exists (`services/`).

use piecework_core::event::Log;
use piecework_core::{
    EngineTime, LeaseId, PartitionId, Position, ProjectId, Sequence, TaskId, TaskNumber,
};

use crate::wire::failure::Failure;
use crate::wire::invalid;

const VERSION: u8 = 1;
const CHECK_BYTES: usize = 4;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Position = 1,
    Page = 2,
    Resume = 3,
}

/// Which list with which parent and filter, or which log with which types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope(u64);

impl Scope {
    /// `parts`: whatever tells one from another, in a fixed order.
    pub(crate) fn of(parts: &[&str]) -> Scope {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Scope(u64::from_le_bytes(first))
    }

    /// Of a log, read with these types (as their numbers; empty: all).
    pub(crate) fn of_log(log: Log, types: &[i32]) -> Scope {
        let log = match log {
            Log::Project(project) => format!("project {project}"),
            Log::Workers(tenant) => format!("workers {tenant}"),
        };
        let mut types = types.to_vec();
        types.sort_unstable();
        types.dedup();
        Scope::of(&[&log, &format!("{types:?}")])
    }
}

/// Where a watcher stands in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// Everything up to here has been looked at.
    pub(crate) after: Sequence,
    /// The newest of it that fitted the types; zero: none did.
    pub(crate) previous: Sequence,
}

/// The text of a position.
pub(crate) fn position(position: Position) -> String {
    write(TokenKind::Position, &[position.0])
}

/// Empty: no wish. `durable`: the newest position, told to who sends another.
pub(crate) fn read_position(text: &str, durable: Position) -> Result<Option<Position>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    match read(TokenKind::Position, text) {
        Some([position]) => Ok(Some(Position(position))),
        None => Err(invalid::position(&self::position(durable))),
    }
}

/// `after`: the last entry of this page.
pub(crate) fn page(scope: Scope, after: u64) -> String {
    write(TokenKind::Page, &[scope.0, after])
}

/// The token of the next page; empty: there is none.
pub(crate) fn next_page(scope: Scope, after: Option<u64>) -> String {
    after.map(|after| page(scope, after)).unwrap_or_default()
}

/// Zero for the first page.
pub(crate) fn read_page(text: &str, scope: Scope) -> Result<u64, Failure> {
    if text.is_empty() {
        return Ok(0);
    }
    match read(TokenKind::Page, text) {
        Some([of, after]) if of == scope.0 => Ok(after),
        _ => Err(invalid::page_token()),
    }
}

/// The end of a page of events.
pub(crate) fn event_page(scope: Scope, cursor: Cursor) -> String {
    write(TokenKind::Page, &[scope.0, cursor.after.0, cursor.previous.0])
}

/// `None` for the first page.
pub(crate) fn read_event_page(text: &str, scope: Scope) -> Result<Option<Cursor>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    match read(TokenKind::Page, text) {
        Some([of, after, previous]) if of == scope.0 && previous <= after => {
            Ok(Some(Cursor { after: Sequence(after), previous: Sequence(previous) }))
        }
        _ => Err(invalid::page_token()),
    }
}

/// After a worker's lease: by when it was granted, then by its name.
pub(crate) fn lease_page(scope: Scope, (granted, lease): (EngineTime, LeaseId)) -> String {
    let LeaseId { task, number } = lease;
    let task_and_number = u64::from(task.number.0) << 32 | u64::from(number);
    write(TokenKind::Page, &[scope.0, granted.0, task.project.0.into(), task_and_number])
}

/// `None` for the first page.
pub(crate) fn read_lease_page(
    text: &str,
    scope: Scope,
) -> Result<Option<(EngineTime, LeaseId)>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    match read(TokenKind::Page, text) {
        Some([of, granted, project, rest]) if of == scope.0 => {
            let low = |n: u64| u32::try_from(n & u64::from(u32::MAX)).unwrap_or(u32::MAX);
            let task =
                TaskId { project: ProjectId(low(project)), number: TaskNumber(low(rest >> 32)) };
            Ok(Some((EngineTime(granted), LeaseId { task, number: low(rest) })))
        }
        _ => Err(invalid::page_token()),
    }
}

/// A page's cursor as the number of an entry; beyond all of them if it is none.
pub(crate) fn number(cursor: u64) -> u32 {
    u32::try_from(cursor).unwrap_or(u32::MAX)
}

/// The text of a cursor in the log and types of `scope`.
pub(crate) fn resume(scope: Scope, cursor: Cursor) -> String {
    write(TokenKind::Resume, &[scope.0, cursor.after.0, cursor.previous.0])
}

/// `None` where the client has no token.
pub(crate) fn read_resume(text: &str, scope: Scope) -> Result<Option<Cursor>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    match read(TokenKind::Resume, text) {
        Some([of, after, previous]) if of == scope.0 && previous <= after => {
            Ok(Some(Cursor { after: Sequence(after), previous: Sequence(previous) }))
        }
        _ => Err(invalid::resume_token()),
    }
}

fn write(kind: TokenKind, numbers: &[u64]) -> String {
    let mut bytes = Vec::with_capacity(4 + numbers.len() * 8 + CHECK_BYTES);
    bytes.extend([VERSION, kind as u8]);
    bytes.extend(PartitionId::FIRST.0.to_be_bytes());
    for number in numbers {
        bytes.extend(number.to_be_bytes());
    }
    let check = blake3::hash(&bytes);
    bytes.extend(&check.as_bytes()[..CHECK_BYTES]);
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]));
    }
    String::from_utf8(text).expect("digits")
}

fn read<const N: usize>(kind: TokenKind, text: &str) -> Option<[u64; N]> {
    let bytes = from_hex(text)?;
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_BYTES)?)?;
    if blake3::hash(body).as_bytes()[..CHECK_BYTES] != *check {
        return None;
    }
    let (head, rest) = body.split_at_checked(4)?;
    let partition = PartitionId::FIRST.0.to_be_bytes();
    if head != [VERSION, kind as u8, partition[0], partition[1]] || rest.len() != N * 8 {
        return None;
    }
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(rest.chunks_exact(8)) {
        *number = u64::from_be_bytes(bytes.try_into().ok()?);
    }
    Some(numbers)
}

/// Only the spelling that `write` gives: lower case, two digits a byte.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    // The longest of ours is far shorter.
    if text.len() > 128 || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use piecework_proto::v1::ErrorReason;

    use super::*;

    #[test]
    fn a_position_reads_back() {
        let text = position(Position(1 << 40));
        assert_eq!(read_position(&text, Position(0)).unwrap(), Some(Position(1 << 40)));
        assert_eq!(read_position("", Position(0)).unwrap(), None);
    }

    #[test]
    fn a_damaged_or_foreign_token_is_refused() {
        let text = position(Position(7));
        let mut other = text.clone();
        other.replace_range(10..11, if &text[10..11] == "0" { "1" } else { "0" });
        for wrong in [other.as_str(), "7", "zz", &text[2..], &text.to_uppercase(), "é"] {
            let failure = read_position(wrong, Position(9)).unwrap_err();
            assert_eq!(failure.reason(), ErrorReason::PositionInvalid, "{wrong}");
        }
        let failure = read_page(&text, Scope::of(&["tasks"])).unwrap_err();
        assert_eq!(failure.reason(), ErrorReason::PageTokenInvalid);
    }

    #[test]
    fn a_page_token_fits_its_own_list_and_filter() {
        let open = Scope::of(&["tasks", "projects/cats", "state = OPEN"]);
        let done = Scope::of(&["tasks", "projects/cats", "state = DONE"]);
        let token = page(open, 50);
        assert_eq!(read_page(&token, open).unwrap(), 50);
        assert!(read_page(&token, done).is_err());
        assert_eq!(read_page("", done).unwrap(), 0);
    }

    #[test]
    fn a_page_of_leases_goes_on_after_the_last_one_shown() {
        let task = TaskId { project: ProjectId(3), number: TaskNumber(u32::MAX) };
        let last = (EngineTime(u64::MAX), LeaseId { task, number: 9 });
        let scope = Scope::of(&["leases", "ann"]);
        let token = lease_page(scope, last);
        assert_eq!(read_lease_page(&token, scope).unwrap(), Some(last));
        assert!(read_lease_page(&token, Scope::of(&["leases", "bob"])).is_err());
    }

    #[test]
    fn a_resume_token_fits_its_own_log_and_types() {
        let log = Log::Project(ProjectId(3));
        let cursor = Cursor { after: Sequence(9), previous: Sequence(7) };
        let token = resume(Scope::of_log(log, &[1, 2]), cursor);
        assert_eq!(read_resume(&token, Scope::of_log(log, &[2, 1])).unwrap(), Some(cursor));
        let failure = read_resume(&token, Scope::of_log(log, &[1])).unwrap_err();
        assert_eq!(failure.reason(), ErrorReason::ResumeTokenInvalid);
        assert!(read_resume(&token, Scope::of_log(Log::Project(ProjectId(4)), &[1, 2])).is_err());
    }
}
