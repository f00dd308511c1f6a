//! What every provider of [`Journal`] must do, as one suite.
//!
//! A provider hands in a [`Subject`]; [`check_all`] runs each claim on a fresh one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use piecework_core::{EngineTime, Now, Position, WallTime};

use super::{Bounds, Durable, Epoch, FrameHash, Group, Journal, JournalError, OnDurable, Ticket};

/// One journal's storage, to be opened again and again.
pub trait Subject {
    /// The provider.
    type Journal: Journal;

    /// Opens what earlier journals left behind; panics when that fails.
    fn open(&mut self, on_durable: OnDurable) -> Self::Journal;

    /// Returns once everything appended is durable and completed.
    fn settle(&mut self, journal: &mut Self::Journal, heard: &Heard);
}

/// What a journal's completion callback was told. Clones hear the same.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<Result<Durable, JournalError>>>>);

impl Heard {
    /// A callback that remembers here.
    #[must_use]
    pub fn callback(&self) -> OnDurable {
        let heard = Arc::clone(&self.0);
        Box::new(move |told| heard.lock().expect("no panic").push(told))
    }

    /// The completions so far.
    #[must_use]
    pub fn durable(&self) -> Vec<Durable> {
        let heard = self.0.lock().expect("no panic");
        heard.iter().filter_map(|told| told.as_ref().ok().copied()).collect()
    }

    /// The last position completed; zero when there is none.
    #[must_use]
    pub fn last(&self) -> Position {
        self.durable().last().map_or(Position(0), |durable| durable.last)
    }

    /// How many errors were told.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.0.lock().expect("no panic").iter().filter(|told| told.is_err()).count()
    }
}

/// A group of `count` commands at the next position, with a body of `bytes`
/// that depends on the position.
#[must_use]
pub fn group_at(bounds: &Bounds, count: u32, bytes: usize) -> Group {
    let first = bounds.next;
    let body = (0..bytes).map(|i| first.0.wrapping_mul(31).wrapping_add(i as u64).to_le_bytes()[0]);
    Group {
        first,
        count,
        now: Now { engine: EngineTime(first.0 * 10), wall: WallTime(first.0 * 1_000) },
        body: body.collect(),
    }
}

/// Runs the whole suite, each claim on a subject of its own.
pub fn check_all<S: Subject>(mut fresh: impl FnMut() -> S) {
    a_new_journal_is_empty(fresh());
    appends_complete_in_order_and_read_back(fresh());
    what_was_completed_survives_a_reopen(fresh());
    a_reader_starts_inside_a_group_and_ends_at_the_end(fresh());
    a_trim_keeps_what_it_must(fresh());
    a_group_elsewhere_than_at_the_next_position_is_refused(fresh());
    an_orderly_end_completes_everything(fresh());
    a_marker_takes_no_position(fresh());
}

fn read_all<J: Journal>(journal: &J, from: Position) -> Vec<Group> {
    let groups = journal.read(from).expect("kept");
    groups.collect::<Result<_, _>>().expect("whole")
}

fn append_some<J: Journal>(journal: &mut J, sizes: &[usize]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (count, bytes) in (1..).zip(sizes) {
        let group = group_at(&journal.bounds(), count, *bytes);
        groups.push(group.clone());
        let appended =
            if count % 2 == 0 { journal.append_alone(group) } else { journal.append(group) };
        appended.expect("taken");
    }
    groups
}

fn a_new_journal_is_empty<S: Subject>(mut subject: S) {
    let journal = subject.open(Heard::default().callback());
    let bounds = journal.bounds();
    assert_eq!((bounds.oldest, bounds.next), (Position(1), Position(1)));
    assert_eq!((bounds.synced, bounds.epoch), (Position(0), Epoch(1)));
    assert_eq!(bounds.head, FrameHash::default());
    assert_eq!(read_all(&journal, Position(1)), []);
}

fn appends_complete_in_order_and_read_back<S: Subject>(mut subject: S) {
    let heard = Heard::default();
    let mut journal = subject.open(heard.callback());
    let mut groups = Vec::new();
    let mut heads = vec![journal.bounds().head];
    for (number, bytes) in [0, 1, 4_000, 4_001, 20_000].into_iter().enumerate() {
        let group = group_at(&journal.bounds(), 3, bytes);
        groups.push(group.clone());
        let alone = number % 2 == 1;
        let ticket = if alone { journal.append_alone(group) } else { journal.append(group) };
        assert_eq!(ticket.expect("taken"), Ticket(number as u64 + 1));
        assert_eq!(journal.bounds().next, Position(number as u64 * 3 + 4));
        assert!(!heads.contains(&journal.bounds().head), "each group moves the head");
        heads.push(journal.bounds().head);
    }
    subject.settle(&mut journal, &heard);
    let expected: Vec<_> =
        (1..=5).map(|n| Durable { ticket: Ticket(n), last: Position(n * 3) }).collect();
    assert_eq!(heard.durable(), expected);
    assert_eq!(journal.bounds().synced, Position(15));
    assert_eq!(read_all(&journal, Position(1)), groups);
}

