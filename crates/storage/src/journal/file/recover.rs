//! Opening: what the journal holds, cut or refused, and claimed for us.
//!
//! - Damage at or below what is proven to have been synced stops the start.
//! - What lies behind the last whole group was never acknowledged: it is cut.
//! - Whole groups above the proven position may be in the page cache only, so
//!   they are copied to a fresh segment and synced before anything is served.
//!   The old copies stay untouched until the claim that lists the new is durable.
//! - With nothing to copy, the space behind the last group is zeroed in place,
//!   old markers included (they too may be in the page cache only), once the
//!   new claim has recorded what they proved.
//!
//! Invariant: a crash at any moment of this leads to the same groups again.

use std::path::PathBuf;
use std::sync::Arc;

use piecework_core::Position;
use piecework_core::planted::{self, Mistake};
use tracing::{info, warn};

use crate::journal::frame::{BLOCK, BLOCK_BYTES, Header, Kind};
use crate::journal::{Damage, Epoch, JournalError};

use super::JournalSettings;
use super::claim::{CLAIM, Claim};
use super::disk::{Disk, DiskFile, is_no_space};
use super::scan::{Loose, Scan, readable, scan};
use super::segment::{
    Segment, Span, Spare, file_name, number_in, prepare, unavailable, write_zeros,
};
use super::walk::{Chain, Walk};

/// A journal ready to be appended to. Everything in it is durable.
#[derive(Debug)]
pub(super) struct Recovered<F> {
    /// As it is on disk.
    pub(super) claim: Claim,
    /// In chain order; at least one.
    pub(super) segments: Vec<Segment<F>>,
    /// The one that the next frame goes into, and where in it.
    pub(super) current: usize,
    pub(super) offset: u64,
    pub(super) spares: Vec<Spare<F>>,
    pub(super) next_number: u64,
    pub(super) chain: Chain,
}

/// Opens the journal on `disk`, or starts one, under a new epoch.
///
/// `trusted`: a position that the caller knows to have been durable (the
/// tables' applied position, a snapshot's).
/// Cost: reads all segments; writes the claim; copies at most what the pipe held.
///
/// # Errors
/// `Corrupt` when something synced cannot be read back: nothing was changed.
pub(super) fn recover<D: Disk>(
    disk: &D,
    settings: &JournalSettings,
    trusted: Position,
) -> Result<Recovered<D::File>, JournalError> {
    let (mut opening, scan) = examine(disk, settings, trusted)?;
    opening.remove_leftovers()?;
    opening.claim.epoch = Epoch(opening.claim.epoch.0 + 1);
    let last = before(scan.chain.next);
    if scan.has_torn_tail() {
        let file = opening.path(scan.broken_at.segment);
        let offset = scan.broken_at.offset;
        warn!(?file, offset, %last, "cut an unacknowledged tail of the journal");
    }
    let (current, offset) = if scan.loose.is_empty() || planted::is(Mistake::TrustPageCache) {
        opening.store_claim(last)?;
        opening.erase(&scan)?;
        (scan.end.segment, scan.end.offset)
    } else {
        opening.copy_loose(&scan)?
    };
    opening.ensure_a_segment(last)?;
    info!(epoch = %opening.claim.epoch, %last, "journal opened");
    Ok(Recovered {
        claim: opening.claim,
        segments: opening.segments,
        current,
        offset,
        spares: opening.spares,
        next_number: opening.next_number,
        chain: scan.chain,
    })
}

/// Reads all that a recovery has to know, and changes nothing.
///
/// # Errors
/// `Corrupt` when something synced cannot be read back.
pub(super) fn examine<'a, D: Disk>(
    disk: &'a D,
    settings: &'a JournalSettings,
    trusted: Position,
) -> Result<(Opening<'a, D>, Scan), JournalError> {
    let names = disk.list().map_err(unavailable("list", disk.path("")))?;
    let claim = read_claim(disk, settings, &names, trusted)?;
    let mut opening = Opening::open(disk, settings, claim, &names)?;
    let scan = opening.scan(trusted)?;
    opening.leftovers = opening.find_leftovers(names, scan.chain.next)?;
    Ok((opening, scan))
}

