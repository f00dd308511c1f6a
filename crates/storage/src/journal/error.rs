//! Why the journal failed us.
//!
//! `Full` refuses one group. Every other error of an append or completion
//! ends the journal: the writer dies and the daemon recovers.

use std::io;
use std::path::PathBuf;

use piecework_core::Position;

use super::{Epoch, FrameFault, JournalId};

/// What went wrong, with the place it went wrong at.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Someone claimed the journal after us. Nothing of ours is taken any more.
    #[error("the journal has a newer writer: epoch {current}, ours is {ours}")]
    Fenced {
        /// The epoch we hold.
        ours: Epoch,
        /// The epoch that holds the journal.
        current: Epoch,
    },
    /// Nothing was written, or nothing that counts.
    #[error("could not {what} {}", path.display())]
    Unavailable {
        /// What we tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A write or sync failed half-way. Only recovery tells what has survived.
    #[error(
        "could not {what} {}: positions {first} to {last} may or may not be durable",
        path.display()
    )]
    Unknown {
        /// What we tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The first position in doubt.
        first: Position,
        /// The last position in doubt.
        last: Position,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No prepared space is left.
    #[error("no disk space for {bytes} more bytes in {}", path.display())]
    Full {
        /// What was asked for, rounded up to blocks.
        bytes: u64,
        /// The journal's directory.
        path: PathBuf,
    },
    /// Something that had been synced cannot be read back.
    #[error("{} is damaged at byte {offset}, position {position} is lost: {what}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// The first position that cannot be read.
        position: Position,
        /// What is wrong there.
        what: Damage,
    },
    /// An earlier error ended this journal.
    #[error("the journal stopped after an earlier error; durable up to position {synced}")]
    Stopped {
        /// The last position that was completed.
        synced: Position,
    },
    /// A journal cannot begin where something is already.
    #[error("a journal cannot begin in {}: it holds {found:?}", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One of the files in it.
        found: String,
    },
    /// The position was given up.
    #[error("position {asked} was trimmed from the journal; the oldest is {oldest}")]
    Trimmed {
        /// The position asked for.
        asked: Position,
        /// The oldest that is kept.
        oldest: Position,
    },
}

/// What is wrong with a damaged place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No frame can be read here.
    #[error("{0}")]
    Frame(FrameFault),
    /// A whole frame, but of another place.
    #[error("the frame starts at position {found}, expected {expected}")]
    OutOfOrder {
        /// Its first position.
        found: Position,
        /// The position it should start at.
        expected: Position,
    },
    /// A whole frame, at the right position, after another past.
    #[error("the frame does not continue the one before it")]
    Unchained,
    /// A frame of a claim that cannot have been here.
    #[error("the frame has epoch {found}, expected {least} to {most}")]
    Epoch {
        /// Its epoch.
        found: Epoch,
        /// The epoch of the frame before it.
        least: Epoch,
        /// The epoch of the claim.
        most: Epoch,
    },
    /// The claim lists this file.
    #[error("the file is missing")]
    Missing,
    /// The claim does not list this file, yet it holds newer groups.
    #[error("the file holds groups but the claim does not list it")]
    Unlisted,
    /// The claim's text does not parse or has another checksum.
    #[error("the claim cannot be read")]
    Claim,
    /// The claim is of another journal.
    #[error("it belongs to journal {found}, expected {expected}")]
    Foreign {
        /// The journal it names.
        found: JournalId,
        /// The journal that we opened.
        expected: JournalId,
    },
}
