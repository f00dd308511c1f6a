//! One segment: a file of prepared zeros that frames are written into.
//!
//! Zeros are written, not only allocated: the file system then has nothing to
//! convert when a frame is synced. A recycled file is zeroed again before use,
//! so what is not zero behind the last frame was written there and torn;
//! nothing of a file's earlier life can be taken for a frame or for damage.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use piecework_core::Position;

use crate::journal::frame::{BLOCK, BLOCK_BYTES, FrameFault, HEADER_BYTES, Header};
use crate::journal::{FrameHash, JournalError, JournalId};

use super::claim::Listed;
use super::disk::{Disk, DiskFile};

const SUFFIX: &str = ".segment";
/// Zeros are written in such pieces and each is synced, so that a group's sync
/// waits behind one of them at most. Measured before writes were direct, with groups of 64 KiB, p99: 0.7 ms
/// with pieces of 256 KiB, 1.0 ms with 1 MiB, 1.1 ms with 8 MiB. Smaller ones
/// make preparing slow where syncs are (4 ms each: a second for 64 MiB).
const ZEROS: usize = 1024 * 1024;

/// A segment of the open journal.
#[derive(Debug)]
pub(super) struct Segment<F> {
    pub(super) number: u64,
    pub(super) file: Arc<F>,
    pub(super) bytes: u64,
    /// Nothing from here on counts: an earlier recovery cut it.
    pub(super) until: Option<u64>,
    /// `None` while it holds no group.
    pub(super) span: Option<Span>,
}

/// Which groups a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: Position,
    pub(super) last: Position,
    /// The head before `first`.
    pub(super) before: FrameHash,
}

/// A file that belongs to the journal but holds nothing of it.
#[derive(Debug)]
pub(super) struct Spare<F> {
    pub(super) number: u64,
    pub(super) file: Arc<F>,
    pub(super) bytes: u64,
}

impl<F> Segment<F> {
    /// Where frames must end.
    pub(super) fn capacity(&self) -> u64 {
        self.until.unwrap_or(self.bytes) / BLOCK_BYTES * BLOCK_BYTES
    }

    pub(super) fn listed(&self) -> Listed {
        Listed { number: self.number, until: self.until }
    }

    pub(super) fn into_spare(self) -> Spare<F> {
        Spare { number: self.number, file: self.file, bytes: self.bytes }
    }
}

/// The file name of a segment or spare.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number in a file name of ours.
pub(super) fn number_in(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// Makes file `number` hold `bytes` zeros, durably: `recycled`, or a new one.
///
/// Cost: writes it all; for the keeper's thread, never for a commit.
///
/// # Errors
/// A new file that did not get its space is removed again.
pub(super) fn prepare<D: Disk>(
    disk: &D,
    number: u64,
    bytes: u64,
    recycled: Option<Arc<D::File>>,
) -> io::Result<Arc<D::File>> {
    if let Some(file) = recycled {
        write_zeros(&*file, 0, bytes)?;
        return Ok(file);
    }
    let name = file_name(number);
    let file = Arc::new(disk.create(&name)?);
    let made = file
        .allocate(bytes)
        .and_then(|()| write_zeros(&*file, 0, bytes))
        .and_then(|()| disk.sync_directory());
    match made {
        Ok(()) => Ok(file),
        Err(error) => {
            // Should this fail as well, the next start removes it: no claim lists it.
            let _ = disk.remove(&name);
            Err(error)
        }
    }
}

/// Writes zeros from `from` up to `to`, durably.
pub(super) fn write_zeros<F: DiskFile>(file: &F, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS.min(usize::try_from(to - from).unwrap_or(ZEROS))];
    let mut at = from;
    while at < to {
        let piece = zeros.len().min(usize::try_from(to - at).unwrap_or(ZEROS));
        file.write_durably(&zeros[..piece], at)?;
        at += piece as u64;
    }
    Ok(())
}

/// The frame at `offset`, when it is whole and ends before `limit`. Its body
/// and padding are then in `rest`.
///
/// # Errors
/// The outer error: the operating system could not read.
pub(super) fn read_frame<F: DiskFile>(
    file: &F,
    offset: u64,
    limit: u64,
    journal: JournalId,
    rest: &mut Vec<u8>,
) -> io::Result<Result<Header, FrameFault>> {
    if offset + BLOCK_BYTES > limit {
        return Ok(Err(FrameFault::Short));
    }
    let mut block = [0; BLOCK];
    if file.read_at(&mut block, offset)? < block.len() {
        return Ok(Err(FrameFault::Short));
    }
    let header = match Header::decode(&block, journal) {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    if header.disk_bytes() > limit - offset {
        return Ok(Err(FrameFault::Short));
    }
    let Ok(whole) = usize::try_from(header.disk_bytes()) else {
        return Ok(Err(FrameFault::Short));
    };
    rest.clear();
    rest.extend_from_slice(&block[HEADER_BYTES..]);
    rest.resize(whole - HEADER_BYTES, 0);
    let tail = &mut rest[block.len() - HEADER_BYTES..];
    if file.read_at(tail, offset + BLOCK_BYTES)? < tail.len() {
        return Ok(Err(FrameFault::Short));
    }
    Ok(header.check_rest(rest).map(|()| header))
}

/// Says that `what` failed at `path` and counts for nothing.
pub(super) fn unavailable(
    what: &'static str,
    path: PathBuf,
) -> impl FnOnce(io::Error) -> JournalError {
    move |source| JournalError::Unavailable { what, path, source }
}
