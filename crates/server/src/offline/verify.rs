//! A whole data directory, read through and held against itself.
//!
//! ```text
//! snapshots   every byte
//! tables      every page of a copy; their digest against snapshot + journal
//! journal     every frame and every command in it
//! state       snapshot + journal at the end, against tables + journal; engine rules
//! ```
//!
//! Changes nothing, and keeps a daemon from starting meanwhile.

use std::fs;
use std::path::Path;

use piecework_core::{Limits, Position};
use piecework_storage::{
    Bounds, DataDirectory, Disk, GroupReader, Inspection, JournalError, JournalSettings, RealDisk,
    RowsDigest, SnapshotError, SnapshotSettings, Snapshots, Store, decode_group, fold_digest,
    inspect,
};

use super::finding::{State, Verified};
use super::tables::{self, Copied};
use super::{OfflineError, Progress, snapshots};
use crate::writer::{engine_of, import, replay};

const JOURNAL_TODO: &str = "change nothing; copy the whole directory away, check the disk, then \
                            put the file back or go back to a backup with `piecework restore`";
const TABLES_TODO: &str = "nothing is lost; move the directory away while no daemon runs, and the \
                           next start makes it anew from snapshot and journal";
const STATE_TODO: &str = "change nothing; copy the whole directory away and report it";

/// The tables hold something else than snapshot and journal add up to.
#[derive(Debug, thiserror::Error)]
#[error(
    "the rows have digest {found} at position {position}, snapshot and journal have {expected}"
)]
struct Unlike {
    position: Position,
    found: RowsDigest,
    expected: RowsDigest,
}

/// Tables that the journal does not go on from.
#[derive(Debug, thiserror::Error)]
#[error("they end at position {applied} and the journal begins at {oldest}")]
struct Behind {
    applied: Position,
    oldest: Position,
}

/// Nothing reaches the journal.
#[derive(Debug, thiserror::Error)]
#[error("it begins at position {oldest}; neither the tables nor a snapshot reach that far")]
struct Unreached {
    oldest: Position,
}

/// Tables that do not come up.
#[derive(Debug, thiserror::Error)]
#[error("opening or reading a copy of them does not end")]
struct Hangs;

/// Checks the data directory at `data_dir`, on which no daemon may run. `scratch`:
/// an existing directory that takes a copy of the tables.
///
/// # Errors
/// It cannot be checked. What is damaged is a finding.
pub fn verify(
    data_dir: &Path,
    scratch: &Path,
    progress: Progress<'_>,
) -> Result<Verified, OfflineError> {
    let directory = DataDirectory::inspect(data_dir)?;
    let mut verified = Verified::default();
    let snapshots = whole_snapshots(&directory, scratch, progress, &mut verified)?;
    let store = tables(&directory, scratch, progress, &mut verified)?;
    let applied = store.as_ref().map_or(Position(0), Store::applied);
    let trusted = applied.max(snapshots.covered());
    let read = Reading { directory: &directory, trusted };
    progress("journal");
    if let Some(bounds) = journal(&read, &mut verified)? {
        let check = Check { snapshots: &snapshots, read: &read, bounds, scratch };
        let store = check.tables(store, &directory, progress, &mut verified)?;
        check.state(store, progress, &mut verified)?;
    }
    Ok(verified)
}

fn whole_snapshots(
    directory: &DataDirectory,
    scratch: &Path,
    progress: Progress<'_>,
    verified: &mut Verified,
) -> Result<Snapshots<RealDisk>, OfflineError> {
    // Directories of the first release have no place for them.
    let disk = |nowhere: &Path| {
        let is_there = directory.snapshots_path().is_dir();
        if is_there { directory.snapshots_disk() } else { RealDisk::backup(nowhere) }
    };
    let nowhere = scratch.join("no-snapshots");
    fs::create_dir_all(&nowhere).map_err(|source| OfflineError::Io {
        doing: "create",
        path: nowhere.clone(),
        source,
    })?;
    let settings = SnapshotSettings::new(directory.journal_id());
    let found = Snapshots::open_read_only(disk(&nowhere), settings)?;
    snapshots::check(&found, &disk(&nowhere), None, progress, verified)?;
    Ok(found)
}

