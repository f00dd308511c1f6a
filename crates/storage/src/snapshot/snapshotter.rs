//! Makes a snapshot, piece by piece: of the newest one and the journal behind it.
//!
//! ```text
//! read groups ─▶ look at older rows that ranges take ─▶ merge page by page ─▶ sync names
//!    ▲              more of the journal than fits: once more ◀──────┘            │
//!    └──────────────────────────────────────────────────────────────             ▼
//!      retire old ones ◀─ manifest ◀─ compare with the tables ◀─ read new pages back
//! ```
//!
//! Never reads the tables. The manifest comes last, so a crash at any moment
//! leaves the snapshots that were there, and some pages to sweep away.
//!
//! Not here: when one is due; the server decides.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;

use piecework_core::planted::{self, Mistake};
use piecework_core::{Now, Position};

use crate::digest::RowsDigest;
use crate::group::group_rows;
use crate::journal::{Disk, GroupReader, JournalError};
use crate::tables::Key;

use super::delta::Delta;
use super::error::SnapshotError;
use super::files;
use super::manifest::{Manifest, digest_of};
use super::merge::Merge;
use super::page::{Look, PageEntry, PageHash, SnapshotRow, encode};
use super::snapshots::{Pin, SnapshotInfo, Snapshots};

/// Groups read in one step, at most.
const STEP_GROUPS: usize = 16;
/// Bytes of groups after which a step ends.
const STEP_BYTES: usize = 1024 * 1024;

/// Opens the journal at a position, as `Journal::read` does.
pub type ReadJournal<'a> = &'a dyn Fn(Position) -> Result<GroupReader, JournalError>;

/// How far a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotProgress {
    /// Call again.
    Working,
    /// It is in place, and old ones are gone.
    Done(SnapshotInfo),
}

/// A snapshot being made. Dropped at any moment, it leaves nothing that counts.
pub struct Snapshotter<D: Disk> {
    snapshots: Snapshots<D>,
    to: Position,
    now: Now,
    expected: Option<RowsDigest>,
    /// The rows so far are those after `at`, in `pages`.
    pages: Vec<PageEntry>,
    at: Position,
    /// Pages that were there before.
    older: BTreeSet<PageHash>,
    /// The snapshot they are of, for messages.
    base: Position,
    reader: Option<GroupReader>,
    delta: Delta,
    stage: Stage,
    pin: Pin<D>,
}

#[derive(Debug)]
enum Stage {
    Read,
    /// Looking for older rows from which others were derived, behind this one.
    Derive(Option<Key>),
    /// Found more of these than fit: they are merged before the search goes on.
    MergeDerived(Merge, Delta, Key),
    Merge(Merge),
    Round,
    Check(usize),
    Publish,
    Retire,
    Done(SnapshotInfo),
    Failed,
}

impl<D: Disk> Snapshotter<D> {
    /// Begins a snapshot of the rows after `to`, the last position of a group
    /// with the logged times `now`; durable, and not older than the newest
    /// snapshot. `expected`: the tables' digest at `to`, to compare with.
    ///
    /// # Errors
    /// `Busy`, `Behind`, `ReadOnly`; or what an earlier attempt left cannot be removed.
    pub fn begin(
        snapshots: &Snapshots<D>,
        to: Position,
        now: Now,
        expected: Option<RowsDigest>,
    ) -> Result<Snapshotter<D>, SnapshotError> {
        let pin = snapshots.begin_making()?;
        let base = snapshots.manifest(None);
        let (at, pages) = base.map_or((Position(0), Vec::new()), |m| (m.position, m.pages.clone()));
        if to < at {
            return Err(SnapshotError::Behind { to, newest: at });
        }
        pin.keep(&pages);
        snapshots.sweep()?;
        Ok(Snapshotter {
            snapshots: snapshots.clone(),
            to,
            now,
            expected,
            older: pages.iter().map(|page| page.hash).collect(),
            pages,
            at,
            base: at,
            reader: None,
            delta: Delta::default(),
            stage: if at < to { Stage::Read } else { Stage::Publish },
            pin,
        })
    }