/// A journal being opened.
pub(super) struct Opening<'a, D: Disk> {
    disk: &'a D,
    settings: &'a JournalSettings,
    pub(super) claim: Claim,
    /// As listed, with the groups that the scan found in them.
    pub(super) segments: Vec<Segment<D::File>>,
    pub(super) spares: Vec<Spare<D::File>>,
    /// Files of ours that the claim does not list.
    leftovers: Vec<String>,
    next_number: u64,
}

fn read_claim<D: Disk>(
    disk: &D,
    settings: &JournalSettings,
    names: &[String],
    trusted: Position,
) -> Result<Claim, JournalError> {
    let path = disk.path(CLAIM);
    let corrupt =
        |what| JournalError::Corrupt { file: path.clone(), offset: 0, position: Position(1), what };
    if !names.iter().any(|name| name == CLAIM) {
        // The first claim is written before the first segment.
        let fresh = trusted == Position(0) && names.iter().all(|n| number_in(n).is_none());
        return if fresh {
            Ok(Claim::first(settings.journal))
        } else {
            Err(corrupt(Damage::Missing))
        };
    }
    let io = |error| unavailable("read", path.clone())(error);
    let file = disk.open(CLAIM).map_err(io)?;
    let length = file.bytes().map_err(io)?;
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| corrupt(Damage::Claim))?];
    let read = file.read_at(&mut bytes, 0).map_err(io)?;
    let claim = Claim::parse(&bytes[..read]).ok_or_else(|| corrupt(Damage::Claim))?;
    if claim.journal != settings.journal {
        let (found, expected) = (claim.journal, settings.journal);
        return Err(corrupt(Damage::Foreign { found, expected }));
    }
    Ok(claim)
}

