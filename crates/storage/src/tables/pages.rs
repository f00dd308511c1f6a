//! How rows lie in the store of keys and values: many to a page.
//!
//! sled's cost is per put far more than per byte, and pages lie in files beside it
//! (`page_log/`): fewer of them are fewer places to keep. A page holds the rows of one
//! tenant and kind from its own key up to the next page's; its key is the least
//! key it may hold. The first page of a tenant and kind has just these two as
//! key, so once there is a page, every key has one. Pages are about `TARGET_BYTES`
//! whatever the size of their rows, and their order is the order of rows.
//!
//! ```text
//! "p" key                  page: version u8 | as of u64 | rows u32 | shared prefix (length u8, bytes)
//!                            per row: rest of key (length u8, bytes)
//!                                     value length u32, value
//!                                     or length u32 with the top bit set, version u64
//!                            checksum u32 over the page's key and everything before
//! "x" key version u64 BE part u16 BE    a part of a large value
//! "a"                      how far the tables are complete
//! "d"                      digest of all rows that lie here now (`standing.rs`)
//! "s" ...                  notes of settled tasks (`settled.rs`)
//! "l" ...                  how much of the files of pages is in use (`page_log/live.rs`)
//! ```
//!
//! A value over `INLINE_BYTES_MAX` lies in parts beside its page: sled keeps up to
//! 16 values in a leaf, and a leaf of over half a megabyte goes to a file that is
//! never synced. The version names the checkpoint, so parts are never mixed.
//!
//! Not here: which rows change a page (`fold.rs`).

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

use bytes::Bytes;
use piecework_core::Position;

use super::error::StoreError;
use super::key_value::KeyValue;
use super::keys::{GROUP_BYTES, Key};
use super::values::{CHECKSUM_BYTES, Misread, checked, checksum};

/// A page is closed at about so many bytes.
pub(super) const TARGET_BYTES: usize = 4096;
/// A row over this has a page of its own.
pub(super) const SHARED_ROW_BYTES_MAX: usize = 1024;
/// A value over this lies in parts of this size.
pub(super) const INLINE_BYTES_MAX: usize = 16 * 1024;
/// Room made for a value in parts before any of them was read.
const TRUSTED_BYTES: usize = 1024 * 1024;

pub(super) const PAGES: u8 = b'p';
const PARTS: u8 = b'x';
const VERSION: u8 = 1;
const IN_PARTS: u32 = 1 << 31;

/// Where a row's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// In the page.
    Inline(Bytes),
    /// Beside it.
    Parts {
        /// Of all parts.
        bytes: u32,
        /// The checkpoint that wrote them.
        version: u64,
    },
}

/// The same while the page is gone through: no value is taken hold of yet.
enum Placed {
    Inline(Range<usize>),
    Parts { bytes: u32, version: u64 },
}

/// A row as a page holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) held: Held,
}

impl Entry {
    /// What it takes of a page, about.
    pub(super) fn bytes(&self) -> usize {
        let value = match &self.held {
            Held::Inline(value) => value.len(),
            Held::Parts { .. } => 8,
        };
        self.key.as_bytes().len() - GROUP_BYTES + value + 5
    }
}

/// The key of the page that starts at `start`.
pub(crate) fn page_key(start: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(start.len() + 1);
    key.push(PAGES);
    key.extend_from_slice(start);
    key
}

/// Below and above the keys of all pages.
pub(super) fn page_bounds() -> (Vec<u8>, Vec<u8>) {
    (vec![PAGES], vec![PAGES + 1])
}

/// The key of one part of a large value.
pub(super) fn part_key(key: &Key, version: u64, part: u16) -> Vec<u8> {
    let mut bytes = vec![PARTS];
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&part.to_be_bytes());
    bytes
}

/// How many parts a value of so many bytes has.
pub(super) fn part_count(bytes: usize) -> u16 {
    u16::try_from(bytes.div_ceil(INLINE_BYTES_MAX)).expect("values are below a gigabyte")
}

