//! A page file: some rows that follow each other, compressed, never changed.
//!
//! ```text
//!  0 magic "PWSR"       8 raw bytes u64      24 CRC32C of all the rest
//!  4 version u16       16 rows u64           28 rows, compressed (LZ4 block)
//!  6 compression u16
//! ```
//!
//! A row is its key (length u8, bytes) and its value (length u32, bytes) as in
//! the journal, checksum included. All numbers little-endian.
//!
//! A page's name is the hash of the file, and the manifest that names it says
//! whose rows they are. It carries no journal id itself: so snapshots of a
//! journal and of one restored from it share pages byte for byte.
//!
//! Not here: where the file lies (`files.rs`).

use std::fmt;

use bytes::Bytes;

use crate::digest::RowsDigest;
use crate::tables::{Key, checked};

use super::error::PageFault;

const MAGIC: [u8; 4] = *b"PWSR";
const VERSION: u16 = 1;
const LZ4_BLOCK: u16 = 1;
const CRC_AT: usize = 24;
pub(super) const HEADER_BYTES: usize = 28;
/// LZ4 makes at most this many bytes of one.
const EXPANSION_MAX: u64 = 255;
/// What a row takes besides key and value.
const ROW_BYTES: usize = 5;

/// A row as it lies in a snapshot.
pub(super) type SnapshotRow = (Key, Bytes);

/// BLAKE3 of a page file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PageHash(pub(super) [u8; 32]);

impl PageHash {
    pub(super) fn of(file: &[u8]) -> PageHash {
        PageHash(*blake3::hash(file).as_bytes())
    }

    /// The name of the file.
    pub(super) fn file(self) -> String {
        format!("{self}.rows")
    }
}

impl fmt::Display for PageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a manifest says of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageEntry {
    pub(super) hash: PageHash,
    pub(super) first: Key,
    pub(super) last: Key,
    /// At least one.
    pub(super) rows: u64,
    pub(super) raw_bytes: u64,
    pub(super) stored_bytes: u64,
    pub(super) digest: RowsDigest,
}

/// How closely a page is looked at. Its hash and its names always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// No more than these.
    Names,
    /// Every value too: enough for a page that was made just now from rows whose digest
    /// was taken.
    Values,
    /// The digest too.
    All,
}

/// Bytes that a row takes before compression.
pub(super) fn raw_bytes(row: &SnapshotRow) -> usize {
    ROW_BYTES + row.0.as_bytes().len() + row.1.len()
}

/// The file of these rows, at least one, in key order. Cost: one pass of LZ4
/// and two of BLAKE3.
pub(super) fn encode(rows: &[SnapshotRow]) -> (PageEntry, Vec<u8>) {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else {
        unreachable!("a page has a row");
    };
    let mut raw = Vec::with_capacity(rows.iter().map(raw_bytes).sum());
    for (key, value) in rows {
        let bytes = key.as_bytes();
        raw.push(u8::try_from(bytes.len()).expect("the longest name has 128 characters"));
        raw.extend_from_slice(bytes);
        let length = u32::try_from(value.len()).expect("values are far below 4 GiB");
        raw.extend_from_slice(&length.to_le_bytes());
        raw.extend_from_slice(value);
    }
    let packed = lz4_flex::block::compress(&raw);
    let mut file = Vec::with_capacity(HEADER_BYTES + packed.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&LZ4_BLOCK.to_le_bytes());
    file.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    file.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&file), &packed);
    file.extend_from_slice(&sum.to_le_bytes());
    file.extend_from_slice(&packed);
    let entry = PageEntry {
        hash: PageHash::of(&file),
        first: first.clone(),
        last: last.clone(),
        rows: rows.len() as u64,
        raw_bytes: raw.len() as u64,
        stored_bytes: file.len() as u64,
        digest: digest_of(rows),
    };
    (entry, file)
}

/// The rows of a file, in key order. Any bytes may be given; memory stays
/// within a fixed multiple of them.
pub(super) fn decode(file: &[u8]) -> Result<Vec<SnapshotRow>, PageFault> {
    let Some((header, packed)) = file.split_at_checked(HEADER_BYTES) else {
        let (found, expected) = (file.len() as u64, HEADER_BYTES as u64);
        return Err(PageFault::Length { found, expected });
    };
    if header[..4] != MAGIC {
        return Err(PageFault::Magic);
    }
    let found = sum(file);
    let expected = u32::from_le_bytes(at(header, CRC_AT));
    if found != expected {
        return Err(PageFault::Checksum { found, expected });
    }
    let version = u16::from_le_bytes(at(header, 4));
    if version != VERSION {
        return Err(PageFault::Version { found: version, known: VERSION });
    }
    let (raw_bytes, rows) = (u64::from_le_bytes(at(header, 8)), u64::from_le_bytes(at(header, 16)));
    let compression = u16::from_le_bytes(at(header, 6));
    if compression != LZ4_BLOCK || raw_bytes > packed.len() as u64 * EXPANSION_MAX {
        return Err(PageFault::Compression);
    }
    let capacity = usize::try_from(raw_bytes).map_err(|_| PageFault::Compression)?;
    let raw = lz4_flex::block::decompress(packed, capacity).map_err(|_| PageFault::Compression)?;
    if raw.len() != capacity {
        return Err(PageFault::Length { found: raw.len() as u64, expected: raw_bytes });
    }
    unpack(&raw.into(), rows)
}

/// The checksum of a file with a whole header: of everything but itself.
pub(super) fn sum(file: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&file[..CRC_AT]), &file[HEADER_BYTES..])
}

