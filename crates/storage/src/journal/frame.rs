//! One frame: how a group or a marker lies on disk.
//!
//! Starts on a 4 KiB boundary and fills whole blocks, so that no two frames
//! share one. Little-endian:
//!
//! ```text
//!  0 magic "PWJF"     16 first position        56 journal id (16)
//!  4 version u16      24 epoch                 72 hash of the previous group (16)
//!  6 kind u16         32 engine time, ms       88 CRC32C of body and padding
//!  8 body bytes u32   40 wall time, ms         92 CRC32C of bytes 0 to 91
//! 12 count u32        48 known synced up to    96 body, then zeros to the block's end
//! ```
//!
//! The hash covers bytes 0 to 47, 56 to 87 and the body. It leaves out what is
//! only known when the frame goes to disk (`synced`), so that heads can be
//! predicted. Markers are not part of the chain: they name the last group's
//! hash and nobody names theirs.
//!
//! Not here: where a frame lies.

use piecework_core::planted::{self, Mistake};
use piecework_core::{EngineTime, Now, Position, WallTime};

use super::{Epoch, FrameHash, Group, JournalId};

/// Frames start and end on multiples of this.
pub(crate) const BLOCK: usize = 4096;
/// The same, where it counts bytes of a file.
pub(crate) const BLOCK_BYTES: u64 = BLOCK as u64;
/// What comes before the body.
pub(crate) const HEADER_BYTES: usize = 96;
/// The largest body; a turn's group is some MiB at most.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 30;

const MAGIC: [u8; 4] = *b"PWJF";
const VERSION: u16 = 1;
const KIND_GROUP: u16 = 1;
const KIND_MARKER: u16 = 2;
const SYNCED_AT: usize = 48;
const JOURNAL_AT: usize = 56;
const BODY_CRC_AT: usize = 88;
const HEADER_CRC_AT: usize = 92;

/// Why some bytes are not a frame of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Prepared space.
    #[error("nothing was written here")]
    Empty,
    /// The file ends first.
    #[error("the file ends inside the frame")]
    Short,
    /// Not a frame at all.
    #[error("no frame starts here")]
    Magic,
    /// Bytes of the header changed.
    #[error("the frame header has checksum {found:08x}, expected {expected:08x}")]
    Header {
        /// Computed from the bytes.
        found: u32,
        /// Stored with them.
        expected: u32,
    },
    /// Another program's frame, or a later one of ours.
    #[error("the frame has version {found}, known is {known}")]
    Version {
        /// In the frame.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// Whole, but makes no sense.
    #[error("the frame header contradicts itself")]
    Meaning,
    /// Another journal's frame.
    #[error("the frame belongs to journal {found}")]
    Foreign {
        /// The journal it names.
        found: JournalId,
    },
    /// Bytes of the body changed.
    #[error("the frame body has checksum {found:08x}, expected {expected:08x}")]
    Body {
        /// Computed from the bytes.
        found: u32,
        /// Stored in the header.
        expected: u32,
    },
}

/// Group or marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Group,
    Marker,
}

/// Everything about a frame but its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) body_bytes: u32,
    /// Zero in a marker.
    pub(crate) count: u32,
    /// In a marker: the position that the next group will have.
    pub(crate) first: Position,
    pub(crate) epoch: Epoch,
    pub(crate) now: Now,
    /// All of this was synced before the frame was written.
    pub(crate) synced: Position,
    pub(crate) journal: JournalId,
    pub(crate) previous: FrameHash,
    body_crc: u32,
}

/// A frame ready for disk but for its `synced` field.
#[derive(Debug)]
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    /// What the next group must name as its previous hash.
    pub(crate) hash: FrameHash,
}

/// Who writes, after what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author {
    pub(crate) journal: JournalId,
    pub(crate) epoch: Epoch,
    pub(crate) previous: FrameHash,
}

/// A group's frame. Cost: one copy, one CRC32C and one blake3 pass over the body.
pub(crate) fn encode_group(author: Author, group: &Group) -> Encoded {
    let body = &group.body;
    assert!(body.len() <= BODY_BYTES_MAX, "a body of {} bytes", body.len());
    let header = Header {
        kind: Kind::Group,
        body_bytes: u32::try_from(body.len()).expect("BODY_BYTES_MAX fits"),
        count: group.count,
        first: group.first,
        epoch: author.epoch,
        now: group.now,
        synced: Position(0),
        journal: author.journal,
        previous: author.previous,
        body_crc: 0,
    };
    Encoded { bytes: lay_out(&header, body), hash: header.hash(body) }
}

/// A marker's frame; `next` is the position that the next group will have.
pub(crate) fn encode_marker(author: Author, next: Position) -> Encoded {
    let header = Header {
        kind: Kind::Marker,
        body_bytes: 0,
        count: 0,
        first: next,
        epoch: author.epoch,
        now: Now::default(),
        synced: Position(0),
        journal: author.journal,
        previous: author.previous,
        body_crc: 0,
    };
    Encoded { bytes: lay_out(&header, &[]), hash: author.previous }
}

