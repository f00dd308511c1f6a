//! Where everything about an open journal is decided, and nothing is done.
//!
//! The appender, the sync thread and the keeper each come here under one short
//! lock, take what is theirs to do, do it without the lock and report back.
//!
//! Invariants: frames are placed in append order, so their places are in chain
//! order; a frame is placed only in a segment that the durable claim lists;
//! after the first failure nothing is completed any more.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use piecework_core::Position;

use crate::journal::frame::{Author, BLOCK_BYTES, Encoded, encode_marker};
use crate::journal::{Bounds, Durable, Epoch, FrameHash, JournalError, Ticket, Written};

use super::JournalSettings;
use super::batch::{Batch, Placed, Write};
use super::claim::{CLAIM, Claim, Listed};
use super::disk::{Disk, DiskFile, is_no_space};
use super::keeper::{Done, Job, Undone};
use super::recover::Recovered;
use super::segment::{Segment, Span, Spare, file_name, unavailable};
use super::walk::{Chain, Readable};

/// Trimmed files kept for reuse; the others go back to the file system.
const SPARES_KEPT: usize = 1;

/// The state of an open journal.
#[derive(Debug)]
pub(super) struct Desk<F> {
    settings: JournalSettings,
    directory: PathBuf,
    epoch: Epoch,

    /// In chain order: full ones, the current one, prepared ones.
    segments: VecDeque<Segment<F>>,
    current: usize,
    offset: u64,
    next: Position,
    head: FrameHash,
    oldest: Position,
    /// The head before `oldest`.
    after: FrameHash,

    queue: Vec<Write<F>>,
    tickets: u64,
    synced: Position,
    written: Written,
    marker: Marker,
    /// The claim is to say how far everything is durable.
    claim_due: bool,

    spares: Vec<Spare<F>>,
    trimmed: Vec<Segment<F>>,
    next_number: u64,
    working: bool,
    request: Request,
    space_low: bool,
    /// A full disk is left alone until the next [`Desk::retry_space`].
    space_waits: bool,

    stopped: bool,
    failure: Option<JournalError>,
}

/// Whether the journal's end is proven in the journal itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    /// It is, or there is nothing to prove.
    There,
    /// Not yet; a marker follows once it is idle.
    Owed,
    /// The caller wants one now.
    Asked,
}

/// A group that found no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    None,
    /// The keeper is to prepare this many bytes behind the current segment.
    Open(u64),
    /// It could not.
    Refused,
}

/// What the keeper is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Nothing,
    Release,
    Prepare { bytes: u64, awaited: bool },
}

/// Whether a frame can be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Yes,
    /// After the sync thread or the keeper has moved on.
    Later,
}

impl<F: DiskFile> Desk<F> {
    pub(super) fn new(
        recovered: Recovered<F>,
        settings: &JournalSettings,
        directory: PathBuf,
    ) -> Desk<F> {
        let Recovered { claim, segments, current, offset, spares, next_number, chain } = recovered;
        Desk {
            settings: settings.clone(),
            directory,
            epoch: claim.epoch,
            segments: segments.into(),
            current,
            offset,
            next: chain.next,
            head: chain.head,
            oldest: claim.oldest,
            after: claim.after,
            queue: Vec::new(),
            tickets: 0,
            synced: Position(chain.next.0 - 1),
            written: Written::default(),
            marker: Marker::There,
            claim_due: false,
            spares,
            trimmed: Vec::new(),
            next_number,
            working: false,
            request: Request::None,
            space_low: false,
            space_waits: false,
            stopped: false,
            failure: None,
        }
    }

    // For the appender.

    /// Who writes the next group.
    pub(super) fn author(&self) -> Author {
        Author { journal: self.settings.journal, epoch: self.epoch, previous: self.head }
    }

    /// Where the next group starts.
    pub(super) fn next_position(&self) -> Position {
        self.next
    }

