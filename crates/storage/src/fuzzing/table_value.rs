//! Tables with any keys and values, and rows with any messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use piecework_core::change::Parent;
use piecework_core::event::Log;
use piecework_core::{
    ClientId, EngineTime, LeaseId, Now, Position, ProjectId, RequesterId, Revision, Sequence,
    TaskId, TaskNumber, TenantId, WorkerId,
};

use crate::group::{decode_group, group_rows};
use crate::tables::{
    Direction, Key, KeyValue, MemoryKeyValue, Row, RowId, Store, StoreError, StoreSettings,
    checksum,
};

/// Reads `bytes` but for the first, which says as what: a group's body, the
/// message of a row (the second byte says of which kind), or keys and values
/// as they lie in the tables' store. Checksums are made right where they
/// would hide what lies behind them.
pub fn table_value(bytes: &[u8]) {
    let Some((form, rest)) = bytes.split_first() else { return };
    // Whatever is wrong is an error, and an error is an answer.
    let _ = match form % 3 {
        0 => body(rest),
        1 => message(rest),
        _ => pairs(rest),
    };
}

fn body(bytes: &[u8]) -> Result<(), StoreError> {
    let body = Bytes::copy_from_slice(bytes);
    let decoded = decode_group(&body);
    let rows = group_rows(&body);
    assert_eq!(decoded.is_ok(), rows.is_ok(), "two readers of one body");
    let store = Store::in_memory(&StoreSettings::default());
    store.publish(&body, Position(1), Now::default())?;
    read_all(&store)
}

fn message(bytes: &[u8]) -> Result<(), StoreError> {
    let Some((kind, message)) = bytes.split_first() else { return Ok(()) };
    let row = rows()[usize::from(*kind) % ROWS];
    let tenant = if row == RowId::Partition { TenantId(0) } else { TenantId::DEFAULT };
    let key = Key::new(tenant, row);
    let mut value = message.to_vec();
    value.extend_from_slice(&checksum(key.as_bytes(), message).to_le_bytes());
    let store = Store::in_memory(&StoreSettings::default());
    let row = Row::Put { key, value: value.into() };
    store.publish_rows(vec![row], Position(1), Now::default())?;
    read_all(&store)?;
    store.checkpoint_now()?;
    read_all(&store)
}

/// Pairs of: key length (one byte), value length (two bytes), key, value.
fn pairs(mut bytes: &[u8]) -> Result<(), StoreError> {
    let mut pairs = BTreeMap::new();
    while let [key_length, low, high, rest @ ..] = bytes {
        let value_length = usize::from(u16::from_le_bytes([*low, *high]));
        let (key, rest) = rest.split_at(usize::from(*key_length).min(rest.len()));
        let (value, rest) = rest.split_at(value_length.min(rest.len()));
        // A page's checksum covers its key as rows have it.
        let under = if key.first() == Some(&b'p') { &key[1..] } else { key };
        let mut value = value.to_vec();
        value.extend_from_slice(&checksum(under, &value).to_le_bytes());
        pairs.insert(key.to_vec(), Some(value));
        bytes = rest;
    }
    let kv = Arc::new(MemoryKeyValue::new());
    kv.apply_batch(&pairs.into_iter().collect())?;
    let store = Store::with_key_value(kv, &StoreSettings::default())?;
    let _ = store.check_pages();
    read_all(&store)
}

const ROWS: usize = 23;
const NAME: &str = "name";
const PROJECT: ProjectId = ProjectId(1);
const WORKER: WorkerId = WorkerId(1);
const TASK: TaskId = TaskId { project: PROJECT, number: TaskNumber(1) };
const LEASE: LeaseId = LeaseId { task: TASK, number: 1 };

/// One row of every kind.
fn rows() -> [RowId<'static>; ROWS] {
    [
        RowId::Partition,
        RowId::RequesterName(NAME),
        RowId::Requester(RequesterId(1)),
        RowId::ProjectName(NAME),
        RowId::Project(PROJECT),
        RowId::WorkerName(NAME),
        RowId::Worker(WORKER),
        RowId::Terms(PROJECT, Revision(1)),
        RowId::ProjectTally(PROJECT),
        RowId::WorkerRecord(WORKER),
        RowId::LeaseRequest(WORKER, 1),
        RowId::WorkTally(PROJECT, WORKER),
        RowId::CreateKey(Parent::Tasks(PROJECT), NAME),
        RowId::Sweep(PROJECT),
        RowId::Spec(TASK),
        RowId::Task(TASK),
        RowId::Lease(LEASE),
        RowId::AnswerOfWorker(WORKER, 1),
        RowId::Submission(LEASE),
        RowId::ProjectEvent(PROJECT, Sequence(1)),
        RowId::WorkerEvent(Sequence(1)),
        RowId::Draft(LEASE),
        RowId::SkillRating(WORKER, NAME),
    ]
}