/// The page of `entries`, at least one and ascending, that starts at `start`.
pub(super) fn write_page<'e>(
    start: &[u8],
    as_of: Position,
    entries: impl ExactSizeIterator<Item = &'e Entry> + DoubleEndedIterator + Clone,
) -> Vec<u8> {
    let keys = (entries.clone().next(), entries.clone().next_back());
    let (first, last) = keys.0.zip(keys.1).expect("a page holds at least one row");
    let pairs = first.key.as_bytes().iter().zip(last.key.as_bytes());
    let shared = pairs.take_while(|(a, b)| a == b).count();
    let bytes = entries.clone().map(Entry::bytes).sum::<usize>();
    let mut page = Vec::with_capacity(bytes + 64);
    page.push(VERSION);
    page.extend_from_slice(&as_of.0.to_le_bytes());
    page.extend_from_slice(&length(entries.len()).to_le_bytes());
    push_short(&mut page, &first.key.as_bytes()[..shared]);
    for entry in entries {
        push_short(&mut page, &entry.key.as_bytes()[shared..]);
        match &entry.held {
            Held::Inline(value) => {
                page.extend_from_slice(&length(value.len()).to_le_bytes());
                page.extend_from_slice(value);
            }
            Held::Parts { bytes, version } => {
                page.extend_from_slice(&(bytes | IN_PARTS).to_le_bytes());
                page.extend_from_slice(&version.to_le_bytes());
            }
        }
    }
    let sum = checksum(start, &page);
    page.extend_from_slice(&sum.to_le_bytes());
    page
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("pages are far below 4 GiB")
}

fn push_short(page: &mut Vec<u8>, bytes: &[u8]) {
    page.push(u8::try_from(bytes.len()).expect("keys are short"));
    page.extend_from_slice(bytes);
}

/// A page whose checksum matched.
pub(super) struct Page<'a> {
    start: &'a [u8],
    bytes: &'a Bytes,
    at: usize,
    left: u32,
    shared: &'a [u8],
    as_of: Position,
}

impl<'a> Page<'a> {
    /// `start`: the page's key, as rows have it.
    pub(super) fn open(start: &'a [u8], bytes: &'a Bytes) -> Result<Page<'a>, StoreError> {
        let damaged = || StoreError::Page { key: Key::copy(start) };
        let end = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(damaged)?;
        if checksum(start, &bytes[..end]).to_le_bytes() != bytes[end..] {
            return Err(damaged());
        }
        Page::known(start, bytes)
    }

    /// The same for a page whose checksum was looked at before.
    pub(super) fn known(start: &'a [u8], bytes: &'a Bytes) -> Result<Page<'a>, StoreError> {
        let damaged = || StoreError::Page { key: Key::copy(start) };
        let mut page = Page { start, bytes, at: 0, left: 0, shared: &[], as_of: Position(0) };
        if page.take(1) != Some(&[VERSION]) {
            return Err(damaged());
        }
        page.as_of = page.u64().map(Position).ok_or_else(damaged)?;
        page.left = page.u32().ok_or_else(damaged)?;
        page.shared = page.short().ok_or_else(damaged)?;
        Ok(page)
    }

    /// The next row: the rest of its key and where its value is.
    fn next(&mut self) -> Result<Option<(&'a [u8], Held)>, StoreError> {
        let placed = self.next_place()?;
        Ok(placed.map(|(rest, placed)| (rest, self.held(placed))))
    }

    /// The next row: the rest of its key and the place of its value.
    fn next_place(&mut self) -> Result<Option<(&'a [u8], Placed)>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let row = self.row();
        row.map(Some).ok_or_else(|| StoreError::Page { key: Key::copy(self.start) })
    }

    fn row(&mut self) -> Option<(&'a [u8], Placed)> {
        let rest = self.short()?;
        let bytes = self.u32()?;
        if bytes & IN_PARTS != 0 {
            let placed = Placed::Parts { bytes: bytes & !IN_PARTS, version: self.u64()? };
            return Some((rest, placed));
        }
        let start = self.at;
        self.take(bytes as usize)?;
        Some((rest, Placed::Inline(start..self.at)))
    }

    fn held(&self, placed: Placed) -> Held {
        match placed {
            Placed::Inline(range) => Held::Inline(self.bytes.slice(range)),
            Placed::Parts { bytes, version } => Held::Parts { bytes, version },
        }
    }

    fn key(&self, rest: &[u8]) -> Key {
        let mut bytes = [0; 2 * u8::MAX as usize];
        let end = self.shared.len() + rest.len();
        bytes[..self.shared.len()].copy_from_slice(self.shared);
        bytes[self.shared.len()..end].copy_from_slice(rest);
        Key::copy(&bytes[..end])
    }

    /// Where the value of `key` is, if it has one.
    pub(super) fn find(mut self, key: &[u8]) -> Result<Option<Held>, StoreError> {
        let Some(wanted) = key.strip_prefix(self.shared) else { return Ok(None) };
        while let Some((rest, placed)) = self.next_place()? {
            if rest == wanted {
                return Ok(Some(self.held(placed)));
            }
        }
        Ok(None)
    }

    /// All rows, ascending.
    pub(super) fn entries(mut self) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::with_capacity(self.left.min(4096) as usize);
        while let Some((rest, held)) = self.next()? {
            entries.push(Entry { key: self.key(rest), held });
        }
        Ok(entries)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(bytes)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        self.take(length.into())
    }
}