impl Encoded {
    /// Bytes it takes on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Writes in what is known to be synced just before the frame goes to
    /// disk, and returns the whole frame.
    pub(crate) fn stamp(&mut self, synced: Position) -> &[u8] {
        put(&mut self.bytes, SYNCED_AT, &synced.0.to_le_bytes());
        let crc = crc32c::crc32c(&self.bytes[..HEADER_CRC_AT]);
        put(&mut self.bytes, HEADER_CRC_AT, &crc.to_le_bytes());
        &self.bytes
    }
}

impl Header {
    /// The header at the start of `bytes`, when it is one of `journal`'s.
    pub(crate) fn decode(bytes: &[u8], journal: JournalId) -> Result<Header, FrameFault> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(FrameFault::Short);
        };
        if bytes.iter().all(|b| *b == 0) {
            return Err(FrameFault::Empty);
        }
        if bytes[..4] != MAGIC {
            return Err(FrameFault::Magic);
        }
        let expected = u32_at(bytes, HEADER_CRC_AT);
        let found = crc32c::crc32c(&bytes[..HEADER_CRC_AT]);
        if found != expected {
            return Err(FrameFault::Header { found, expected });
        }
        let version = u16_at(bytes, 4);
        if version != VERSION {
            return Err(FrameFault::Version { found: version, known: VERSION });
        }
        let owner = JournalId(u128_at(bytes, JOURNAL_AT));
        if owner != journal {
            return Err(FrameFault::Foreign { found: owner });
        }
        let header = Header {
            kind: match u16_at(bytes, 6) {
                KIND_GROUP => Kind::Group,
                KIND_MARKER => Kind::Marker,
                _ => return Err(FrameFault::Meaning),
            },
            body_bytes: u32_at(bytes, 8),
            count: u32_at(bytes, 12),
            first: Position(u64_at(bytes, 16)),
            epoch: Epoch(u64_at(bytes, 24)),
            now: Now { engine: EngineTime(u64_at(bytes, 32)), wall: WallTime(u64_at(bytes, 40)) },
            synced: Position(u64_at(bytes, SYNCED_AT)),
            journal: owner,
            previous: FrameHash(u128_at(bytes, 72)),
            body_crc: u32_at(bytes, BODY_CRC_AT),
        };
        if header.makes_sense() { Ok(header) } else { Err(FrameFault::Meaning) }
    }

    /// Checks everything behind the header: `rest` is the body and its padding.
    pub(crate) fn check_rest(&self, rest: &[u8]) -> Result<(), FrameFault> {
        let found = crc32c::crc32c(rest);
        if found == self.body_crc || planted::is(Mistake::TornAccepted) {
            Ok(())
        } else {
            Err(FrameFault::Body { found, expected: self.body_crc })
        }
    }

    /// Bytes the whole frame takes on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        disk_bytes(self.body_bytes as usize)
    }

    /// The last position of a group's frame; for a marker the one before its first.
    pub(crate) fn last(&self) -> Position {
        Position(self.first.0 + u64::from(self.count) - 1)
    }

    /// The hash that the next group names.
    pub(crate) fn hash(&self, body: &[u8]) -> FrameHash {
        let bytes = self.bytes();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes[..SYNCED_AT]);
        hasher.update(&bytes[JOURNAL_AT..BODY_CRC_AT]);
        hasher.update(body);
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        FrameHash(u128::from_le_bytes(short))
    }

    /// `first` is never zero and nothing overflows, so that callers may compute.
    fn makes_sense(&self) -> bool {
        let counted = match self.kind {
            Kind::Group => self.count >= 1,
            Kind::Marker => self.count == 0 && self.body_bytes == 0,
        };
        counted
            && self.body_bytes as usize <= BODY_BYTES_MAX
            && self.first >= Position(1)
            && self.first.0.checked_add(u64::from(self.count)).is_some()
            && self.synced < self.first
    }

    fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let kind = match self.kind {
            Kind::Group => KIND_GROUP,
            Kind::Marker => KIND_MARKER,
        };
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 4, &VERSION.to_le_bytes());
        put(&mut bytes, 6, &kind.to_le_bytes());
        put(&mut bytes, 8, &self.body_bytes.to_le_bytes());
        put(&mut bytes, 12, &self.count.to_le_bytes());
        put(&mut bytes, 16, &self.first.0.to_le_bytes());
        put(&mut bytes, 24, &self.epoch.0.to_le_bytes());
        put(&mut bytes, 32, &self.now.engine.0.to_le_bytes());
        put(&mut bytes, 40, &self.now.wall.0.to_le_bytes());
        put(&mut bytes, SYNCED_AT, &self.synced.0.to_le_bytes());
        put(&mut bytes, JOURNAL_AT, &self.journal.0.to_le_bytes());
        put(&mut bytes, 72, &self.previous.0.to_le_bytes());
        bytes
    }
}

/// Bytes a frame with a body of `body_bytes` takes on disk.
fn disk_bytes(body_bytes: usize) -> u64 {
    ((HEADER_BYTES + body_bytes) as u64).next_multiple_of(BLOCK_BYTES)
}