/// Every read there is; one that fails does not keep the others from it.
fn read_all(store: &Store) -> Result<(), StoreError> {
    let view = store.view(TenantId::DEFAULT);
    let name = ClientId::new(NAME).expect("a good name");
    let _ = store.load(EngineTime(0), &mut |_| {});
    let _ = (view.requester_named(&name), view.requesters(RequesterId(0), 10));
    let _ = (view.project_named(&name), view.projects(ProjectId(0), 10));
    let _ = (view.worker_named(&name), view.workers(WorkerId(0), 10));
    let _ = (view.terms(PROJECT, Revision(1)), view.project_tally(PROJECT), view.sweep(PROJECT));
    let _ = (view.worker_record(WORKER), view.work_tally(WORKER, PROJECT));
    let _ = (view.spec(TASK), view.specs(PROJECT, TaskNumber(0), 10));
    let _ = (view.task(TASK), view.tasks(PROJECT, TaskNumber(0), 10), view.cold_task(TASK));
    let _ = (view.lease(LEASE), view.leases(TASK), view.submission(LEASE), view.submissions(TASK));
    let _ = view.draft(LEASE);
    let _ = view.submissions_of(WORKER, u32::MAX, Direction::Descending, 10);
    for log in [Log::Project(PROJECT), Log::Workers(TenantId::DEFAULT)] {
        let _ = (view.events(log, Sequence(0), 10, &mut |_| true), view.earliest_event(log));
    }
    let _ = view.partition();
    store.checkpoint_now().map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::mutated;
    use super::*;
    use crate::tables::page_key;

    /// Keys and values as a checkpoint leaves them, for `pairs`.
    fn healthy_pairs() -> Vec<u8> {
        let kv = Arc::new(MemoryKeyValue::new());
        let store =
            Store::with_key_value(kv.clone(), &StoreSettings::default()).expect("empty tables");
        let put = |row: RowId<'_>, bytes: usize| {
            let key = Key::new(TenantId::DEFAULT, row);
            let mut value = vec![0x0a; bytes];
            value.extend_from_slice(&checksum(key.as_bytes(), &value).to_le_bytes());
            Row::Put { key, value: value.into() }
        };
        // The last one lies in parts beside its page.
        let sizes =
            [(RowId::Task(TASK), 3), (RowId::Spec(TASK), 9), (RowId::Submission(LEASE), 40_000)];
        let rows = sizes.map(|(row, bytes)| put(row, bytes)).to_vec();
        store.publish_rows(rows, Position(1), Now::default()).expect("published");
        store.checkpoint_now().expect("written");
        let mut bytes = Vec::new();
        for key in kv.keys() {
            let value = kv.get(&key).expect("read").expect("there");
            // The checksum is made anew when they are read.
            let value = if key[0] == b'x' { &value[..] } else { &value[..value.len() - 4] };
            bytes.push(u8::try_from(key.len()).expect("short"));
            bytes.extend_from_slice(&u16::try_from(value.len()).expect("short").to_le_bytes());
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(value);
        }
        bytes
    }

    #[test]
    fn p15_no_pairs_bring_the_tables_down() {
        let good = healthy_pairs();
        for seed in 0..3_000 {
            let mut bytes = vec![2];
            // Pages come first; the parts behind them are large.
            let (head, tail) = good.split_at(if seed % 4 == 0 { good.len() } else { 200 });
            bytes.extend(mutated(head, &good, seed));
            bytes.extend_from_slice(tail);
            table_value(&bytes);
        }
    }

    #[test]
    fn p15_no_message_brings_a_reader_down() {
        // Fields of every number and kind, as messages in messages.
        let mut message = Vec::new();
        for field in 1..16_u8 {
            message.extend_from_slice(&[field << 3, 1, field << 3 | 2, 4, 8, 1, 16, 1]);
        }
        for (seed, kind) in (0..200).flat_map(|seed| (0..23).map(move |kind| (seed, kind))) {
            let mut bytes = vec![1, kind];
            let length = usize::try_from(seed).expect("small") % message.len();
            bytes.extend(mutated(&message[..length], &message, seed));
            table_value(&bytes);
        }
    }

    /// A page may say that a value has more parts than there can be.
    #[test]
    fn p15_a_value_of_too_many_parts_is_damage() {
        let start = Key::new(TenantId::DEFAULT, RowId::Spec(TASK));
        let mut page = vec![1];
        page.extend_from_slice(&1_u64.to_le_bytes());
        page.extend_from_slice(&1_u32.to_le_bytes());
        page.push(0);
        page.push(u8::try_from(start.as_bytes().len()).expect("short"));
        page.extend_from_slice(start.as_bytes());
        page.extend_from_slice(&u32::MAX.to_le_bytes());
        page.extend_from_slice(&1_u64.to_le_bytes());
        let key = page_key(start.as_bytes());
        let mut bytes = vec![2, u8::try_from(key.len()).expect("short")];
        bytes.extend_from_slice(&u16::try_from(page.len()).expect("short").to_le_bytes());
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&page);
        // Tables with rows have a digest.
        bytes.extend_from_slice(&[1, 16, 0, b'd']);
        bytes.extend_from_slice(&[0; 16]);
        table_value(&bytes);
    }
}