/// A page gone through once, for ascending keys from its start on.
pub(super) struct Walk<'a> {
    page: Page<'a>,
    ahead: Option<(&'a [u8], Placed)>,
}

/// What a page says of a key.
pub(super) enum Found {
    /// It has the row.
    Held(Held),
    /// There is none: a later row of the page is known.
    Absent,
    /// Nothing: it lies behind all rows of the page.
    Behind,
}

impl<'a> Walk<'a> {
    pub(super) fn new(page: Page<'a>) -> Walk<'a> {
        Walk { page, ahead: None }
    }

    /// What the page says of `key`, which is above the one before.
    pub(super) fn to(&mut self, key: &[u8]) -> Result<Found, StoreError> {
        let Some(wanted) = key.strip_prefix(self.page.shared) else {
            let is_below = key < self.page.shared;
            return Ok(if is_below { Found::Absent } else { Found::Behind });
        };
        loop {
            let next = match self.ahead.take() {
                Some(next) => Some(next),
                None => self.page.next_place()?,
            };
            let Some((rest, placed)) = next else { return Ok(Found::Behind) };
            match rest.cmp(wanted) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Found::Held(self.page.held(placed))),
                Ordering::Greater => {
                    self.ahead = Some((rest, placed));
                    return Ok(Found::Absent);
                }
            }
        }
    }
}

/// The page that may hold `key`: its start, as rows have it, and its bytes.
pub(super) fn covering(
    kv: &dyn KeyValue,
    key: &[u8],
) -> Result<Option<(Bytes, Bytes)>, StoreError> {
    let found = kv.at_or_before(&page_key(key))?;
    Ok(found.filter(|(at, _)| at.first() == Some(&PAGES)).map(|(at, page)| (at.slice(1..), page)))
}

/// The value; `None` when a part is not there (any more).
pub(super) fn resolve(
    kv: &dyn KeyValue,
    key: &Key,
    held: Held,
) -> Result<Option<Bytes>, StoreError> {
    let (bytes, version) = match held {
        Held::Inline(value) => return Ok(Some(value)),
        Held::Parts { bytes, version } => (bytes as usize, version),
    };
    let damaged = |source| StoreError::Row { key: key.clone(), source };
    // What a page says of its parts is not to be believed before they are there.
    let parts = u16::try_from(bytes.div_ceil(INLINE_BYTES_MAX));
    let parts = parts.map_err(|_| damaged(Misread::Part))?;
    let mut value = Vec::with_capacity(bytes.min(TRUSTED_BYTES));
    for part in 0..parts {
        match kv.get(&part_key(key, version, part))? {
            Some(part) => value.extend_from_slice(&part),
            None => return Ok(None),
        }
    }
    if value.len() != bytes {
        return Err(damaged(Misread::Part));
    }
    // No page's checksum covers the parts.
    let value = Bytes::from(value);
    checked(key.as_bytes(), &value).map_err(damaged)?;
    Ok(Some(value))
}