/// The whole frame, all but `synced` and the header's checksum.
fn lay_out(header: &Header, body: &[u8]) -> Vec<u8> {
    let whole = usize::try_from(disk_bytes(body.len())).expect("a frame fits in memory");
    let mut bytes = Vec::with_capacity(whole);
    bytes.extend_from_slice(&header.bytes());
    bytes.extend_from_slice(body);
    bytes.resize(whole, 0);
    let body_crc = crc32c::crc32c(&bytes[HEADER_BYTES..]);
    put(&mut bytes, BODY_CRC_AT, &body_crc.to_le_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has N bytes")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use bytes::Bytes;

    use super::*;

    const OURS: JournalId = JournalId(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);

    fn author() -> Author {
        Author { journal: OURS, epoch: Epoch(3), previous: FrameHash(0xabcd) }
    }

    fn group(first: u64, body: &[u8]) -> Group {
        Group {
            first: Position(first),
            count: 2,
            now: Now { engine: EngineTime(1_000), wall: WallTime(2_000) },
            body: Bytes::copy_from_slice(body),
        }
    }

    /// The frame in `bytes`, as a reader would take it.
    fn decode(bytes: &[u8]) -> Result<(Header, &[u8]), FrameFault> {
        let header = Header::decode(bytes, OURS)?;
        let whole = usize::try_from(header.disk_bytes()).expect("small");
        let rest = bytes.get(HEADER_BYTES..whole).ok_or(FrameFault::Short)?;
        header.check_rest(rest)?;
        Ok((header, &rest[..header.body_bytes as usize]))
    }

    proptest! {
        #[test]
        fn a_group_comes_back_as_it_was(
            first in 1..u64::MAX / 2, count in 1..u32::MAX, engine: u64, wall: u64,
            body in prop::collection::vec(any::<u8>(), 0..9_000),
        ) {
            let now = Now { engine: EngineTime(engine), wall: WallTime(wall) };
            let group = Group { first: Position(first), count, now, body: body.into() };
            let mut encoded = encode_group(author(), &group);
            let hash = encoded.hash;
            let bytes = encoded.stamp(Position(first - 1));
            prop_assert_eq!(bytes.len() as u64 % BLOCK_BYTES, 0);
            let (header, body) = decode(bytes).expect("whole");
            prop_assert_eq!(header.hash(body), hash);
            prop_assert_eq!(header.synced, Position(first - 1));
            prop_assert_eq!(header.epoch, Epoch(3));
            prop_assert_eq!(header.previous, FrameHash(0xabcd));
            prop_assert_eq!(header.last(), group.last());
            let body = Bytes::copy_from_slice(body);
            let back = Group { first: header.first, count: header.count, now: header.now, body };
            prop_assert_eq!(back, group);
        }
    }

    #[test]
    fn a_frame_has_these_bytes_for_ever() {
        let mut encoded = encode_group(author(), &group(7, b"body"));
        assert_eq!(encoded.hash.to_string(), "0b563b95dac1fd4b270295b05cb3b777");
        let bytes = encoded.stamp(Position(6));
        let hex: String = bytes[..104].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "50574a4601000100040000000200000007000000000000000300000000000000e803000000000000d0070000000000000600000000000000000102030405060708090a0b0c0d0e0fcdab0000000000000000000000000000cdf34a255c177845626f647900000000"
        );
        assert!(bytes[104..].iter().all(|b| *b == 0));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let mut marker = encode_marker(author(), Position(9));
        let mut small = encode_group(author(), &group(7, b"body"));
        let mut large = encode_group(author(), &group(7, &[5; 6_000]));
        for frame in [&mut marker, &mut small, &mut large] {
            let bytes = frame.stamp(Position(6)).to_vec();
            assert!(decode(&bytes).is_ok());
            for at in 0..bytes.len() {
                for flip in [0x01, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    assert!(decode(&damaged).is_err(), "byte {at} changed by {flip:#x}");
                }
            }
        }
    }

    #[test]
    fn every_truncated_frame_is_noticed() {
        let mut frame = encode_group(author(), &group(7, &[5; 6_000]));
        let bytes = frame.stamp(Position(6)).to_vec();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn the_hash_ignores_when_the_frame_was_synced_and_sees_everything_else() {
        let mut one = encode_group(author(), &group(7, b"body"));
        let (early, _) = decode(one.stamp(Position(1))).expect("whole");
        assert_eq!(early.hash(b"body"), one.hash);
        assert_ne!(encode_group(author(), &group(8, b"body")).hash, one.hash);
        assert_ne!(encode_group(author(), &group(7, b"Body")).hash, one.hash);
        let other = Author { previous: FrameHash(1), ..author() };
        assert_ne!(encode_group(other, &group(7, b"body")).hash, one.hash);
    }

    #[test]
    fn another_journals_frame_is_foreign() {
        let theirs = Author { journal: JournalId(1), ..author() };
        let mut frame = encode_group(theirs, &group(7, b"body"));
        let fault = decode(frame.stamp(Position(6))).expect_err("not ours");
        assert_eq!(fault, FrameFault::Foreign { found: JournalId(1) });
    }
}