    pub(super) fn bounds(&self) -> Bounds {
        let files = self.segments.iter().chain(&self.trimmed).map(|s| s.bytes);
        Bounds {
            oldest: self.oldest,
            next: self.next,
            head: self.head,
            synced: self.synced,
            epoch: self.epoch,
            bytes: files.chain(self.spares.iter().map(|s| s.bytes)).sum(),
            segments: self.segments.iter().filter(|s| s.span.is_some()).count(),
            written: self.written,
            space_low: self.space_low,
        }
    }

    /// Whether a frame of `bytes` can be taken. `Later` makes the keeper
    /// prepare a place when that is what is missing.
    pub(super) fn room(&mut self, bytes: u64) -> Result<Room, JournalError> {
        self.check_running()?;
        if self.queue.len() >= self.settings.queued_groups {
            return Ok(Room::Later);
        }
        if self.fits(bytes) {
            return Ok(Room::Yes);
        }
        match self.request {
            Request::None => self.request = Request::Open(bytes),
            Request::Open(_) => {}
            Request::Refused => {
                self.request = Request::None;
                return Err(JournalError::Full { bytes, path: self.directory.clone() });
            }
        }
        Ok(Room::Later)
    }

    /// Takes a group's frame, for which there was room.
    pub(super) fn take(&mut self, frame: Encoded, first: Position, last: Position) -> Ticket {
        assert_eq!(first, self.next, "a group starts at the next position");
        let before = self.head;
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.next = last.next();
        self.head = frame.hash;
        let write = self.place(frame, Some(Placed { ticket, first, last }));
        let span = &mut self.segments[self.current].span;
        span.get_or_insert(Span { first, last, before }).last = last;
        self.queue.push(write);
        ticket
    }

    pub(super) fn ask_marker(&mut self) -> Result<(), JournalError> {
        self.check_running()?;
        self.marker = Marker::Asked;
        Ok(())
    }

    /// Gives up full segments wholly below `below`. Returns the oldest position left.
    pub(super) fn trim(&mut self, below: Position) -> Result<Position, JournalError> {
        self.check_running()?;
        let end = below.min(self.synced.next());
        while self.current > 0 && self.segments[0].span.is_none_or(|span| span.last < end) {
            self.trimmed.extend(self.segments.pop_front());
            self.current -= 1;
        }
        (self.oldest, self.after) = match self.segments[0].span {
            Some(span) => (span.first, span.before),
            // Only the current segment is left, and it is still empty.
            None => (self.next, self.head),
        };
        self.space_waits &= self.trimmed.is_empty();
        Ok(self.oldest)
    }

    /// The segments to read from `from` on, and what the first of them continues.
    pub(super) fn readable<D: Disk<File = F>>(
        &self,
        disk: &D,
        from: Position,
    ) -> (Vec<Readable<F>>, Chain) {
        let holds = |segment: &&Segment<F>| segment.span.is_some_and(|span| span.last >= from);
        let mut chain = Chain { next: self.next, head: self.head, epoch: Epoch(0) };
        let mut segments = Vec::new();
        for segment in self.segments.iter().filter(holds) {
            let span = segment.span.expect("it holds groups");
            if segments.is_empty() {
                (chain.next, chain.head) = (span.first, span.before);
            }
            segments.push(super::scan::readable(segment, disk.path(&file_name(segment.number))));
        }
        (segments, chain)
    }

    // For the sync thread.

    /// What to write and sync next. `idle`: nothing came for a while.
    pub(super) fn take_batch(&mut self, idle: bool) -> Option<Batch<F>> {
        if self.stopped {
            return None;
        }
        let mut writes = std::mem::take(&mut self.queue);
        if writes.is_empty() {
            let wanted = self.marker == Marker::Asked || (idle && self.marker == Marker::Owed);
            // A waiting group is to get the place that is being prepared for it.
            if !wanted || self.request != Request::None {
                return None;
            }
            self.marker = Marker::There;
            // Also where no marker fits: then the claim alone tells.
            self.claim_due = true;
            if !self.fits(BLOCK_BYTES) {
                return None;
            }
            let frame = encode_marker(self.author(), self.next);
            writes.push(self.place(frame, None));
        }
        Some(Batch { writes, synced: self.synced })
    }

