//! Rows: what a change says in keys and values, and how that lies in a journal body.
//!
//! A change becomes one or a few rows, absolute: the row is now this, the row is
//! gone, the rows of a range are gone. They are encoded once; the same bytes go
//! into the journal and, as slices of its body, into the overlay.
//!
//! ```text
//! put    1 | key length u8 | key | value length u32 | value (message, checksum)
//! gone   2 | key length u8 | key | checksum of key
//! range  3 | key length u8 | first key | key length u8 | last key | checksum of both
//! ```
//!
//! All numbers little-endian. Not here: the header of a command (`group.rs`).

use bytes::Bytes;
use piecework_core::change::{Change, Changed, CreateKeyId};
use piecework_core::event::Log;
use piecework_core::{
    LeaseId, ProjectId, Revision, Sequence, TaskId, TaskNumber, TenantId, WorkerId,
};
use prost::Message;

use super::keys::{GROUP_BYTES, Key, KeyError, RowId};
use super::values::{self, CHECKSUM_BYTES, checksum};

const PUT: u8 = 1;
const GONE: u8 = 2;
const RANGE_GONE: u8 = 3;

/// One row as it is now, or rows that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// The row is this.
    Put {
        /// Which row.
        key: Key,
        /// Message and checksum.
        value: Bytes,
    },
    /// The row is gone.
    Gone {
        /// Which row.
        key: Key,
    },
    /// These rows are gone, and what was derived from them.
    RangeGone {
        /// The first of them.
        first: Key,
        /// The last of them, of the same tenant and kind.
        last: Key,
    },
}

/// Why bytes are no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// They end too early.
    #[error("a row is cut short")]
    Short,
    /// Neither put nor gone.
    #[error("a row does {effect}, which is unknown")]
    Effect {
        /// The byte.
        effect: u8,
    },
    /// The key is none of ours.
    #[error("a row has no key of ours")]
    Key(#[source] KeyError),
    /// Not the bytes that were written.
    #[error("the checksum of {key} does not match")]
    Checksum {
        /// Which row.
        key: Key,
    },
    /// A range over more than one kind.
    #[error("the range from {first} to {last} crosses kinds")]
    Range {
        /// Its first row.
        first: Key,
        /// Its last row.
        last: Key,
    },
}