/// A store on a copy of the tables, if they are whole.
fn tables(
    directory: &DataDirectory,
    scratch: &Path,
    progress: Progress<'_>,
    verified: &mut Verified,
) -> Result<Option<Store>, OfflineError> {
    let path = directory.tables_path();
    match tables::copied(&path, scratch, progress)? {
        Copied::Good(store, checked) => {
            let digest = store.applied_digest().map(|(_, _, digest)| digest);
            let (rows, bytes) = (checked.rows, checked.bytes);
            let detail = format!("{}, {rows} rows, {bytes} bytes", path.display());
            verified.good("tables", store.applied(), digest, detail);
            return Ok(Some(store));
        }
        Copied::Absent => {
            verified.noted("tables", None, "none; the next start makes them".to_owned());
        }
        Copied::Condemned => {
            let detail = "in doubt; the next start sets them aside and makes them anew";
            verified.noted("tables", None, detail.to_owned());
        }
        Copied::Damaged(error) => verified.damaged("tables", None, &path, &error, TABLES_TODO),
        Copied::Hanging => verified.damaged("tables", None, &path, &Hangs, TABLES_TODO),
    }
    Ok(None)
}

/// Every frame and every command; `None`: something is damaged.
fn journal(read: &Reading<'_>, verified: &mut Verified) -> Result<Option<Bounds>, OfflineError> {
    let path = read.directory.journal_disk().path("");
    let Inspection { bounds, cut, groups } = match read.inspect() {
        Ok(inspection) => inspection,
        Err(error) => return damaged_journal(error, &path, verified),
    };
    for group in groups {
        let group = match group {
            Ok(group) => group,
            Err(error) => return damaged_journal(error, &path, verified),
        };
        let (first, body) = (group.first, group.body);
        if let Err(error) = decode_group(&body) {
            verified.damaged("journal", Some(first), &path, &error, JOURNAL_TODO);
            return Ok(None);
        }
    }
    let (oldest, segments, bytes) = (bounds.oldest, bounds.segments, bounds.bytes);
    let last = Position(bounds.next.0 - 1);
    let detail =
        format!("{}, from {oldest} on, {segments} segments, {bytes} bytes", path.display());
    verified.good("journal", last, None, detail);
    if let Some(cut) = cut {
        let (file, offset) = (cut.file.display(), cut.offset);
        let detail = format!(
            "{file} has a torn tail from byte {offset} on, never acknowledged; the next start cuts it"
        );
        verified.noted("journal", Some(last), detail);
    }
    Ok(Some(bounds))
}

fn damaged_journal(
    error: JournalError,
    path: &Path,
    verified: &mut Verified,
) -> Result<Option<Bounds>, OfflineError> {
    let JournalError::Corrupt { position, .. } = error else { return Err(error.into()) };
    verified.damaged("journal", Some(position), path, &error, JOURNAL_TODO);
    Ok(None)
}

/// Reads the journal, from disk each time.
struct Reading<'a> {
    directory: &'a DataDirectory,
    trusted: Position,
}

impl Reading<'_> {
    fn inspect(&self) -> Result<Inspection, JournalError> {
        let settings = JournalSettings::new(self.directory.journal_id());
        inspect(&self.directory.journal_disk(), &settings, self.trusted)
    }

    /// The groups from the one that holds `from` on.
    fn from(&self, from: Position) -> Result<GroupReader, JournalError> {
        let Inspection { bounds, groups, .. } = self.inspect()?;
        if from < bounds.oldest {
            return Err(JournalError::Trimmed { asked: from, oldest: bounds.oldest });
        }
        let is_before = move |group: &Result<_, JournalError>| {
            group.as_ref().is_ok_and(|g: &piecework_storage::Group| g.last() < from)
        };
        Ok(Box::new(groups.skip_while(is_before)))
    }
}

/// The parts, each of which is whole, against each other.
struct Check<'a> {
    snapshots: &'a Snapshots<RealDisk>,
    read: &'a Reading<'a>,
    bounds: Bounds,
    scratch: &'a Path,
}