/// Rows from `from` on, below `below`, ascending.
pub(super) fn scan(
    kv: &dyn KeyValue,
    from: &[u8],
    below: &[u8],
    visit: &mut dyn FnMut(Entry) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    // The page that holds `from` may start before it.
    let first = covering(kv, from)?.map_or_else(|| from.to_vec(), |(start, _)| start.to_vec());
    let mut outcome = Ok(());
    kv.scan(&page_key(&first), &page_key(below), &mut |at, page| match scan_page(
        &at[1..],
        &Bytes::copy_from_slice(page),
        from,
        below,
        visit,
    ) {
        Ok(flow) => flow,
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    })?;
    outcome
}

fn scan_page(
    start: &[u8],
    page: &Bytes,
    from: &[u8],
    below: &[u8],
    visit: &mut dyn FnMut(Entry) -> Result<ControlFlow<()>, StoreError>,
) -> Result<ControlFlow<()>, StoreError> {
    let mut page = Page::open(start, page)?;
    while let Some((rest, held)) = page.next()? {
        let key = page.key(rest);
        if key.as_bytes() < from {
            continue;
        }
        if key.as_bytes() >= below || visit(Entry { key, held })?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use piecework_core::{ProjectId, TaskId, TaskNumber, TenantId};

    use super::*;
    use crate::tables::keys::RowId;

    fn key(number: u32) -> Key {
        let task = TaskId { project: ProjectId(1), number: TaskNumber(number) };
        Key::new(TenantId(1), RowId::Spec(task))
    }

    fn entries() -> Vec<Entry> {
        let inline = |number, value: &'static [u8]| Entry {
            key: key(number),
            held: Held::Inline(Bytes::from_static(value)),
        };
        let parts = Entry { key: key(300), held: Held::Parts { bytes: 70_000, version: 9 } };
        vec![inline(1, b"one"), inline(2, b""), parts]
    }

    #[test]
    fn a_page_gives_back_its_rows() {
        let start = key(1).group().to_vec();
        let page = Bytes::from(write_page(&start, Position(7), entries().iter()));
        let opened = Page::open(&start, &page).unwrap();
        assert_eq!(opened.as_of, Position(7));
        assert_eq!(opened.entries().unwrap(), entries());
        let find = |key: &Key| Page::open(&start, &page).unwrap().find(key.as_bytes()).unwrap();
        for entry in entries() {
            assert_eq!(find(&entry.key), Some(entry.held));
        }
        assert_eq!(find(&key(3)), None);
    }

    /// If this fails, old tables no longer read: raise the version instead.
    #[test]
    fn the_bytes_of_a_page_stay_what_they_are() {
        let start = key(1).group().to_vec();
        let page = write_page(&start, Position(7), entries().iter());
        let hex: String = page.iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = concat!(
            "01070000000000000003000000",
            "0b000000010f000000010000",
            "020001030000006f6e65",
            "02000200000000",
            "02012c701101800900000000000000",
            "adbd4c02",
        );
        assert_eq!(hex, golden);
    }

    #[test]
    fn a_page_under_another_key_is_damaged() {
        let start = key(1).group().to_vec();
        let page = Bytes::from(write_page(&start, Position(7), entries().iter()));
        assert!(Page::open(key(1).as_bytes(), &page).is_err());
    }

    #[test]
    fn a_page_with_any_bit_changed_or_cut_off_is_damaged() {
        let start = key(1).group().to_vec();
        let page = write_page(&start, Position(7), entries().iter());
        for bit in 0..page.len() * 8 {
            let mut damaged = page.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Page::open(&start, &damaged.into()).is_err(), "bit {bit}");
        }
        for end in 0..page.len() {
            let cut = Bytes::copy_from_slice(&page[..end]);
            assert!(Page::open(&start, &cut).is_err(), "cut at {end}");
        }
    }
}