    /// The position that the snapshot is to have.
    #[must_use]
    pub fn to(&self) -> Position {
        self.to
    }

    /// The next piece: some groups, or one page, or the manifest, or one old
    /// snapshot. Blocks on disk. `read` is asked for the position behind the
    /// newest snapshot, once.
    ///
    /// # Errors
    /// There will be no snapshot: drop this. `Differs`: the tables are wrong.
    /// Where an older page is damaged its snapshot is no longer the newest
    /// whole one, and the next attempt begins with one before it.
    pub fn step(&mut self, read: ReadJournal<'_>) -> Result<SnapshotProgress, SnapshotError> {
        let stage = mem::replace(&mut self.stage, Stage::Failed);
        match self.advance(stage, read) {
            Ok(Stage::Done(info)) => {
                self.stage = Stage::Done(info.clone());
                Ok(SnapshotProgress::Done(info))
            }
            Ok(stage) => {
                self.stage = stage;
                Ok(SnapshotProgress::Working)
            }
            Err(error) => {
                // Gives the space back; where that fails, the next one to begin does it.
                self.pin.keep([]);
                let _ = self.snapshots.sweep();
                Err(error)
            }
        }
    }

    fn advance(&mut self, stage: Stage, read: ReadJournal<'_>) -> Result<Stage, SnapshotError> {
        match stage {
            Stage::Read => self.read_groups(read),
            Stage::Derive(behind) => self.derive(behind.as_ref()),
            Stage::MergeDerived(merge, derived, behind) => {
                self.merge_derived(merge, derived, behind)
            }
            Stage::Merge(merge) => self.merge(merge),
            Stage::Round => self.end_round(),
            Stage::Check(page) => self.check(page),
            Stage::Publish => self.publish(),
            Stage::Retire if self.snapshots.retire()? => Ok(Stage::Retire),
            Stage::Retire => {
                let position = self.to;
                let made = self.snapshots.manifest(Some(position));
                let made = made.ok_or(SnapshotError::Absent { position })?;
                Ok(Stage::Done(self.snapshots.info(&made)))
            }
            Stage::Done(info) => Ok(Stage::Done(info)),
            Stage::Failed => Err(SnapshotError::Stopped),
        }
    }

