//! Crashes at any moment: nothing completed is lost, nothing is invented.
//!
//! A world drives the stepped journal on the lying disk by one seed: appends,
//! syncs, markers, trims and prepared segments in any order, then the process
//! dies at any operation (inside recovery too), with or without a power cut
//! and failed syncs, and the journal is opened again.

use piecework_core::Position;
use proptest::prelude::*;

use crate::journal::conformance::{Heard, group_at};
use crate::journal::{Group, Journal, JournalError, JournalId};

use super::{JournalSettings, LyingDisk, Operation, RecordingDisk, SteppedJournal};

/// What must be true of the journal, whatever happens to it.
struct World {
    disk: LyingDisk,
    random: u64,
    settings: JournalSettings,
    /// Every group handed over that may still be there.
    history: Vec<Group>,
    /// Whatever was completed, or was there after a recovery, stays.
    completed: Position,
    /// Below this a trim was asked for.
    trimmed: Position,
}

impl World {
    fn new(seed: u64) -> World {
        let mut world = World {
            disk: LyingDisk::new(seed),
            random: seed ^ 0x5eed,
            settings: JournalSettings::new(JournalId(9)),
            history: Vec::new(),
            completed: Position(0),
            trimmed: Position(1),
        };
        world.settings.segment_bytes = [8, 16, 32][world.below(3)] * 1024;
        world.settings.queued_groups = 1 + world.below(3);
        world
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        usize::try_from(self.random >> 33).expect("31 bits") % limit
    }

    /// Lives and crashes `lives` times. Says which rule was broken.
    fn run(&mut self, lives: usize) -> Result<(), String> {
        for life in 0..lives {
            let explain = |error| format!("life {life}: {error}");
            // May die in recovery, and then again.
            while self.below(3) == 0 {
                let at = self.disk.operations() + 1 + self.below(12) as u64;
                match self.below(3) {
                    0 => self.disk.fail_next_sync(),
                    _ => self.disk.die_at(at),
                }
                let died = self.open(&Heard::default()).is_err();
                self.crash();
                if !died {
                    break;
                }
            }
            let heard = Heard::default();
            let opened = self.open(&heard);
            let mut journal = opened.map_err(|e| explain(format!("{e} ({e:?})")))?;
            self.check(&journal).map_err(explain)?;
            if self.below(4) > 0 {
                let at = self.disk.operations() + self.below(120) as u64;
                self.disk.die_at(at);
            }
            let ended = self.live(&mut journal, &heard);
            self.completed = self.completed.max(heard.last());
            if heard.errors() > 1 {
                return Err(explain("more than one error was told".to_owned()));
            }
            if ended.is_ok() && self.below(3) == 0 && journal.close().is_ok() {
                self.completed = self.completed.max(heard.last());
                if self.history.last().is_some_and(|group| group.last() != heard.last())
                    && !heard.durable().is_empty()
                {
                    return Err(explain("closed without completing everything".to_owned()));
                }
            }
            self.crash();
        }
        Ok(())
    }

    fn open(&mut self, heard: &Heard) -> Result<SteppedJournal<LyingDisk>, JournalError> {
        // What the tables have applied was completed before.
        let applied = self.below(usize::try_from(self.completed.0).expect("few") + 1);
        let (disk, settings) = (self.disk.clone(), self.settings.clone());
        SteppedJournal::open(disk, settings, Position(applied as u64), heard.callback())
    }

    fn crash(&mut self) {
        match self.below(2) {
            0 => _ = self.disk.power_cut(),
            _ => self.disk.restart(),
        }
    }

    /// Compares the reopened journal with everything that ever happened.
    fn check(&mut self, journal: &SteppedJournal<LyingDisk>) -> Result<(), String> {
        let bounds = journal.bounds();
        let last = Position(bounds.next.0 - 1);
        if last < self.completed {
            return Err(format!("{} was completed, {last} is left", self.completed));
        }
        if bounds.oldest > self.trimmed {
            return Err(format!("{} is the oldest, trimmed to {}", bounds.oldest, self.trimmed));
        }
        let read: Result<Vec<Group>, _> = journal.read(bounds.oldest).and_then(Iterator::collect);
        let read = read.map_err(|error| format!("reading back: {error}"))?;
        self.history.retain(|group| group.last() <= last);
        let kept: Vec<_> =
            self.history.iter().filter(|group| group.first >= bounds.oldest).cloned().collect();
        if read != kept {
            return Err(format!("{} groups read, {} were handed over", read.len(), kept.len()));
        }
        // Recovered is durable: replies may rest on it from now on.
        self.completed = last;
        Ok(())
    }