    /// Takes note of a batch that was run, and returns what to tell the caller.
    pub(super) fn batch_done(
        &mut self,
        batch: &Batch<F>,
        result: Result<(), JournalError>,
    ) -> Vec<Result<Durable, JournalError>> {
        if let Err(error) = result {
            self.stop(error);
        }
        if self.stopped {
            return self.take_failure().map(Err).into_iter().collect();
        }
        batch.count_in(&mut self.written);
        let groups = batch.writes.iter().filter_map(|write| write.group);
        let durable: Vec<_> =
            groups.map(|group| Ok(Durable { ticket: group.ticket, last: group.last })).collect();
        if let Some(Ok(last)) = durable.last() {
            self.synced = last.last;
            if self.marker == Marker::There {
                self.marker = Marker::Owed;
            }
        }
        durable
    }

    /// True when a marker follows once it is idle.
    pub(super) fn owes_marker(&self) -> bool {
        self.marker != Marker::There && !self.stopped
    }

    /// The error that the caller has not heard of yet.
    pub(super) fn take_failure(&mut self) -> Option<JournalError> {
        self.failure.take()
    }

    /// True once nothing can be completed any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Ends this journal without a word: its sync thread is gone.
    pub(super) fn abandon(&mut self) {
        self.stopped = true;
    }

    // For the keeper.

    /// True when [`Desk::take_job`] would give something.
    pub(super) fn has_job(&self) -> bool {
        self.next_work() != Work::Nothing
    }

    /// What to do next beside the commits.
    pub(super) fn take_job(&mut self) -> Option<Job<F>> {
        let job = match self.next_work() {
            Work::Nothing => return None,
            Work::Release => self.release(),
            Work::Prepare { bytes, awaited } => self.prepare(bytes, awaited),
        };
        self.working = true;
        Some(job)
    }

    /// True when [`Desk::take_claim`] would give something.
    pub(super) fn claim_is_due(&self) -> bool {
        self.claim_due && !self.stopped && !self.working
    }

    /// After a marker: the claim that says so. Not urgent.
    pub(super) fn take_claim(&mut self) -> Option<Job<F>> {
        if !self.claim_is_due() {
            return None;
        }
        (self.claim_due, self.working) = (false, true);
        Some(Job::Claim { claim: self.claim() })
    }

    /// Takes note of a job that was run.
    pub(super) fn job_done(&mut self, job: Job<F>, result: Result<Done<F>, Undone<F>>) {
        self.working = false;
        match (job, result) {
            (Job::Prepare { number, bytes, awaited, .. }, Ok(Done::Prepared(file))) => {
                let place = if awaited { self.current + 1 } else { self.segments.len() };
                let new = Segment { number, file, bytes, until: None, span: None };
                self.segments.insert(place, new);
                if matches!(self.request, Request::Open(bytes) if self.fits(bytes)) {
                    self.request = Request::None;
                }
                self.space_low = false;
            }
            (Job::Release { .. }, Ok(Done::Released(spares))) => self.spares.extend(spares),
            (Job::Prepare { number, bytes, recycled, .. }, Err(Undone { made, error })) => {
                let kept = made.or(recycled);
                self.spares.extend(kept.map(|file| Spare { number, file, bytes }));
                self.undone("prepare", &file_name(number), error);
                if matches!(self.request, Request::Open(_)) {
                    self.request = Request::Refused;
                }
            }
            (Job::Release { trimmed, .. }, Err(Undone { error, .. })) => {
                self.trimmed.extend(trimmed);
                self.undone("release segments of", "", error);
            }
            (Job::Claim { .. }, Ok(Done::Claimed)) => {}
            // Without it the journal is as good as before, until the next marker.
            (Job::Claim { .. }, Err(Undone { error, .. })) if is_no_space(&error) => {}
            (Job::Claim { .. }, Err(Undone { error, .. })) => self.undone("write", CLAIM, error),
            (_, Ok(_)) => unreachable!("a job ends as what it began"),
        }
    }