/// Appends the rows of a change and returns how many they are.
#[expect(clippy::too_many_lines, reason = "one arm per kind of change, in one place")]
pub(crate) fn write_change(out: &mut Vec<u8>, changed: &Changed) -> u32 {
    let tenant = changed.tenant;
    let key = |row: RowId<'_>| Key::new(tenant, row);
    match &changed.change {
        Change::Requester(r) => {
            put(out, &key(RowId::RequesterName(r.name.as_str())), &values::write_name(r.id.0));
            put(out, &key(RowId::Requester(r.id)), &values::write_requester(r));
            2
        }
        Change::Project(p) => {
            put(out, &key(RowId::ProjectName(p.name.as_str())), &values::write_name(p.id.0));
            put(out, &key(RowId::Project(p.id)), &values::write_project(p));
            2
        }
        Change::Worker(w) => {
            put(out, &key(RowId::WorkerName(w.name.as_str())), &values::write_name(w.id.0));
            put(out, &key(RowId::Worker(w.id)), &values::write_worker(w));
            2
        }
        Change::Terms(pinned) => {
            let row = RowId::Terms(pinned.project, pinned.revision);
            put(out, &key(row), &values::write_terms(&pinned.terms))
        }
        Change::ProjectTally(tally) => {
            put(out, &key(RowId::ProjectTally(tally.project)), &values::write_tally(tally))
        }
        Change::Specs(specs) => specs
            .iter()
            .map(|spec| put(out, &key(RowId::Spec(spec.id)), &values::write_spec(spec)))
            .sum(),
        Change::Task(task) => put(out, &key(RowId::Task(task.id)), &values::write_record(task)),
        Change::Lease(lease) => put(out, &key(RowId::Lease(lease.id)), &values::write_lease(lease)),
        Change::Draft(draft) => {
            put(out, &key(RowId::Draft(draft.lease)), &values::write_draft(draft))
        }
        Change::DraftGone(lease) => gone(out, &key(RowId::Draft(*lease))),
        Change::Submission(s) => {
            let name = values::write_lease_name(s.lease);
            put(out, &key(RowId::AnswerOfWorker(s.worker, s.nth)), &name);
            put(out, &key(RowId::Submission(s.lease)), &values::write_submission(s));
            2
        }
        Change::Event(event) => {
            put(out, &event_key(tenant, event.log, event.sequence), &values::write_event(event))
        }
        Change::WorkerRecord(record) => {
            put(out, &key(RowId::WorkerRecord(record.worker)), &values::write_worker_record(record))
        }
        Change::SkillRating(of) => {
            let row = RowId::SkillRating(of.worker, &of.skill);
            put(out, &key(row), &values::write_rating(&of.rating))
        }
        Change::LeaseRequest(request) => {
            let row = RowId::LeaseRequest(request.worker, request.number);
            put(out, &key(row), &values::write_lease_request(request))
        }
        Change::LeaseRequestGone { worker, number } => {
            gone(out, &key(RowId::LeaseRequest(*worker, *number)))
        }
        Change::WorkTally(tally) => {
            let row = RowId::WorkTally(tally.project, tally.worker);
            put(out, &key(row), &values::write_work_tally(*tally))
        }
        Change::CreateKey(row) => put(out, &create_key(&row.id), &values::write_create_key(row)),
        Change::CreateKeyGone(id) => gone(out, &create_key(id)),
        Change::Sweep(sweep) => {
            put(out, &key(RowId::Sweep(sweep.project)), &values::write_sweep(*sweep))
        }
        Change::SweepGone(project) => gone(out, &key(RowId::Sweep(*project))),
        Change::Partition(row) => {
            put(out, &Key::new(TenantId(0), RowId::Partition), &values::write_partition(row))
        }
        Change::Tenant(row) => {
            put(out, &Key::new(row.tenant, RowId::Tenant), &values::write_tenant(*row))
        }
        Change::TasksGone { project, first, last } => {
            tasks_gone(out, tenant, *project, *first, *last)
        }
        Change::EventsGone { log, through } => {
            let first = event_key(tenant, *log, Sequence(0));
            range_gone(out, &first, &event_key(tenant, *log, *through))
        }
        Change::ProjectGone(project) => project_gone(out, tenant, *project),
    }
}

/// The key of a log's record. The tenant's own log names its tenant itself.
pub(crate) fn event_key(tenant: TenantId, log: Log, sequence: Sequence) -> Key {
    match log {
        Log::Project(project) => Key::new(tenant, RowId::ProjectEvent(project, sequence)),
        Log::Workers(tenant) => Key::new(tenant, RowId::WorkerEvent(sequence)),
    }
}

/// The tenant of a create stands in its name, which is what the row reads back.
fn create_key(id: &CreateKeyId) -> Key {
    Key::new(id.tenant, RowId::CreateKey(id.parent, id.request_id.as_str()))
}

fn tasks_gone(
    out: &mut Vec<u8>,
    tenant: TenantId,
    project: ProjectId,
    first: TaskNumber,
    last: TaskNumber,
) -> u32 {
    let key = |row: RowId<'_>| Key::new(tenant, row);
    let (first, last) = (TaskId { project, number: first }, TaskId { project, number: last });
    let first_lease = LeaseId { task: first, number: 0 };
    let last_lease = LeaseId { task: last, number: u32::MAX };
    range_gone(out, &key(RowId::Spec(first)), &key(RowId::Spec(last)))
        + range_gone(out, &key(RowId::Task(first)), &key(RowId::Task(last)))
        + range_gone(out, &key(RowId::Lease(first_lease)), &key(RowId::Lease(last_lease)))
        + range_gone(out, &key(RowId::Submission(first_lease)), &key(RowId::Submission(last_lease)))
}

fn project_gone(out: &mut Vec<u8>, tenant: TenantId, project: ProjectId) -> u32 {
    let key = |row: RowId<'_>| Key::new(tenant, row);
    let row = key(RowId::Project(project));
    let terms = [Revision(0), Revision(u32::MAX)].map(|r| key(RowId::Terms(project, r)));
    let tallies = [WorkerId(0), WorkerId(u32::MAX)].map(|w| key(RowId::WorkTally(project, w)));
    // A range of one: the name that leads to it goes with it.
    range_gone(out, &row, &row)
        + range_gone(out, &terms[0], &terms[1])
        + gone(out, &key(RowId::ProjectTally(project)))
        + range_gone(out, &tallies[0], &tallies[1])
}