fn unpack(raw: &Bytes, count: u64) -> Result<Vec<SnapshotRow>, PageFault> {
    let mut rows: Vec<SnapshotRow> = Vec::new();
    let mut from = 0;
    for row in 0..count {
        let mut take = |bytes: usize| {
            let taken = raw.get(from..from + bytes).map(|_| raw.slice(from..from + bytes));
            from += bytes;
            taken.ok_or(PageFault::Short { row })
        };
        let length = usize::from(take(1)?[0]);
        let key = take(length)?;
        let length = u32::from_le_bytes(at(&take(4)?, 0)) as usize;
        let value = take(length)?;
        let key = Key::from_bytes(&key).map_err(|source| PageFault::Key { row, source })?;
        if rows.last().is_some_and(|(before, _)| *before >= key) {
            return Err(PageFault::Order { key });
        }
        rows.push((key, value));
    }
    if from != raw.len() {
        return Err(PageFault::Short { row: count });
    }
    Ok(rows)
}

impl PageEntry {
    /// The rows of its file, which has exactly the bytes that were written.
    ///
    /// # Errors
    /// It has not, or they are not what the manifest says of them.
    fn read(&self, file: &[u8]) -> Result<Vec<SnapshotRow>, PageFault> {
        let found = file.len() as u64;
        if found != self.stored_bytes {
            return Err(PageFault::Length { found, expected: self.stored_bytes });
        }
        if PageHash::of(file) != self.hash {
            return Err(PageFault::Hash);
        }
        let rows = decode(file)?;
        let unlike = |what| Err(PageFault::Unlike { what });
        if rows.len() as u64 != self.rows {
            return unlike("number of rows");
        }
        if rows.iter().map(raw_bytes).sum::<usize>() as u64 != self.raw_bytes {
            return unlike("number of bytes");
        }
        if rows.first().map(|(key, _)| key) != Some(&self.first) {
            return unlike("first key");
        }
        if rows.last().map(|(key, _)| key) != Some(&self.last) {
            return unlike("last key");
        }
        Ok(rows)
    }

    /// Like [`PageEntry::read`], and as much more as `look` says.
    ///
    /// # Errors
    /// As there; or a value is not what the writer of its row wrote.
    pub(super) fn read_as(&self, file: &[u8], look: Look) -> Result<Vec<SnapshotRow>, PageFault> {
        let rows = self.read(file)?;
        if look == Look::Names {
            return Ok(rows);
        }
        for (key, value) in &rows {
            checked(key.as_bytes(), value)
                .map_err(|source| PageFault::Value { key: key.clone(), source })?;
        }
        if look == Look::All && digest_of(&rows) != self.digest {
            return Err(PageFault::Unlike { what: "digest" });
        }
        Ok(rows)
    }
}

fn digest_of(rows: &[SnapshotRow]) -> RowsDigest {
    let mut digest = RowsDigest::default();
    rows.iter().for_each(|(key, value)| digest.add(key.as_bytes(), value));
    digest
}

fn at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[from..from + N]);
    array
}

#[cfg(test)]
mod tests {
    use piecework_core::{ProjectId, TenantId};

    use super::*;
    use crate::tables::RowId;

    fn rows(count: u32) -> Vec<SnapshotRow> {
        let key = |n| Key::new(TenantId(1), RowId::Sweep(ProjectId(n)));
        (0..count).map(|n| (key(n), Bytes::from(vec![7; n as usize]))).collect()
    }

    #[test]
    fn a_page_comes_back() {
        let (entry, file) = encode(&rows(40));
        assert_eq!(entry.read_as(&file, Look::Names), Ok(rows(40)));
    }

    /// Another release of the compression may write other bytes; these must stay readable.
    #[test]
    fn a_page_of_the_first_release_is_read_for_ever() {
        let golden = "50575352010001002d00000000000000030000000000000003aefe4f\
                      7309000000010e000100050e00650101000000070f007002020000000707";
        let byte = |at: usize| u8::from_str_radix(&golden[at..at + 2], 16).expect("hexadecimal");
        let file: Vec<u8> = (0..golden.len()).step_by(2).map(byte).collect();
        assert_eq!(decode(&file), Ok(rows(3)));
    }

    #[test]
    fn every_flipped_bit_is_noticed_with_and_without_a_manifest() {
        let (entry, file) = encode(&rows(40));
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(entry.read(&damaged), Err(PageFault::Hash), "bit {bit}");
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for end in 0..file.len() {
            assert!(decode(&file[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_header_that_promises_too_much_is_refused_before_memory_is_taken() {
        let (_, mut file) = encode(&rows(1));
        file[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        let sum = sum(&file);
        file[CRC_AT..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(decode(&file), Err(PageFault::Compression));
    }

    #[test]
    fn a_page_under_another_entry_is_refused() {
        let (entry, _) = encode(&rows(3));
        let (mut other, file) = encode(&rows(4));
        assert_eq!(
            entry.read_as(&file, Look::Names),
            Err(PageFault::Length { found: file.len() as u64, expected: entry.stored_bytes })
        );
        other.rows = 3;
        assert_eq!(
            other.read_as(&file, Look::Names),
            Err(PageFault::Unlike { what: "number of rows" })
        );
    }

    #[test]
    fn a_value_without_its_checksum_is_found_by_a_full_reading() {
        let (entry, file) = encode(&rows(1));
        assert!(matches!(entry.read_as(&file, Look::All), Err(PageFault::Value { .. })));
    }
}