    /// After a while on a full disk: worth another attempt, if one is still needed.
    pub(super) fn retry_space(&mut self) {
        self.space_waits = false;
        // Only what prepares a segment ends it: other jobs do not count.
        let ready = self.segments.len() - 1 - self.current;
        self.space_low = ready < self.settings.ready_segments || self.request != Request::None;
    }

    /// True while a full disk is left alone.
    pub(super) fn waits_for_space(&self) -> bool {
        self.space_waits
    }

    /// The first error is the one that is told.
    fn stop(&mut self, error: JournalError) {
        if !self.stopped {
            self.stopped = true;
            self.failure = Some(error);
        }
    }

    fn check_running(&self) -> Result<(), JournalError> {
        if self.stopped { Err(JournalError::Stopped { synced: self.synced }) } else { Ok(()) }
    }

    fn fits(&self, bytes: u64) -> bool {
        let in_next = self.segments.get(self.current + 1).is_some_and(|s| s.capacity() >= bytes);
        in_next || self.offset + bytes <= self.segments[self.current].capacity()
    }

    fn place(&mut self, frame: Encoded, group: Option<Placed>) -> Write<F> {
        let bytes = frame.disk_bytes();
        if self.offset + bytes > self.segments[self.current].capacity() {
            self.current += 1;
            self.offset = 0;
        }
        let segment = &self.segments[self.current];
        let offset = self.offset;
        self.offset += bytes;
        let path = self.directory.join(file_name(segment.number));
        Write { file: Arc::clone(&segment.file), path, offset, frame, group }
    }

    fn next_work(&self) -> Work {
        if self.stopped || self.working {
            return Work::Nothing;
        }
        // First of all: what is released serves whoever waits for space.
        if !self.trimmed.is_empty() && !self.space_waits {
            return Work::Release;
        }
        if let Request::Open(bytes) = self.request {
            return Work::Prepare { bytes, awaited: true };
        }
        let ready = self.segments.len() - 1 - self.current;
        if ready < self.settings.ready_segments && !self.space_waits {
            return Work::Prepare { bytes: 0, awaited: false };
        }
        Work::Nothing
    }

    fn prepare(&mut self, bytes: u64, awaited: bool) -> Job<F> {
        let bytes = bytes.max(self.settings.segment_bytes);
        let (number, bytes, recycled) = match self.spares.iter().position(|s| s.bytes >= bytes) {
            Some(index) => {
                let spare = self.spares.swap_remove(index);
                (spare.number, spare.bytes, Some(spare.file))
            }
            None => {
                self.next_number += 1;
                (self.next_number - 1, bytes, None)
            }
        };
        let mut claim = self.claim();
        let place = if awaited { self.current + 1 } else { self.segments.len() };
        claim.segments.insert(place, Listed { number, until: None });
        Job::Prepare { number, bytes, recycled, awaited, claim }
    }

    fn release(&mut self) -> Job<F> {
        let mut trimmed = std::mem::take(&mut self.trimmed);
        // A file that a reader or a batch still has open is not zeroed under it.
        let (mut free, held): (Vec<_>, Vec<_>) =
            trimmed.drain(..).partition(|s| Arc::strong_count(&s.file) == 1);
        let keep = SPARES_KEPT.saturating_sub(self.spares.len()).min(free.len());
        let mut claim = self.claim();
        claim.spares.extend(free[..keep].iter().map(|s| s.number));
        free.extend(held);
        Job::Release { trimmed: free, keep, claim }
    }

    /// As it should be now.
    pub(super) fn claim(&self) -> Claim {
        Claim {
            journal: self.settings.journal,
            epoch: self.epoch,
            synced: self.synced,
            oldest: self.oldest,
            after: self.after,
            segments: self.segments.iter().map(Segment::listed).collect(),
            spares: self.spares.iter().map(|s| s.number).collect(),
        }
    }

    fn undone(&mut self, what: &'static str, name: &str, error: std::io::Error) {
        if is_no_space(&error) {
            if !self.space_low {
                let directory = &self.directory;
                tracing::warn!(?directory, "no disk space for another journal segment");
            }
            self.space_low = true;
            self.space_waits = true;
        } else {
            self.stop(unavailable(what, self.directory.join(name))(error));
        }
    }
}
