//! Any history of groups, checkpoints and crashes against a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use piecework_core::change::Change;
use piecework_core::{LeaseId, Position, ProjectId, WorkerId};
use piecework_storage::{
    Key, KeyValue as _, MemoryKeyValue, Row, RowId, RowsDigest, Store, StoreSettings, decode_group,
};
use proptest::prelude::*;

use crate::samples::{Dice, TENANT, at, body};

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    /// A group of changes made from the seed.
    Publish { seed: u64, changes: u32 },
    /// A piece of a checkpoint.
    Piece,
    /// A whole one.
    Checkpoint,
    /// A piece of a scrub.
    Scrub { budget: usize },
    /// The store of keys and values syncs of its own accord.
    Flush,
    /// All is forgotten but what was synced and the first so many batches since.
    Crash { kept: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<u64>(), 0..8_u32).prop_map(|(seed, changes)| Step::Publish { seed, changes }),
        6 => Just(Step::Piece),
        1 => Just(Step::Checkpoint),
        4 => (0..20_000_usize).prop_map(|budget| Step::Scrub { budget }),
        1 => Just(Step::Flush),
        2 => (0..4_usize).prop_map(|kept| Step::Crash { kept }),
    ]
}

/// The rows as a plain map; shares no code with the tables but keys and values.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Key, Bytes>,
    answers: BTreeMap<LeaseId, (WorkerId, u32)>,
    names: BTreeMap<ProjectId, String>,
}

impl Model {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Submission(s) => {
                self.answers.insert(s.lease, (s.worker, s.nth));
            }
            Change::Project(p) => {
                self.names.insert(p.id, p.name.as_str().to_owned());
            }
            _ => {}
        }
        for row in decode_group(&body([change.clone()])).unwrap().remove(0).rows {
            match row {
                Row::Put { key, value } => {
                    self.rows.insert(key, value);
                }
                Row::Gone { key } => {
                    self.rows.remove(&key);
                }
                Row::RangeGone { first, last } => {
                    let gone = |key: &Key| (&first..=&last).contains(&key);
                    let keys: Vec<Key> = self.rows.keys().filter(|k| gone(k)).cloned().collect();
                    keys.iter().for_each(|key| self.remove(key));
                }
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        self.rows.remove(key);
        let derived = match key.row().unwrap().1 {
            RowId::Submission(lease) => {
                let (worker, nth) = self.answers[&lease];
                Some(Key::new(TENANT, RowId::AnswerOfWorker(worker, nth)))
            }
            RowId::Project(id) => Some(Key::new(TENANT, RowId::ProjectName(&self.names[&id]))),
            _ => None,
        };
        derived.map(|derived| self.rows.remove(&derived));
    }

    fn digest(&self) -> RowsDigest {
        let mut digest = RowsDigest::default();
        self.rows.iter().for_each(|(key, value)| digest.add(key.as_bytes(), value));
        digest
    }
}

struct World {
    kv: MemoryKeyValue,
    store: Store,
    journal: Vec<Bytes>,
    model: Model,
    /// The model's digest at every position, from 0.
    digests: Vec<RowsDigest>,
}

impl World {
    fn new() -> World {
        let kv = MemoryKeyValue::new();
        World {
            store: open(&kv),
            kv,
            journal: Vec::new(),
            model: Model::default(),
            digests: vec![RowsDigest::default()],
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Publish { seed, changes } => {
                let mut dice = Dice(seed);
                let changes: Vec<Change> = (0..changes).map(|_| dice.change_of_today()).collect();
                changes.iter().for_each(|change| self.model.apply(change));
                self.digests.push(self.model.digest());
                self.journal.push(body(changes));
                self.publish(self.journal.len());
            }
            Step::Piece => {
                self.store.checkpoint_step().unwrap();
                self.store.note_step().unwrap();
            }
            Step::Checkpoint => {
                let applied = self.store.checkpoint_now().unwrap();
                assert_eq!(applied, self.store.published());
            }
            Step::Scrub { budget } => {
                self.store.scrub_step(budget).unwrap();
            }
            Step::Flush => self.kv.flush().unwrap(),
            Step::Crash { kept } => self.crash(kept),
        }
    }

    fn publish(&self, position: usize) {
        let last = Position(position as u64);
        self.store.publish(&self.journal[position - 1], last, at(last.0)).unwrap();
        assert_eq!(self.store.published(), last);
    }

    /// Recovery as the server does it: replay from the applied position on.
    fn crash(&mut self, kept: usize) {
        self.kv.crash(kept);
        self.store = open(&self.kv);
        let applied = usize::try_from(self.store.applied().0).unwrap();
        if applied > 0 {
            assert_eq!(self.store.applied_now(), at(applied as u64));
        }
        (applied + 1..=self.journal.len()).for_each(|position| self.publish(position));
    }

    fn check(&self) {
        assert_eq!(self.store.digest().unwrap(), self.model.digest());
        if let Some((position, _, rows)) = self.store.applied_digest() {
            assert_eq!(position, self.store.applied());
            assert_eq!(rows, self.digests[usize::try_from(position.0).unwrap()]);
        }
        // Adds up what lies in the store.
        let bare = open(&self.kv);
        assert_eq!(bare.rows_digest(), self.store.rows_digest());
        bare.check_pages().unwrap();
        for (key, value) in &self.model.rows {
            // Every row is found by its key too, not only in passing.
            if let RowId::Spec(task) = key.row().unwrap().1 {
                let spec = self.store.view(TENANT).spec(task).unwrap();
                assert!(spec.is_some_and(|spec| spec.payload.len() < value.len()));
            }
        }
    }
}

fn open(kv: &MemoryKeyValue) -> Store {
    let settings = StoreSettings { overlay_bytes: 4096, ..StoreSettings::default() };
    Store::with_key_value(Arc::new(kv.clone()), &settings).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_rows_are_those_of_a_plain_map_whatever_happens(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check();
        }
        world.crash(0);
        world.check();
        world.take(&Step::Checkpoint);
        world.check();
        prop_assert_eq!(world.store.rows_digest(), world.model.digest());
        let checked = world.store.check_pages().unwrap();
        prop_assert_eq!(checked.rows, world.model.rows.len() as u64);
    }
}

#[test]
fn replaying_a_journal_from_its_start_onto_finished_tables_changes_nothing() {
    let mut world = World::new();
    for seed in 0..60 {
        world.take(&Step::Publish { seed, changes: 6 });
    }
    world.take(&Step::Checkpoint);
    let digest = world.store.digest().unwrap();
    (1..=world.journal.len()).for_each(|position| world.publish(position));
    assert_eq!(world.store.digest().unwrap(), digest);
}
