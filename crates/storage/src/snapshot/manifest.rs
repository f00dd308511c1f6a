//! A manifest: what a snapshot is made of. Written last, so its presence means whole.
//!
//! ```text
//! magic "PWSM" | version u16 | message (piecework.storage.v1.Snapshot) | CRC32C of all before
//! ```
//!
//! Lies in `<position, 20 digits>.manifest`.
//!
//! Not here: whether the page files it names are there (`snapshots.rs`).

use bytes::Bytes;
use piecework_core::{EngineTime, Now, Position, WallTime};
use piecework_proto::storage::v1 as pb;
use prost::Message as _;

use crate::digest::RowsDigest;
use crate::journal::JournalId;
use crate::tables::Key;

use super::error::ManifestFault;
use super::page::{PageEntry, PageHash};

const MAGIC: [u8; 4] = *b"PWSM";
const VERSION: u16 = 1;
const MESSAGE_AT: usize = 6;
const CRC_BYTES: usize = 4;
const ENDING: &str = ".manifest";
const DIGITS: usize = 20;

/// All rows at a position, as a list of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) journal: JournalId,
    pub(super) position: Position,
    /// The logged times of the group that ends at `position`.
    pub(super) now: Now,
    /// In key order; none overlaps another.
    pub(super) pages: Vec<PageEntry>,
}

/// The name of the manifest of a position.
pub(super) fn file_of(position: Position) -> String {
    format!("{:0DIGITS$}{ENDING}", position.0)
}

/// The position in a manifest's name; `None`: the name of something else.
pub(super) fn position_of(file: &str) -> Option<Position> {
    let digits = file.strip_suffix(ENDING)?;
    let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok().map(Position)).flatten()
}

impl Manifest {
    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.pages.iter().map(|page| page.rows).sum()
    }

    /// The digest of all rows.
    pub(super) fn digest(&self) -> RowsDigest {
        digest_of(&self.pages)
    }

    /// The content of its file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let message = pb::Snapshot {
            journal: Bytes::copy_from_slice(&self.journal.0.to_le_bytes()),
            position: self.position.0,
            engine_ms: self.now.engine.0,
            wall_ms: self.now.wall.0,
            rows: self.rows(),
            digest: write_digest(self.digest()),
            pages: self.pages.iter().map(write_page).collect(),
        };
        let mut bytes = Vec::with_capacity(MESSAGE_AT + message.encoded_len() + CRC_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        message.encode(&mut bytes).expect("a vector takes what there is memory for");
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// What a file says. Any bytes may be given.
    ///
    /// # Errors
    /// It is no manifest, or contradicts itself.
    pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, ManifestFault> {
        let end = bytes.len().saturating_sub(CRC_BYTES);
        if end < MESSAGE_AT {
            return Err(ManifestFault::Short { bytes: bytes.len() });
        }
        let (content, sum) = bytes.split_at(end);
        let found = crc32c::crc32c(content);
        let expected = u32::from_le_bytes([sum[0], sum[1], sum[2], sum[3]]);
        if found != expected {
            return Err(ManifestFault::Checksum { found, expected });
        }
        if content[..4] != MAGIC {
            return Err(ManifestFault::Magic);
        }
        let version = u16::from_le_bytes([content[4], content[5]]);
        if version != VERSION {
            return Err(ManifestFault::Version { found: version, known: VERSION });
        }
        let message = pb::Snapshot::decode(&content[MESSAGE_AT..]);
        read(&message.map_err(ManifestFault::Message)?)
    }
}

/// The digest of the rows of some pages.
pub(super) fn digest_of(pages: &[PageEntry]) -> RowsDigest {
    let mut digest = RowsDigest::default();
    pages.iter().for_each(|page| digest.join(page.digest));
    digest
}

fn read(message: &pb::Snapshot) -> Result<Manifest, ManifestFault> {
    let pages = message.pages.iter().map(read_page).collect::<Result<Vec<_>, _>>()?;
    if !pages.is_sorted_by(|before, next| before.last < next.first) {
        return Err(ManifestFault::Field { field: "pages" });
    }
    // No sum of ours overflows: a page has more bytes than rows.
    let sum = |bytes: fn(&PageEntry) -> u64| {
        pages.iter().try_fold(0_u64, |sum, page| sum.checked_add(bytes(page)))
    };
    if sum(|page| page.raw_bytes).is_none() || sum(|page| page.stored_bytes).is_none() {
        return Err(ManifestFault::Field { field: "pages.bytes" });
    }
    let manifest = Manifest {
        journal: JournalId(u128::from_le_bytes(array("journal", &message.journal)?)),
        position: Position(message.position),
        now: Now { engine: EngineTime(message.engine_ms), wall: WallTime(message.wall_ms) },
        pages,
    };
    if manifest.rows() != message.rows {
        return Err(ManifestFault::Field { field: "rows" });
    }
    if manifest.digest() != read_digest("digest", &message.digest)? {
        return Err(ManifestFault::Field { field: "digest" });
    }
    Ok(manifest)
}