    fn read_groups(&mut self, read: ReadJournal<'_>) -> Result<Stage, SnapshotError> {
        let (to, delta_bytes) = (self.to, self.snapshots.settings().delta_bytes);
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(read(self.at.next())?),
        };
        let mut bytes = 0;
        for _ in 0..STEP_GROUPS {
            self.at = take_group(reader, &mut self.delta, self.at, to, &mut bytes)?;
            if self.at == to || self.delta.bytes() >= delta_bytes {
                return Ok(Stage::Derive(None));
            }
            if bytes >= STEP_BYTES {
                break;
            }
        }
        Ok(Stage::Read)
    }

    fn derive(&mut self, behind: Option<&Key>) -> Result<Stage, SnapshotError> {
        let is_next = |page: &&PageEntry| {
            behind.is_none_or(|behind| page.last > *behind) && self.delta.takes_sources(page)
        };
        let Some(page) = self.pages.iter().find(is_next).cloned() else {
            return Ok(Stage::Merge(self.begin_merge()));
        };
        for (key, value) in self.snapshots.read_page(self.base, &page, Look::Names)? {
            self.delta.forget_derived(&key, &value)?;
        }
        if self.delta.derived_bytes() < self.snapshots.settings().delta_bytes {
            return Ok(Stage::Derive(Some(page.last)));
        }
        let derived = self.delta.take_derived();
        Ok(Stage::MergeDerived(self.begin_merge(), derived, page.last))
    }

    fn merge_derived(
        &mut self,
        mut merge: Merge,
        derived: Delta,
        behind: Key,
    ) -> Result<Stage, SnapshotError> {
        if self.merge_page(&mut merge, &derived)? {
            return Ok(Stage::MergeDerived(merge, derived, behind));
        }
        self.pages = merge.into_pages();
        self.drop_intermediate()?;
        Ok(Stage::Derive(Some(behind)))
    }

    fn merge(&mut self, mut merge: Merge) -> Result<Stage, SnapshotError> {
        if self.merge_page(&mut merge, &self.delta)? {
            return Ok(Stage::Merge(merge));
        }
        self.pages = merge.into_pages();
        self.delta = Delta::default();
        Ok(Stage::Round)
    }

    fn begin_merge(&mut self) -> Merge {
        Merge::new(mem::take(&mut self.pages), self.snapshots.settings().file_bytes)
    }

    fn merge_page(&self, merge: &mut Merge, delta: &Delta) -> Result<bool, SnapshotError> {
        let (snapshots, base, pin) = (&self.snapshots, self.base, &self.pin);
        let read = |page: &PageEntry| snapshots.read_page(base, page, Look::Names);
        let write = |rows: &[SnapshotRow]| {
            let (page, bytes) = encode(rows);
            pin.add(&page);
            files::put(snapshots.disk(), &page.hash.file(), &bytes)?;
            Ok(page)
        };
        merge.step(delta, &read, &write)
    }

    /// Pages that were needed on the way only go.
    fn drop_intermediate(&self) -> Result<(), SnapshotError> {
        self.pin.keep(&self.pages);
        self.snapshots.sweep()
    }

    fn end_round(&mut self) -> Result<Stage, SnapshotError> {
        self.drop_intermediate()?;
        if self.at < self.to {
            return Ok(Stage::Read);
        }
        self.reader = None;
        files::sync_names(self.snapshots.disk())?;
        Ok(Stage::Check(0))
    }

    /// Reads a new page back.
    fn check(&mut self, from: usize) -> Result<Stage, SnapshotError> {
        let is_new = |at: &usize| !self.older.contains(&self.pages[*at].hash);
        let next = (from..self.pages.len()).find(is_new);
        match next.filter(|_| !planted::is(Mistake::SnapshotUnchecked)) {
            None => Ok(Stage::Publish),
            Some(next) => {
                self.snapshots.read_page(self.to, &self.pages[next], Look::Values)?;
                Ok(Stage::Check(next + 1))
            }
        }
    }

    fn publish(&mut self) -> Result<Stage, SnapshotError> {
        let (position, snapshot) = (self.to, digest_of(&self.pages));
        if let Some(tables) = self.expected
            && tables != snapshot
            && !planted::is(Mistake::SnapshotUnchecked)
        {
            return Err(SnapshotError::Differs { position, snapshot, tables });
        }
        let journal = self.snapshots.settings().journal;
        let pages = self.pages.clone();
        let manifest = Manifest { journal, position, now: self.now, pages };
        self.snapshots.publish(manifest)?;
        Ok(Stage::Retire)
    }
}

/// Takes the next group behind `at` into `delta`. Returns its last position.
pub(super) fn take_group(
    reader: &mut GroupReader,
    delta: &mut Delta,
    at: Position,
    to: Position,
    bytes: &mut usize,
) -> Result<Position, SnapshotError> {
    let Some(group) = reader.next().transpose()? else {
        return Err(SnapshotError::JournalEnds { next: at.next(), to });
    };
    let (first, last) = (group.first, group.last());
    if first != at.next() {
        return Err(SnapshotError::InsideGroup { to: at, first, last });
    }
    if last > to {
        return Err(SnapshotError::InsideGroup { to, first, last });
    }
    *bytes += group.body.len();
    let rows = group_rows(&group.body);
    for row in rows.map_err(|source| SnapshotError::Group { first, source })? {
        delta.apply(row)?;
    }
    Ok(last)
}

impl<D: Disk> fmt::Debug for Snapshotter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshotter")
            .field("to", &self.to)
            .field("at", &self.at)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