impl Check<'_> {
    /// The tables' digest against that of snapshot and journal. Returns them
    /// unless they are wrong.
    fn tables(
        &self,
        store: Option<Store>,
        directory: &DataDirectory,
        progress: Progress<'_>,
        verified: &mut Verified,
    ) -> Result<Option<Store>, OfflineError> {
        let Some(store) = store else { return Ok(None) };
        let position = store.applied();
        let path = directory.tables_path();
        if position.next() < self.bounds.oldest {
            // An old copy; or the store has lost everything and opens as if it were new.
            let behind = Behind { applied: position, oldest: self.bounds.oldest };
            verified.damaged("tables", Some(position), &path, &behind, TABLES_TODO);
            return Ok(None);
        }
        // After a crash in a checkpoint they are of no single position; what
        // follows, the state at the journal's end, compares them all the same.
        let Some((_, _, found)) = store.applied_digest() else { return Ok(Some(store)) };
        progress("tables against snapshot and journal");
        match self.folded(position)? {
            Some(expected) if expected != found => {
                let unlike = Unlike { position, found, expected };
                verified.damaged("tables", Some(position), &path, &unlike, TABLES_TODO);
                Ok(None)
            }
            Some(_) => Ok(Some(store)),
            None => {
                let detail = "no snapshot and no journal from its beginning to compare with";
                verified.noted("tables", Some(position), detail.to_owned());
                Ok(Some(store))
            }
        }
    }

    /// All rows at the journal's end.
    fn state(
        &self,
        store: Option<Store>,
        progress: Progress<'_>,
        verified: &mut Verified,
    ) -> Result<(), OfflineError> {
        progress("state at the journal's end");
        let last = Position(self.bounds.next.0 - 1);
        let path = self.read.directory.path();
        let expected = self.folded(last)?;
        let Some(store) = store.map_or_else(|| self.made_anew(), |store| Ok(Some(store)))? else {
            let unreached = Unreached { oldest: self.bounds.oldest };
            verified.damaged("journal", Some(last), path, &unreached, JOURNAL_TODO);
            return Ok(());
        };
        let (_, now) = replay(&store, self.bounds.next, |from| self.read.from(from))?;
        let found = store.digest()?;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let unlike = Unlike { position: last, found, expected };
            verified.damaged("state", Some(last), path, &unlike, STATE_TODO);
            return Ok(());
        }
        if let Err(broken) = engine_of(&store, Limits::default(), now)?.check(now) {
            verified.damaged("state", Some(last), path, &broken, STATE_TODO);
            return Ok(());
        }
        let detail = "snapshot, journal and tables agree; the engine's rules hold".to_owned();
        verified.good("state", last, Some(found), detail);
        verified.state = Some(State { position: last.0, digest: found.to_string() });
        Ok(())
    }

    /// The digest of snapshot and journal at `to`; `None`: none reaches the journal.
    fn folded(&self, to: Position) -> Result<Option<RowsDigest>, OfflineError> {
        let Some(from) = self.base(to) else { return Ok(None) };
        let folded = fold_digest(self.snapshots, from, &|at| self.read.from(at), to);
        match folded {
            Ok((digest, _)) => Ok(Some(digest)),
            Err(SnapshotError::Journal(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// From which snapshot the journal goes on to `to`; `Some(None)`: from nothing.
    fn base(&self, to: Position) -> Option<Option<Position>> {
        let oldest = self.bounds.oldest;
        let snapshots = self.snapshots.list();
        let positions = snapshots.iter().rev().map(|info| info.position);
        let newest = { positions }.find(|at| *at <= to && at.next() >= oldest);
        newest.map(Some).or((oldest == Position(1)).then_some(None))
    }

    /// Tables as the next start would make them, at the position of a snapshot.
    fn made_anew(&self) -> Result<Option<Store>, OfflineError> {
        let last = Position(self.bounds.next.0 - 1);
        let Some(base) = self.base(last) else { return Ok(None) };
        let store = tables::empty(self.scratch)?;
        let snapshots = self.snapshots.list();
        if let Some(info) = snapshots.iter().find(|info| Some(info.position) == base) {
            import(&store, self.snapshots, info)?;
        }
        Ok(Some(store))
    }
}