    fn live(
        &mut self,
        journal: &mut SteppedJournal<LyingDisk>,
        heard: &Heard,
    ) -> Result<(), JournalError> {
        for _ in 0..self.below(60) {
            match self.below(12) {
                0..=4 => {
                    let bytes = match self.below(12) {
                        0 => self.below(60_000),
                        1..=4 => self.below(9_000),
                        _ => self.below(600),
                    };
                    let count = 1 + u32::try_from(self.below(3)).expect("small");
                    let group = group_at(&journal.bounds(), count, bytes);
                    // Remembered first: a failed append may have written it.
                    self.history.push(group.clone());
                    journal.append(group)?;
                }
                5..=7 => _ = journal.step_sync(false),
                8 => _ = journal.step_sync(true),
                9 => _ = journal.step_keeper(),
                10 => journal.mark()?,
                _ if self.below(3) == 0 => {
                    let done = heard.last().max(self.completed).0;
                    let below =
                        Position(1 + self.below(usize::try_from(done).expect("few") + 1) as u64);
                    self.trimmed = self.trimmed.max(below);
                    journal.trim(below)?;
                }
                _ if self.below(40) == 0 => self.disk.fail_next_sync(),
                _ => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_crash_loses_a_completed_group_or_invents_one(seed: u64) {
        let outcome = World::new(seed).run(8);
        prop_assert!(outcome.is_ok(), "seed {seed}: {}", outcome.unwrap_err());
    }
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let operations = |seed| {
        let mut world = World::new(seed);
        world.run(6).expect("clean");
        (world.disk.operations(), world.completed)
    };
    for seed in 0..10 {
        assert_eq!(operations(seed), operations(seed));
    }
}

#[test]
fn a_disk_that_skips_its_syncs_is_found_out() {
    let found = (0..50).filter(|seed| {
        let mut world = World::new(*seed);
        world.disk.skip_syncs();
        world.run(6).is_err()
    });
    assert!(found.count() > 10, "the check must be able to fail");
}

#[test]
fn groups_read_from_the_page_cache_only_are_made_durable_before_serving() {
    let disk = LyingDisk::new(3);
    let settings =
        JournalSettings { segment_bytes: 32 * 1024, ..JournalSettings::new(JournalId(9)) };
    let open = |heard: &Heard| {
        SteppedJournal::open(disk.clone(), settings.clone(), Position(0), heard.callback())
            .expect("opened")
    };
    let heard = Heard::default();
    let mut journal = open(&heard);
    for _ in 0..3 {
        journal.append(group_at(&journal.bounds(), 1, 5_000)).expect("taken");
        disk.fail_next_sync();
        journal.step_sync(false);
        if heard.errors() == 1 {
            break;
        }
    }
    assert!(journal.append(group_at(&journal.bounds(), 1, 10)).is_err(), "nothing after an error");
    drop(journal);
    // Killed, not cut: the cache still shows what the disk refused for ever.
    disk.restart();
    let journal = open(&Heard::default());
    let recovered = journal.bounds().synced;
    assert_eq!(recovered, Position(1));
    drop(journal);
    disk.power_cut();
    assert_eq!(open(&Heard::default()).bounds().synced, recovered);
}

/// A trimmed segment is a spare in the claim that a killed process had only
/// renamed; recovery must not zero it while the claim before may come back.
#[test]
fn a_spare_is_not_reused_before_the_claim_that_calls_it_one_is_durable() {
    let settings =
        JournalSettings { segment_bytes: 16 * 1024, ..JournalSettings::new(JournalId(9)) };
    let disk = RecordingDisk::new(LyingDisk::new(1)).expect("empty");
    let nobody = || Heard::default().callback();
    let mut journal =
        SteppedJournal::open(disk.clone(), settings.clone(), Position(0), nobody()).expect("new");
    for _ in 0..6 {
        journal.append(group_at(&journal.bounds(), 1, 5_000)).expect("taken");
        while journal.step_sync(false) || journal.step_keeper() {}
    }
    assert!(journal.trim(Position(5)).expect("trimmed") > Position(1));
    let trimmed = disk.recording().operations().len();
    journal.step_keeper();
    journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
    journal.step_sync(false);
    let recording = disk.recording();
    let released = &recording.operations()[trimmed..];
    let renamed = released.iter().position(|r| matches!(r.operation, Operation::Rename { .. }));
    let written = released.iter().rfind(|r| matches!(r.operation, Operation::Write { .. }));
    // The claim is renamed and the group written at about the same time.
    let mut replay = recording.replay();
    replay.advance(trimmed + renamed.expect("claimed") + 1);
    for (seed, died) in (0..8).flat_map(|seed| (1..24).map(move |died| (seed, died))) {
        let disk = replay.killed(seed, false);
        disk.redo(&written.expect("the group").operation);
        disk.die_at(disk.operations() + died);
        let open = || SteppedJournal::open(disk.clone(), settings.clone(), Position(0), nobody());
        drop(open());
        disk.power_cut();
        let opened = open().map(|journal| journal.bounds().next);
        let next = opened.unwrap_or_else(|error| panic!("seed {seed}, died at {died}: {error}"));
        assert!(next >= Position(7), "seed {seed}, died at {died}: {next}");
    }
}

#[test]
fn after_an_error_nothing_is_completed_and_it_is_told_once() {
    let disk = LyingDisk::new(4);
    let settings = JournalSettings { queued_groups: 4, ..JournalSettings::new(JournalId(9)) };
    let settings = JournalSettings { segment_bytes: 32 * 1024, ..settings };
    let heard = Heard::default();
    let mut journal = SteppedJournal::open(disk.clone(), settings, Position(0), heard.callback())
        .expect("opened");
    for _ in 0..3 {
        journal.append(group_at(&journal.bounds(), 1, 10)).expect("taken");
    }
    disk.fail_next_sync();
    while journal.step_sync(true) || journal.step_keeper() {}
    assert_eq!((heard.durable().len(), heard.errors()), (0, 1));
    let error = journal.append(group_at(&journal.bounds(), 1, 10)).expect_err("stopped");
    assert!(matches!(error, JournalError::Stopped { synced: Position(0) }), "{error}");
    assert!(journal.mark().is_err() && journal.trim(Position(1)).is_err());
    assert!(journal.close().is_err());
    assert_eq!((heard.durable().len(), heard.errors()), (0, 1));
}
