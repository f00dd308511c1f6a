//! Which files make up the journal, and who may write them now.
//!
//! A small text, replaced as a whole (write, sync, rename, sync directory), so
//! that an operator can read it:
//!
//! ```text
//! piecework journal claim 1
//! journal 0f0e0d0c0b0a09080706050403020100
//! epoch 7
//! synced 1200
//! oldest 1001 after 9c0a0000000000000000000000000000
//! segment 3 until 40960
//! segment 5
//! spare 6
//! crc32c 1a2b3c4d
//! ```
//!
//! Segments are in chain order. `until` was set by a recovery: what follows in
//! that file is no longer part of the journal. A spare's content means nothing.
//!
//! Invariant: a segment is listed here, durably, before the first frame is
//! written to it, and a file is reused only after a claim without it is durable.

use std::fmt::Write as _;
use std::io;
use std::str::FromStr;

use piecework_core::Position;

use crate::journal::{Epoch, FrameHash, JournalId};

use super::disk::{Disk, DiskFile};

/// The claim's file name.
pub(super) const CLAIM: &str = "claim";
/// Where the next one is written; means nothing until renamed.
const CLAIM_NEW: &str = "claim.new";

const TITLE: &str = "piecework journal claim 1";

/// One segment, as the claim knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) number: u64,
    /// Nothing from this byte on counts.
    pub(super) until: Option<u64>,
}

/// The claim's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) journal: JournalId,
    pub(super) epoch: Epoch,
    /// Everything up to here was durable when the claim was written.
    pub(super) synced: Position,
    /// The first position that the segments hold.
    pub(super) oldest: Position,
    /// The head before it.
    pub(super) after: FrameHash,
    pub(super) segments: Vec<Listed>,
    pub(super) spares: Vec<u64>,
}

impl Claim {
    /// The claim before the first: no epoch, no segment.
    pub(super) fn first(journal: JournalId) -> Claim {
        Claim {
            journal,
            epoch: Epoch(0),
            synced: Position(0),
            oldest: Position(1),
            after: FrameHash::default(),
            segments: Vec::new(),
            spares: Vec::new(),
        }
    }

    /// Whether a file of this name is a claim that was never finished.
    pub(super) fn is_unfinished(name: &str) -> bool {
        name == CLAIM_NEW
    }

    /// Makes this the claim of the journal on `disk`, durably.
    ///
    /// # Errors
    /// The old claim stays, or the new one has taken its place; never neither.
    pub(super) fn store<D: Disk>(&self, disk: &D) -> io::Result<()> {
        let file = disk.create(CLAIM_NEW)?;
        file.write_at(self.text().as_bytes(), 0)?;
        file.sync_data()?;
        disk.rename(CLAIM_NEW, CLAIM)?;
        disk.sync_directory()
    }

    /// The claim's bytes read back; `None` when they are not exactly a claim.
    pub(super) fn parse(bytes: &[u8]) -> Option<Claim> {
        let text = str::from_utf8(bytes).ok()?;
        let (content, _) = text.split_at_checked(text.rfind("crc32c ")?)?;
        let mut lines = content.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let mut claim = Claim::first(JournalId(0));
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["journal", id] => claim.journal = JournalId(hex(id)?),
                ["epoch", number] => claim.epoch = Epoch(decimal(number)?),
                ["synced", position] => claim.synced = Position(decimal(position)?),
                ["oldest", position, "after", hash] => {
                    claim.oldest = Position(decimal(position)?);
                    claim.after = FrameHash(hex(hash)?);
                }
                ["segment", number] => {
                    claim.segments.push(Listed { number: decimal(number)?, until: None });
                }
                ["segment", number, "until", offset] => {
                    let until = Some(decimal(offset)?);
                    claim.segments.push(Listed { number: decimal(number)?, until });
                }
                ["spare", number] => claim.spares.push(decimal(number)?),
                _ => return None,
            }
        }
        // The text is a function of the content, so this also checks the
        // checksum, every space and every line that was left out.
        (claim.text() == text && claim.oldest >= Position(1)).then_some(claim)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{TITLE}\njournal {}\nepoch {}\nsynced {}\noldest {} after {}\n",
            self.journal, self.epoch, self.synced, self.oldest, self.after
        );
        for Listed { number, until } in &self.segments {
            match until {
                Some(until) => writeln!(text, "segment {number} until {until}"),
                None => writeln!(text, "segment {number}"),
            }
            .expect("writing to a string");
        }
        for number in &self.spares {
            writeln!(text, "spare {number}").expect("writing to a string");
        }
        let crc = crc32c::crc32c(text.as_bytes());
        writeln!(text, "crc32c {crc:08x}").expect("writing to a string");
        text
    }
}

fn decimal<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

fn hex(word: &str) -> Option<u128> {
    u128::from_str_radix(word, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim {
            journal: JournalId(0x0f0e),
            epoch: Epoch(7),
            synced: Position(1_200),
            oldest: Position(1_001),
            after: FrameHash(0x9c0a),
            segments: vec![
                Listed { number: 3, until: Some(40_960) },
                Listed { number: 5, until: None },
            ],
            spares: vec![6],
        }
    }

    #[test]
    fn a_claim_has_this_text_for_ever_and_comes_back() {
        let text = claim().text();
        assert_eq!(
            text,
            "piecework journal claim 1\n\
             journal 00000000000000000000000000000f0e\n\
             epoch 7\nsynced 1200\n\
             oldest 1001 after 00000000000000000000000000009c0a\n\
             segment 3 until 40960\nsegment 5\nspare 6\ncrc32c 4ae930dd\n"
        );
        assert_eq!(Claim::parse(text.as_bytes()), Some(claim()));
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let text = claim().text().into_bytes();
        for at in 0..text.len() {
            for flip in [0x01, 0x10, 0x20, 0x80] {
                let mut damaged = text.clone();
                damaged[at] ^= flip;
                assert_eq!(Claim::parse(&damaged), None, "byte {at} changed by {flip:#x}");
            }
            assert_eq!(Claim::parse(&text[..at]), None, "cut at {at}");
        }
    }
}
