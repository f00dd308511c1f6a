//! Where a page lies, and how it lies there.
//!
//! ```text
//! in the store   kind 2 u8 | file u32 | offset u32 | length u32 | checksum u32
//! in the file    length u32 | length of the key u8 | key | page
//! ```
//!
//! The offset is that of the page itself. A page begins with 1, its version, so it is told
//! from a place by its first byte: earlier releases kept pages in the store.

use bytes::Bytes;

use super::error::Damage;
use crate::tables::values::{checked, sealed};

const PLACE: u8 = 2;
const PLACE_BYTES: usize = 1 + 3 * 4;
/// Of a record, before its key.
const HEAD_BYTES: usize = 4 + 1;

/// Where a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) offset: u32,
    pub(super) bytes: u32,
}

impl Place {
    /// What the store says of `key`; `None`: the value is the page itself.
    pub(super) fn read(key: &[u8], value: &Bytes) -> Result<Option<Place>, Damage> {
        if value.first() != Some(&PLACE) {
            return Ok(None);
        }
        let place = checked(key, value).map_err(Damage::Place)?;
        let whole = <&[u8; PLACE_BYTES]>::try_from(&place[..]).map_err(|_| Damage::PlaceLength)?;
        let (numbers, _) = whole[1..].as_chunks::<4>();
        let [file, offset, bytes] = [0, 1, 2].map(|at| u32::from_le_bytes(numbers[at]));
        Ok(Some(Place { file, offset, bytes }))
    }

    /// What the store is to say of `key`.
    pub(super) fn write(self, key: &[u8]) -> Vec<u8> {
        let numbers = [self.file, self.offset, self.bytes].map(u32::to_le_bytes);
        sealed(key, [&[PLACE][..], numbers.as_flattened()].concat())
    }
}

/// A page as it lies in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) page: &'a [u8],
    /// Where the page begins, in the bytes that were read.
    pub(super) at: usize,
}

impl Record<'_> {
    /// Puts a page behind others. Returns where it begins.
    pub(super) fn push(room: &mut Vec<u8>, key: &[u8], page: &[u8]) -> usize {
        let bytes = u32::try_from(page.len()).expect("a page is far below 4 GiB");
        room.extend_from_slice(&bytes.to_le_bytes());
        room.push(u8::try_from(key.len()).expect("keys are short"));
        room.extend_from_slice(key);
        room.extend_from_slice(page);
        room.len() - page.len()
    }
}

/// The records that lie whole in `bytes`, front to back.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    /// Where the next one begins.
    pub(super) at: usize,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Records<'a> {
        Records { bytes, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let rest = &self.bytes[self.at..];
        let page = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        let key_end = HEAD_BYTES + usize::from(*rest.get(HEAD_BYTES - 1)?);
        let (key, page) = (rest.get(HEAD_BYTES..key_end)?, rest.get(key_end..key_end + page)?);
        let at = self.at + key_end;
        self.at = at + page.len();
        Some(Record { key, page, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_not_under_another_key() {
        let place = Place { file: 3, offset: 70_000, bytes: 4_096 };
        let value = Bytes::from(place.write(b"pkey"));
        assert_eq!(Place::read(b"pkey", &value).unwrap(), Some(place));
        assert!(Place::read(b"pkez", &value).is_err());
        let short = Bytes::from(sealed(b"pkey", vec![PLACE; PLACE_BYTES - 1]));
        assert!(Place::read(b"pkey", &short).is_err());
        assert_eq!(Place::read(b"pkey", &Bytes::from_static(b"\x01a page")).unwrap(), None);
    }

    #[test]
    fn records_are_gone_through_as_far_as_they_are_whole() {
        let mut room = Vec::new();
        let first = Record::push(&mut room, b"pa", b"one");
        let second = Record::push(&mut room, b"pb", b"");
        let whole = room.len();
        let mut records = Records::new(&room);
        assert_eq!(records.next(), Some(Record { key: b"pa", page: b"one", at: first }));
        assert_eq!(records.next(), Some(Record { key: b"pb", page: b"", at: second }));
        assert_eq!((records.next(), records.at), (None, whole));
        for end in 0..whole {
            let mut records = Records::new(&room[..end]);
            let count = records.by_ref().count();
            assert!(count < 2 && records.at <= end, "{end}: {count} records");
        }
    }
}