fn write_page(page: &PageEntry) -> pb::SnapshotPage {
    pb::SnapshotPage {
        hash: Bytes::copy_from_slice(&page.hash.0),
        first: Bytes::copy_from_slice(page.first.as_bytes()),
        last: Bytes::copy_from_slice(page.last.as_bytes()),
        rows: page.rows,
        raw_bytes: page.raw_bytes,
        stored_bytes: page.stored_bytes,
        digest: write_digest(page.digest),
    }
}

fn read_page(page: &pb::SnapshotPage) -> Result<PageEntry, ManifestFault> {
    let key = |bytes: &Bytes| Key::from_bytes(bytes).map_err(ManifestFault::Key);
    let (first, last) = (key(&page.first)?, key(&page.last)?);
    if page.rows == 0 || page.rows > page.raw_bytes || first > last {
        return Err(ManifestFault::Field { field: "pages.rows" });
    }
    Ok(PageEntry {
        hash: PageHash(array("pages.hash", &page.hash)?),
        first,
        last,
        rows: page.rows,
        raw_bytes: page.raw_bytes,
        stored_bytes: page.stored_bytes,
        digest: read_digest("pages.digest", &page.digest)?,
    })
}

fn write_digest(digest: RowsDigest) -> Bytes {
    Bytes::copy_from_slice(&digest.to_bytes())
}

fn read_digest(field: &'static str, bytes: &[u8]) -> Result<RowsDigest, ManifestFault> {
    array(field, bytes).map(RowsDigest::from_bytes)
}

fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], ManifestFault> {
    bytes.try_into().map_err(|_| ManifestFault::Field { field })
}

#[cfg(test)]
mod tests {
    use piecework_core::{ProjectId, TenantId};

    use super::*;
    use crate::snapshot::page::encode;
    use crate::tables::RowId;

    fn manifest() -> Manifest {
        let row = |n| (Key::new(TenantId(1), RowId::Sweep(ProjectId(n))), Bytes::from(vec![7; 9]));
        Manifest {
            journal: JournalId(0x0f0e),
            position: Position(1_200),
            now: Now { engine: EngineTime(5), wall: WallTime(6) },
            pages: vec![encode(&[row(1), row(2)]).0, encode(&[row(5)]).0],
        }
    }

    #[test]
    fn a_manifest_comes_back_and_every_flipped_bit_is_noticed() {
        let bytes = manifest().encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&damaged).is_err(), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_later_version_is_named_as_such() {
        let mut bytes = manifest().encode();
        bytes[4] = 2;
        let end = bytes.len() - CRC_BYTES;
        let sum = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        let refused = Manifest::decode(&bytes);
        assert_eq!(refused, Err(ManifestFault::Version { found: 2, known: 1 }));
    }

    #[test]
    fn pages_out_of_order_are_refused() {
        let mut wrong = manifest();
        wrong.pages.reverse();
        assert_eq!(Manifest::decode(&wrong.encode()), Err(ManifestFault::Field { field: "pages" }));
    }

    #[test]
    fn sizes_without_measure_are_refused() {
        let mut wrong = manifest();
        (wrong.pages[0].rows, wrong.pages[0].raw_bytes) = (0, u64::MAX);
        let refused = Manifest::decode(&wrong.encode());
        assert_eq!(refused, Err(ManifestFault::Field { field: "pages.rows" }));
        wrong.pages[0].rows = 1;
        let refused = Manifest::decode(&wrong.encode());
        assert_eq!(refused, Err(ManifestFault::Field { field: "pages.bytes" }));
    }

    #[test]
    fn names_and_positions_go_both_ways() {
        assert_eq!(file_of(Position(7)), "00000000000000000007.manifest");
        assert_eq!(position_of(&file_of(Position(u64::MAX))), Some(Position(u64::MAX)));
        for other in ["7.manifest", "+0000000000000000007.manifest", "00000000000000000007.rows"] {
            assert_eq!(position_of(other), None, "{other}");
        }
    }
}