fn put(out: &mut Vec<u8>, key: &Key, message: &impl Message) -> u32 {
    out.push(PUT);
    push_key(out, key);
    let length = message.encoded_len();
    let value = u32::try_from(length + CHECKSUM_BYTES).expect("values are far below 4 GiB");
    out.extend_from_slice(&value.to_le_bytes());
    let start = out.len();
    // A slice takes bytes one by one for less than a vector, which looks for room each time.
    out.resize(start + length, 0);
    message.encode(&mut &mut out[start..]).expect("just as long as it said");
    let sum = checksum(key.as_bytes(), &out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
    1
}

fn gone(out: &mut Vec<u8>, key: &Key) -> u32 {
    out.push(GONE);
    push_key(out, key);
    out.extend_from_slice(&checksum(key.as_bytes(), &[]).to_le_bytes());
    1
}

fn range_gone(out: &mut Vec<u8>, first: &Key, last: &Key) -> u32 {
    out.push(RANGE_GONE);
    push_key(out, first);
    push_key(out, last);
    out.extend_from_slice(&checksum(first.as_bytes(), last.as_bytes()).to_le_bytes());
    1
}

fn push_key(out: &mut Vec<u8>, key: &Key) {
    let bytes = key.as_bytes();
    out.push(u8::try_from(bytes.len()).expect("the longest name has 128 characters"));
    out.extend_from_slice(bytes);
}

/// Takes bytes from the front of a body.
pub(crate) struct Reader<'a> {
    body: &'a Bytes,
    at: usize,
    /// Rows are held against their checksums.
    checks: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a Bytes) -> Reader<'a> {
        Reader { body, at: 0, checks: true }
    }

    /// Of bytes that this process has just written and kept in memory.
    pub(crate) fn of_own(body: &'a Bytes) -> Reader<'a> {
        Reader { checks: false, ..Reader::new(body) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.body.len()
    }

    /// How many bytes were taken.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], RowError> {
        let end = self.at.checked_add(bytes).ok_or(RowError::Short)?;
        let taken = self.body.get(self.at..end).ok_or(RowError::Short)?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RowError> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RowError> {
        let bytes = self.take(4)?.try_into().map_err(|_| RowError::Short)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Bytes with their length, one byte, before them.
    pub(crate) fn short(&mut self) -> Result<&'a [u8], RowError> {
        let length = self.u8()?;
        self.take(length.into())
    }

    fn key(&mut self) -> Result<Key, RowError> {
        Key::from_bytes(self.short()?).map_err(RowError::Key)
    }

    /// The next row; its value is a slice of the body.
    pub(crate) fn row(&mut self) -> Result<Row, RowError> {
        match self.u8()? {
            PUT => {
                let key = self.key()?;
                let length = usize::try_from(self.u32()?).map_err(|_| RowError::Short)?;
                let start = self.at;
                let bytes = self.take(length)?;
                let end = length.checked_sub(CHECKSUM_BYTES).ok_or(RowError::Short)?;
                let (message, sum) = bytes.split_at(end);
                if self.checks && checksum(key.as_bytes(), message).to_le_bytes() != sum {
                    return Err(RowError::Checksum { key });
                }
                Ok(Row::Put { key, value: self.body.slice(start..self.at) })
            }
            GONE => {
                let key = self.key()?;
                if checksum(key.as_bytes(), &[]) != self.u32()? {
                    return Err(RowError::Checksum { key });
                }
                Ok(Row::Gone { key })
            }
            RANGE_GONE => {
                let (first, last) = (self.key()?, self.key()?);
                if checksum(first.as_bytes(), last.as_bytes()) != self.u32()? {
                    return Err(RowError::Checksum { key: first });
                }
                if first.as_bytes()[..GROUP_BYTES] != last.as_bytes()[..GROUP_BYTES] {
                    return Err(RowError::Range { first, last });
                }
                Ok(Row::RangeGone { first, last })
            }
            effect => Err(RowError::Effect { effect }),
        }
    }
}
