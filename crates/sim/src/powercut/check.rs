//! Recovering a disk after a power cut, and comparing it with what is owed.

use piecework_core::Position;
use piecework_storage::{
    Bounds, Group, Journal as _, JournalError, JournalSettings, LyingDisk, SteppedJournal,
};

use super::history::Owed;
use crate::Random;

/// Opens the journal on `disk` and says what is wrong with it, if anything.
pub(super) fn check(
    disk: &LyingDisk,
    settings: &JournalSettings,
    owed: &Owed,
    random: &mut Random,
) -> Result<(), String> {
    // The tables may say that less than everything was durable, or nothing.
    let known = usize::try_from(owed.acknowledged.0).expect("a short run") + 1;
    let trusted = if random.one_in(2) { 0 } else { random.index(known) };
    let (bounds, groups) = open(disk, settings, Position(trusted as u64))
        .map_err(|error| format!("it does not open: {error}"))?;
    let last = Position(bounds.next.0 - 1);
    if last < owed.acknowledged {
        return Err(format!("{} was acknowledged, {last} is the last", owed.acknowledged));
    }
    if bounds.oldest > owed.trimmed {
        return Err(format!("{} is the oldest, {} was kept", bounds.oldest, owed.trimmed));
    }
    let expected = owed.groups.iter().filter(|g| g.first >= bounds.oldest && g.last() <= last);
    if !groups.iter().eq(expected) {
        return Err(format!("positions {} to {last} are not what was appended", bounds.oldest));
    }
    if groups.last().map_or(bounds.oldest, |group| group.last().next()) != bounds.next {
        return Err(format!("position {last} was never appended"));
    }
    // What was recovered is served from now on: neither a kill nor another
    // power cut may take it away again.
    if random.one_in(2) {
        disk.power_cut();
    }
    let again = open(disk, settings, Position(trusted as u64))
        .map_err(|error| format!("it does not open again: {error}"))?;
    let (same, same_groups) = again;
    let ends = |bounds: &Bounds| (bounds.oldest, bounds.next, bounds.head);
    if ends(&same) != ends(&bounds) || same_groups != groups {
        return Err(format!("opened again it ends at {}, not {}", same.next, bounds.next));
    }
    Ok(())
}

fn open(
    disk: &LyingDisk,
    settings: &JournalSettings,
    trusted: Position,
) -> Result<(Bounds, Vec<Group>), JournalError> {
    let nobody = Box::new(|_| {});
    let journal = SteppedJournal::open(disk.clone(), settings.clone(), trusted, nobody)?;
    let bounds = journal.bounds();
    let groups: Result<Vec<Group>, JournalError> = journal.read(bounds.oldest)?.collect();
    Ok((bounds, groups?))
}