impl<'a, D: Disk> Opening<'a, D> {
    fn open(
        disk: &'a D,
        settings: &'a JournalSettings,
        claim: Claim,
        names: &[String],
    ) -> Result<Opening<'a, D>, JournalError> {
        let mut segments = Vec::new();
        for listed in &claim.segments {
            let name = file_name(listed.number);
            if !names.contains(&name) {
                return Err(JournalError::Corrupt {
                    file: disk.path(&name),
                    offset: 0,
                    position: claim.oldest,
                    what: Damage::Missing,
                });
            }
            let Spare { number, file, bytes } = open_file(disk, listed.number)?;
            segments.push(Segment { number, file, bytes, until: listed.until, span: None });
        }
        let mut spares = Vec::new();
        for number in &claim.spares {
            // A spare that disappeared took nothing with it.
            if names.contains(&file_name(*number)) {
                spares.push(open_file(disk, *number)?);
            }
        }
        let numbers = names.iter().filter_map(|name| number_in(name));
        let next_number = numbers.max().unwrap_or(0) + 1;
        Ok(Opening { disk, settings, claim, segments, spares, leftovers: Vec::new(), next_number })
    }

    pub(super) fn path(&self, segment: usize) -> PathBuf {
        let name = self.segments.get(segment).map(|s| file_name(s.number));
        self.disk.path(name.as_deref().unwrap_or(CLAIM))
    }

    /// Reads everything and refuses when less is there than was synced once.
    fn scan(&mut self, trusted: Position) -> Result<Scan, JournalError> {
        let claim = &self.claim;
        let proven = trusted.max(claim.synced).max(before(claim.oldest));
        let scan = scan(self.walk(), proven)?;
        if scan.proven >= scan.chain.next {
            return Err(JournalError::Corrupt {
                file: self.path(scan.broken_at.segment),
                offset: scan.broken_at.offset,
                position: scan.chain.next,
                what: scan.broken_by,
            });
        }
        for (segment, span) in self.segments.iter_mut().zip(&scan.spans) {
            segment.span = *span;
        }
        Ok(scan)
    }

    /// From the oldest group on.
    pub(super) fn walk(&self) -> Walk<D::File> {
        let claim = &self.claim;
        let chain = Chain { next: claim.oldest, head: claim.after, epoch: Epoch(0) };
        let segments =
            self.segments.iter().map(|s| readable(s, self.disk.path(&file_name(s.number))));
        Walk::new(segments.collect(), claim.journal, claim.epoch, chain)
    }

    /// What crashes left over: files that were made or given up without being
    /// listed. One with groups that we do not have is no such file.
    fn find_leftovers(
        &self,
        mut names: Vec<String>,
        next: Position,
    ) -> Result<Vec<String>, JournalError> {
        let listed = self.segments.iter().map(|s| s.number);
        let listed: Vec<u64> = listed.chain(self.spares.iter().map(|s| s.number)).collect();
        names.retain(|name| number_in(name).is_some_and(|number| !listed.contains(&number)));
        for name in &names {
            let path = self.disk.path(name);
            let number = number_in(name).expect("only such names were retained");
            let file = open_file(self.disk, number)?.file;
            let mut block = [0; BLOCK];
            let read = file.read_at(&mut block, 0).map_err(unavailable("read", path.clone()))?;
            match Header::decode(&block[..read], self.claim.journal) {
                Ok(header) if header.kind == Kind::Group && header.first >= next => {
                    return Err(JournalError::Corrupt {
                        file: path,
                        offset: 0,
                        position: header.first,
                        what: Damage::Unlisted,
                    });
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn remove_leftovers(&mut self) -> Result<(), JournalError> {
        for name in std::mem::take(&mut self.leftovers) {
            self.disk.remove(&name).map_err(unavailable("remove", self.disk.path(&name)))?;
        }
        Ok(())
    }

    /// Makes the present list of files the durable claim.
    fn store_claim(&mut self, synced: Position) -> Result<(), JournalError> {
        self.claim.synced = synced;
        self.claim.segments = self.segments.iter().map(Segment::listed).collect();
        self.claim.spares = self.spares.iter().map(|s| s.number).collect();
        self.claim.store(self.disk).map_err(|error| self.failed("claim", CLAIM, BLOCK_BYTES, error))
    }

    /// Zeroes what lies behind the last group.
    fn erase(&self, scan: &Scan) -> Result<(), JournalError> {
        for dirty in &scan.dirty {
            let segment = &self.segments[dirty.segment];
            write_zeros(&*segment.file, dirty.from, dirty.to)
                .map_err(unavailable("zero the end of", self.path(dirty.segment)))?;
        }
        Ok(())
    }

    /// Copies the loose groups to a fresh segment, which takes its place
    /// behind the last proven group. Returns where the next frame goes.
    fn copy_loose(&mut self, scan: &Scan) -> Result<(usize, u64), JournalError> {
        let (oldest, newest) = (scan.loose[0], scan.loose[scan.loose.len() - 1]);
        let total: u64 = scan.loose.iter().map(|group| group.bytes).sum();
        let fresh = self.take_fresh(scan, total)?;
        let offset = self.copy(&scan.loose, &fresh)?;
        let fresh = Segment {
            number: fresh.number,
            file: fresh.file,
            bytes: fresh.bytes,
            until: None,
            span: Some(Span { first: oldest.first, last: newest.last, before: oldest.before }),
        };
        // What the old segments hold from the cut on is no longer part of the journal.
        let cut = oldest.previous_end;
        let mut kept = Vec::new();
        let mut ready = Vec::new();
        for (index, mut segment) in std::mem::take(&mut self.segments).into_iter().enumerate() {
            let used = segment.span.is_some() || scan.dirty.iter().any(|d| d.segment == index);
            if index < cut.segment || (index == cut.segment && cut.offset > 0) {
                if index == cut.segment {
                    segment.until = Some(cut.offset);
                    segment.span = segment.span.map(|s| Span { last: before(oldest.first), ..s });
                }
                kept.push(segment);
            } else if used {
                self.spares.push(segment.into_spare());
            } else {
                ready.push(segment);
            }
        }
        let current = kept.len();
        self.segments = kept;
        self.segments.push(fresh);
        self.segments.append(&mut ready);
        self.store_claim(newest.last)?;
        Ok((current, offset))
    }

    /// A zeroed file of at least `bytes`, listed as a spare, so that a crash
    /// leaves a file whose content means nothing.
    fn take_fresh(&mut self, scan: &Scan, bytes: u64) -> Result<Spare<D::File>, JournalError> {
        let whole = bytes.max(self.settings.segment_bytes);
        let made = match self.make_spare(whole) {
            Err(error) if is_no_space(&error) => match self.unused(scan, bytes) {
                Some(unused) => {
                    self.spares.push(self.segments.remove(unused).into_spare());
                    Ok(self.spares.len() - 1)
                }
                // Just enough to start: reads and trims are worth having on a full disk.
                None => self.make_spare(bytes),
            },
            made => made,
        };
        let index = made.map_err(|error| self.failed("prepare", "", bytes, error))?;
        self.store_claim(scan.proven)?;
        Ok(self.spares.remove(index))
    }

    /// Zeroes a spare of at least `bytes`, or makes one. Returns its index.
    fn make_spare(&mut self, bytes: u64) -> std::io::Result<usize> {
        if let Some(index) = self.spares.iter().position(|s| s.bytes >= bytes) {
            let spare = &self.spares[index];
            let recycled = Some(Arc::clone(&spare.file));
            prepare(self.disk, spare.number, spare.bytes, recycled)?;
            return Ok(index);
        }
        let number = self.next_number;
        self.next_number += 1;
        let file = prepare(self.disk, number, bytes, None)?;
        self.spares.push(Spare { number, file, bytes });
        Ok(self.spares.len() - 1)
    }

    /// A segment that was prepared and is still zero, behind everything that
    /// the scan has named, whose indexes must stay.
    fn unused(&self, scan: &Scan, bytes: u64) -> Option<usize> {
        let named = scan.dirty.iter().map(|d| d.segment).chain([scan.broken_at.segment]);
        let first_unused = named.max().map_or(0, |index| index + 1);
        (first_unused..self.segments.len()).find(|index| self.segments[*index].bytes >= bytes)
    }

    /// Returns where the copies end.
    fn copy<'b>(
        &self,
        groups: impl IntoIterator<Item = &'b Loose>,
        to: &Spare<D::File>,
    ) -> Result<u64, JournalError> {
        let mut offset = 0;
        let path = self.disk.path(&file_name(to.number));
        for group in groups {
            let from = &self.segments[group.at.segment];
            let mut bytes = vec![0; usize::try_from(group.bytes).expect("it was read before")];
            from.file
                .read_at(&mut bytes, group.at.offset)
                .map_err(unavailable("read", self.path(group.at.segment)))?;
            to.file.write_at(&bytes, offset).map_err(unavailable("write", path.clone()))?;
            offset += group.bytes;
        }
        to.file.sync_data().map_err(unavailable("sync", path))?;
        self.disk.sync_directory().map_err(unavailable("sync", self.disk.path("")))?;
        Ok(offset)
    }

    /// A new journal gets its first segment here.
    fn ensure_a_segment(&mut self, synced: Position) -> Result<(), JournalError> {
        if !self.segments.is_empty() {
            return Ok(());
        }
        let number = self.next_number;
        let bytes = self.settings.segment_bytes;
        let file = prepare(self.disk, number, bytes, None)
            .map_err(|error| self.failed("prepare", &file_name(number), bytes, error))?;
        self.next_number += 1;
        self.segments.push(Segment { number, file, bytes, until: None, span: None });
        self.store_claim(synced)
    }

    fn failed(
        &self,
        what: &'static str,
        name: &str,
        bytes: u64,
        source: std::io::Error,
    ) -> JournalError {
        if is_no_space(&source) {
            return JournalError::Full { bytes, path: self.disk.path("") };
        }
        unavailable(what, self.disk.path(name))(source)
    }
}

fn open_file<D: Disk>(disk: &D, number: u64) -> Result<Spare<D::File>, JournalError> {
    let name = file_name(number);
    let io = |error| unavailable("open", disk.path(&name))(error);
    let file = disk.open(&name).map_err(io)?;
    let bytes = file.bytes().map_err(io)?;
    Ok(Spare { number, file: Arc::new(file), bytes })
}

pub(super) fn before(position: Position) -> Position {
    Position(position.0 - 1)
}