fn what_was_completed_survives_a_reopen<S: Subject>(mut subject: S) {
    let mut groups = Vec::new();
    let mut head = FrameHash::default();
    for round in 1..=4 {
        let heard = Heard::default();
        let mut journal = subject.open(heard.callback());
        assert_eq!(journal.bounds().epoch, Epoch(round));
        assert_eq!(journal.bounds().head, head);
        assert_eq!(read_all(&journal, Position(1)), groups);
        groups.extend(append_some(&mut journal, &[10, 5_000, 300]));
        subject.settle(&mut journal, &heard);
        head = journal.bounds().head;
    }
}

fn a_reader_starts_inside_a_group_and_ends_at_the_end<S: Subject>(mut subject: S) {
    let heard = Heard::default();
    let mut journal = subject.open(heard.callback());
    // Positions 1, 2–3, 4–6.
    let groups = append_some(&mut journal, &[100, 200, 300]);
    subject.settle(&mut journal, &heard);
    for (from, skipped) in [(1, 0), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3)] {
        assert_eq!(read_all(&journal, Position(from)), groups[skipped..], "from {from}");
    }
}

fn a_trim_keeps_what_it_must<S: Subject>(mut subject: S) {
    let heard = Heard::default();
    let mut journal = subject.open(heard.callback());
    let groups = append_some(&mut journal, &[9_000; 20]);
    subject.settle(&mut journal, &heard);
    let below = groups[12].first;
    let reader = journal.read(Position(1)).expect("kept");
    let oldest = journal.trim(below).expect("trimmed");
    assert!(oldest > Position(1) && oldest <= below, "oldest {oldest}, below {below}");
    assert_eq!(journal.bounds().oldest, oldest);
    assert_eq!(journal.trim(Position(1)).expect("nothing to do"), oldest);
    let kept: Vec<_> = groups.iter().filter(|g| g.first >= oldest).cloned().collect();
    assert_eq!(read_all(&journal, oldest), kept);
    let error = journal.read(Position(oldest.0 - 1)).err().expect("trimmed");
    assert!(matches!(error, JournalError::Trimmed { .. }), "{error}");
    let more = append_some(&mut journal, &[9_000; 20]);
    subject.settle(&mut journal, &heard);
    let read: Result<Vec<_>, _> = reader.collect();
    assert_eq!(read.expect("a trim does not disturb a reader"), groups);
    journal.close().expect("closed");
    let journal = subject.open(Heard::default().callback());
    assert!(journal.bounds().oldest <= oldest, "more may be left than was kept, never less");
    assert_eq!(read_all(&journal, oldest), [kept, more].concat());
}

fn a_group_elsewhere_than_at_the_next_position_is_refused<S: Subject>(mut subject: S) {
    for (first, count) in [(2, 1), (0, 1), (1, 0)] {
        let mut journal = subject.open(Heard::default().callback());
        let mut group = group_at(&journal.bounds(), count, 10);
        group.first = Position(first);
        let appended = catch_unwind(AssertUnwindSafe(|| journal.append(group)));
        assert!(appended.is_err(), "first {first}, count {count}");
        // Its lock may be poisoned by the panic; only the next open counts.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(journal)));
    }
}

fn an_orderly_end_completes_everything<S: Subject>(mut subject: S) {
    let heard = Heard::default();
    let mut journal = subject.open(heard.callback());
    let groups = append_some(&mut journal, &[10, 20]);
    journal.close().expect("closed");
    assert_eq!(heard.last(), Position(3));
    let journal = subject.open(Heard::default().callback());
    assert_eq!(read_all(&journal, Position(1)), groups);
}

fn a_marker_takes_no_position<S: Subject>(mut subject: S) {
    let heard = Heard::default();
    let mut journal = subject.open(heard.callback());
    let mut groups = append_some(&mut journal, &[10]);
    journal.mark().expect("asked");
    subject.settle(&mut journal, &heard);
    let (next, head) = (journal.bounds().next, journal.bounds().head);
    journal.mark().expect("asked");
    subject.settle(&mut journal, &heard);
    assert_eq!((journal.bounds().next, journal.bounds().head), (next, head));
    groups.extend(append_some(&mut journal, &[10]));
    subject.settle(&mut journal, &heard);
    assert_eq!(heard.durable().len(), 2);
    assert_eq!(read_all(&journal, Position(1)), groups);
    journal.close().expect("closed");
    assert_eq!(read_all(&subject.open(Heard::default().callback()), Position(1)), groups);
}
