//! Every key in one table.
//!
//! A key is `[tenant: u32][tag: u8][fields]`, all numbers big-endian, so that
//! the order of bytes is the order of tenants, kinds and numbers:
//!
//! ```text
//! tag kind              fields                          value (piecework.storage.v1)
//!  1  partition         –  (tenant 0)                   Partition
//!  2  requester name    name                            NameEntry
//!  3  requester         requester u32                   Requester
//!  4  project name      name                            NameEntry
//!  5  project           project u32                     Project
//!  6  worker name       name                            NameEntry
//!  7  worker            worker u32                      Worker
//!  8  terms             project u32, revision u32       Terms
//!  9  project tally     project u32                     ProjectTally
//! 10  worker record     worker u32                      WorkerRecord
//! 11  lease request     worker u32, number u32          LeaseRequest
//! 12  work tally        project u32, worker u32         WorkTally
//! 13  create key        parent u8, project u32, id      CreateKey
//! 14  sweep             project u32                     Sweep
//! 15  spec              project u32, task u32           TaskSpec
//! 16  task              project u32, task u32           TaskRecord
//! 17  lease             project u32, task u32, no u32   Lease
//! 18  answer of worker  worker u32, nth u32             LeaseName
//! 19  submission        project u32, task u32, no u32   Submission
//! 20  project event     project u32, sequence u64       Event
//! 21  worker event      sequence u64                    Event
//! 22  tenant            –                               Tenant
//! 23  draft             project u32, task u32, no u32   Draft
//! 24  skill rating      worker u32, skill               Rating
//! ```
//!
//! Invariant: a derived row (2, 4, 6, 18) comes before the row it is derived
//! from. A checkpoint writes in key order, so after a crash in between a row
//! that is gone has no derived row left that only it could name.
//!
//! Not here: how rows lie in pages (`pages.rs`).

use std::borrow::Borrow;
use std::fmt;

use piecework_core::change::Parent;
use piecework_core::{
    LeaseId, ProjectId, RequesterId, Revision, Sequence, TaskId, TaskNumber, TenantId, WorkerId,
};

use super::tag::Tag;

/// Bytes of tenant and tag, which every key starts with.
pub(crate) const GROUP_BYTES: usize = 5;
const SHORT_BYTES: usize = 22;

/// What a key says, besides its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above says it")]
pub enum RowId<'a> {
    Partition,
    /// What a tenant as a whole remembers.
    Tenant,
    RequesterName(&'a str),
    Requester(RequesterId),
    ProjectName(&'a str),
    Project(ProjectId),
    WorkerName(&'a str),
    Worker(WorkerId),
    Terms(ProjectId, Revision),
    ProjectTally(ProjectId),
    WorkerRecord(WorkerId),
    LeaseRequest(WorkerId, u32),
    WorkTally(ProjectId, WorkerId),
    CreateKey(Parent, &'a str),
    Sweep(ProjectId),
    Spec(TaskId),
    Task(TaskId),
    Lease(LeaseId),
    AnswerOfWorker(WorkerId, u32),
    Submission(LeaseId),
    ProjectEvent(ProjectId, Sequence),
    WorkerEvent(Sequence),
    Draft(LeaseId),
    SkillRating(WorkerId, &'a str),
}

/// The bytes of a key. Short ones, which is all but names, lie inline.
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Long(Box<[u8]>),
}

/// Why bytes are no key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Written by a later release, or damaged.
    #[error("the kind {tag} of a row is unknown")]
    UnknownKind {
        /// The byte.
        tag: u8,
    },
    /// The fields do not fit the kind.
    #[error("a key of {bytes} bytes does not fit its kind")]
    Misshapen {
        /// How many there are.
        bytes: usize,
    },
}

impl Key {
    /// The key of a row.
    #[must_use]
    pub fn new(tenant: TenantId, row: RowId<'_>) -> Key {
        match row {
            RowId::Partition => Key::parts(tenant, Tag::Partition, &[]),
            RowId::Tenant => Key::parts(tenant, Tag::Tenant, &[]),
            RowId::RequesterName(name) => {
                Key::parts(tenant, Tag::RequesterName, &[name.as_bytes()])
            }
            RowId::Requester(id) => Key::parts(tenant, Tag::Requester, &[&be(id.0)]),
            RowId::ProjectName(name) => Key::parts(tenant, Tag::ProjectName, &[name.as_bytes()]),
            RowId::Project(id) => Key::parts(tenant, Tag::Project, &[&be(id.0)]),
            RowId::WorkerName(name) => Key::parts(tenant, Tag::WorkerName, &[name.as_bytes()]),
            RowId::Worker(id) => Key::parts(tenant, Tag::Worker, &[&be(id.0)]),
            RowId::Terms(id, revision) => {
                Key::parts(tenant, Tag::Terms, &[&be(id.0), &be(revision.0)])
            }
            RowId::ProjectTally(id) => Key::parts(tenant, Tag::ProjectTally, &[&be(id.0)]),
            RowId::WorkerRecord(id) => Key::parts(tenant, Tag::WorkerRecord, &[&be(id.0)]),
            RowId::LeaseRequest(id, number) => {
                Key::parts(tenant, Tag::LeaseRequest, &[&be(id.0), &be(number)])
            }
            RowId::WorkTally(project, worker) => {
                Key::parts(tenant, Tag::WorkTally, &[&be(project.0), &be(worker.0)])
            }
            RowId::CreateKey(parent, id) => {
                let (kind, project) = parent_fields(parent);
                Key::parts(tenant, Tag::CreateKey, &[&[kind], &be(project.0), id.as_bytes()])
            }
            RowId::Sweep(id) => Key::parts(tenant, Tag::Sweep, &[&be(id.0)]),
            RowId::Spec(id) => Key::task(tenant, Tag::Spec, id),
            RowId::Task(id) => Key::task(tenant, Tag::Task, id),
            RowId::Lease(id) => Key::lease(tenant, Tag::Lease, id),
            RowId::AnswerOfWorker(id, nth) => {
                Key::parts(tenant, Tag::AnswerOfWorker, &[&be(id.0), &be(nth)])
            }
            RowId::Submission(id) => Key::lease(tenant, Tag::Submission, id),
            RowId::Draft(id) => Key::lease(tenant, Tag::Draft, id),
            RowId::SkillRating(id, skill) => {
                Key::parts(tenant, Tag::SkillRating, &[&be(id.0), skill.as_bytes()])
            }
            RowId::ProjectEvent(id, sequence) => {
                let fields: [&[u8]; 2] = [&be(id.0), &sequence.0.to_be_bytes()];
                Key::parts(tenant, Tag::ProjectEvent, &fields)
            }
            RowId::WorkerEvent(sequence) => {
                Key::parts(tenant, Tag::WorkerEvent, &[&sequence.0.to_be_bytes()])
            }
        }
    }

    /// Takes bytes that [`Key::new`] once made.
    ///
    /// # Errors
    /// The kind is unknown or the fields do not fit it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Key, KeyError> {
        read(bytes)?;
        Ok(Key::copy(bytes))
    }

    /// What the key says.
    ///
    /// # Errors
    /// The kind is unknown or the fields do not fit it.
    pub fn row(&self) -> Result<(TenantId, RowId<'_>), KeyError> {
        read(self.as_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Long(bytes) => bytes,
        }
    }

    /// The key without any check: of a row that was checked, or of a bound.
    pub(crate) fn copy(bytes: &[u8]) -> Key {
        if bytes.len() > SHORT_BYTES {
            return Key(Repr::Long(bytes.into()));
        }
        let mut short = [0; SHORT_BYTES];
        short[..bytes.len()].copy_from_slice(bytes);
        #[expect(clippy::cast_possible_truncation, reason = "at most SHORT_BYTES")]
        Key(Repr::Short { len: bytes.len() as u8, bytes: short })
    }

    /// Whose row it is and of which kind.
    pub(crate) fn tenant_and_tag(&self) -> Result<(TenantId, Tag), KeyError> {
        let (tenant, _) = self.row()?;
        let byte = self.as_bytes()[GROUP_BYTES - 1];
        Tag::of(byte).map(|tag| (tenant, tag)).ok_or(KeyError::UnknownKind { tag: byte })
    }

    /// Tenant and kind: rows that may share a page.
    pub(crate) fn group(&self) -> &[u8] {
        &self.as_bytes()[..GROUP_BYTES]
    }

    /// What all keys of a tenant and kind start with.
    pub(crate) fn prefix(tenant: TenantId, tag: Tag) -> Key {
        Key::parts(tenant, tag, &[])
    }

    fn task(tenant: TenantId, tag: Tag, id: TaskId) -> Key {
        Key::parts(tenant, tag, &[&be(id.project.0), &be(id.number.0)])
    }

    fn lease(tenant: TenantId, tag: Tag, id: LeaseId) -> Key {
        let task = id.task;
        Key::parts(tenant, tag, &[&be(task.project.0), &be(task.number.0), &be(id.number)])
    }

    fn parts(tenant: TenantId, tag: Tag, fields: &[&[u8]]) -> Key {
        let len = GROUP_BYTES + fields.iter().map(|f| f.len()).sum::<usize>();
        if len > SHORT_BYTES {
            let mut bytes = Vec::with_capacity(len);
            bytes.extend_from_slice(&be(tenant.0));
            bytes.push(tag as u8);
            fields.iter().for_each(|f| bytes.extend_from_slice(f));
            return Key(Repr::Long(bytes.into()));
        }
        let mut bytes = [0; SHORT_BYTES];
        bytes[..4].copy_from_slice(&be(tenant.0));
        bytes[4] = tag as u8;
        let mut end = GROUP_BYTES;
        for field in fields {
            bytes[end..end + field.len()].copy_from_slice(field);
            end += field.len();
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most SHORT_BYTES")]
        Key(Repr::Short { len: len as u8, bytes })
    }
}

/// The smallest key above every key that starts with `prefix`.
pub(crate) fn above(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|&b| b != u8::MAX).map_or(0, |at| at + 1);
    let mut bytes = prefix[..kept].to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

/// The smallest key above this one.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    bytes.extend_from_slice(key);
    bytes.push(0);
    bytes
}

fn be(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn parent_fields(parent: Parent) -> (u8, ProjectId) {
    match parent {
        Parent::Requesters => (1, ProjectId(0)),
        Parent::Projects => (2, ProjectId(0)),
        Parent::Workers => (3, ProjectId(0)),
        Parent::Tasks(project) => (4, project),
    }
}

fn read(bytes: &[u8]) -> Result<(TenantId, RowId<'_>), KeyError> {
    let mut fields = Fields { rest: bytes, bytes: bytes.len() };
    let tenant = TenantId(fields.u32()?);
    let byte = fields.u8()?;
    let tag = Tag::of(byte).ok_or(KeyError::UnknownKind { tag: byte })?;
    let row = match tag {
        Tag::Partition => RowId::Partition,
        Tag::Tenant => RowId::Tenant,
        Tag::RequesterName => RowId::RequesterName(fields.text()?),
        Tag::Requester => RowId::Requester(RequesterId(fields.u32()?)),
        Tag::ProjectName => RowId::ProjectName(fields.text()?),
        Tag::Project => RowId::Project(ProjectId(fields.u32()?)),
        Tag::WorkerName => RowId::WorkerName(fields.text()?),
        Tag::Worker => RowId::Worker(WorkerId(fields.u32()?)),
        Tag::Terms => RowId::Terms(ProjectId(fields.u32()?), Revision(fields.u32()?)),
        Tag::ProjectTally => RowId::ProjectTally(ProjectId(fields.u32()?)),
        Tag::WorkerRecord => RowId::WorkerRecord(WorkerId(fields.u32()?)),
        Tag::LeaseRequest => RowId::LeaseRequest(WorkerId(fields.u32()?), fields.u32()?),
        Tag::WorkTally => RowId::WorkTally(ProjectId(fields.u32()?), WorkerId(fields.u32()?)),
        Tag::CreateKey => RowId::CreateKey(fields.parent()?, fields.text()?),
        Tag::Sweep => RowId::Sweep(ProjectId(fields.u32()?)),
        Tag::Spec => RowId::Spec(fields.task()?),
        Tag::Task => RowId::Task(fields.task()?),
        Tag::Lease => RowId::Lease(fields.lease()?),
        Tag::AnswerOfWorker => RowId::AnswerOfWorker(WorkerId(fields.u32()?), fields.u32()?),
        Tag::Submission => RowId::Submission(fields.lease()?),
        Tag::Draft => RowId::Draft(fields.lease()?),
        Tag::SkillRating => RowId::SkillRating(WorkerId(fields.u32()?), fields.text()?),
        Tag::ProjectEvent => RowId::ProjectEvent(ProjectId(fields.u32()?), Sequence(fields.u64()?)),
        Tag::WorkerEvent => RowId::WorkerEvent(Sequence(fields.u64()?)),
    };
    if fields.rest.is_empty() { Ok((tenant, row)) } else { Err(fields.misshapen()) }
}

struct Fields<'a> {
    rest: &'a [u8],
    bytes: usize,
}

impl<'a> Fields<'a> {
    fn misshapen(&self) -> KeyError {
        KeyError::Misshapen { bytes: self.bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (first, rest) = self.rest.split_first_chunk().ok_or_else(|| self.misshapen())?;
        self.rest = rest;
        Ok(*first)
    }

    fn u8(&mut self) -> Result<u8, KeyError> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, KeyError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, KeyError> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Result<&'a str, KeyError> {
        std::str::from_utf8(std::mem::take(&mut self.rest)).map_err(|_| self.misshapen())
    }

    fn parent(&mut self) -> Result<Parent, KeyError> {
        match (self.u8()?, ProjectId(self.u32()?)) {
            (1, _) => Ok(Parent::Requesters),
            (2, _) => Ok(Parent::Projects),
            (3, _) => Ok(Parent::Workers),
            (4, project) => Ok(Parent::Tasks(project)),
            _ => Err(self.misshapen()),
        }
    }

    fn task(&mut self) -> Result<TaskId, KeyError> {
        Ok(TaskId { project: ProjectId(self.u32()?), number: TaskNumber(self.u32()?) })
    }

    fn lease(&mut self) -> Result<LeaseId, KeyError> {
        Ok(LeaseId { task: self.task()?, number: self.u32()? })
    }
}

impl fmt::Display for Key {
    /// The kind, then tenant and fields in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.as_bytes();
        let kind = bytes.get(4).and_then(|&b| Tag::of(b)).map_or("unknown", Tag::name);
        write!(f, "{kind} row ")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Ok((tenant, row)) => write!(f, "{tenant}/{row:?}"),
            Err(_) => write!(f, "{self}"),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        match (&self.0, &other.0) {
            // Padded with zeros, so that numbers of one width can be compared instead of
            // bytes of any; of two that differ in zeros at the end the shorter comes first.
            (Repr::Short { len, bytes }, Repr::Short { len: other_len, bytes: other }) => {
                (numbers(bytes), len).cmp(&(numbers(other), other_len))
            }
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}

/// The same order as that of the bytes.
fn numbers(bytes: &[u8; SHORT_BYTES]) -> (u128, u64) {
    let (first, rest) = bytes.split_at(16);
    let mut last = [0; 8];
    last[..SHORT_BYTES - 16].copy_from_slice(rest);
    let first = first.try_into().expect("16 bytes");
    (u128::from_be_bytes(first), u64::from_be_bytes(last))
}

/// A map by key can be asked by bytes; the orders agree.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(0x0102_0304);

    fn task(number: u32) -> TaskId {
        TaskId { project: ProjectId(7), number: TaskNumber(number) }
    }

    /// One key of every kind, in the order of their bytes, and these bytes.
    fn keys() -> Vec<(RowId<'static>, &'static str)> {
        let lease = LeaseId { task: task(9), number: 3 };
        vec![
            (RowId::Partition, "01"),
            (RowId::RequesterName("ab"), "026162"),
            (RowId::Requester(RequesterId(5)), "0300000005"),
            (RowId::ProjectName("ab"), "046162"),
            (RowId::Project(ProjectId(7)), "0500000007"),
            (RowId::WorkerName("a-name-longer-than-22-bytes"), {
                "06612d6e616d652d6c6f6e6765722d7468616e2d32322d6279746573"
            }),
            (RowId::Worker(WorkerId(8)), "0700000008"),
            (RowId::Terms(ProjectId(7), Revision(2)), "080000000700000002"),
            (RowId::ProjectTally(ProjectId(7)), "0900000007"),
            (RowId::WorkerRecord(WorkerId(8)), "0a00000008"),
            (RowId::LeaseRequest(WorkerId(8), 16), "0b0000000800000010"),
            (RowId::WorkTally(ProjectId(7), WorkerId(8)), "0c0000000700000008"),
            (RowId::CreateKey(Parent::Requesters, "q"), "0d010000000071"),
            (RowId::CreateKey(Parent::Projects, "q"), "0d020000000071"),
            (RowId::CreateKey(Parent::Workers, "q"), "0d030000000071"),
            (RowId::CreateKey(Parent::Tasks(ProjectId(7)), "q"), "0d040000000771"),
            (RowId::Sweep(ProjectId(7)), "0e00000007"),
            (RowId::Spec(task(9)), "0f0000000700000009"),
            (RowId::Task(task(9)), "100000000700000009"),
            (RowId::Lease(lease), "11000000070000000900000003"),
            (RowId::AnswerOfWorker(WorkerId(8), 4), "120000000800000004"),
            (RowId::Submission(lease), "13000000070000000900000003"),
            (RowId::ProjectEvent(ProjectId(7), Sequence(1)), "14000000070000000000000001"),
            (RowId::WorkerEvent(Sequence(1)), "150000000000000001"),
            (RowId::Tenant, "16"),
            (RowId::Draft(lease), "17000000070000000900000003"),
            (RowId::SkillRating(WorkerId(8), "ab"), "18000000086162"),
        ]
    }

    #[test]
    fn the_bytes_of_every_key_stay_what_they_are() {
        for (row, golden) in keys() {
            let key = Key::new(TENANT, row);
            let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, format!("01020304{golden}"), "{row:?}");
            assert_eq!(key.row(), Ok((TENANT, row)));
            assert_eq!(Key::from_bytes(key.as_bytes()), Ok(key));
        }
    }

    #[test]
    fn the_order_of_bytes_is_that_of_tenants_kinds_and_numbers() {
        let keys: Vec<Key> = keys().into_iter().map(|(row, _)| Key::new(TENANT, row)).collect();
        assert!(keys.is_sorted());
        let number = |number| Key::new(TENANT, RowId::Spec(task(number)));
        assert!(number(255) < number(256));
        assert!(number(u32::MAX) < Key::new(TenantId(TENANT.0 + 1), RowId::Partition));
    }

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let ends: [&[u8]; 9] =
            [&[], &[0], &[0, 0], &[0, 1], &[1], &[1, 0], &[255], &[255, 0], &[255, 255]];
        let lengths = [0, 7, 14, 15, 16, 18, 20, 21, 22, 23, 30];
        let begins = lengths.into_iter().flat_map(|length| [vec![0; length], vec![9; length]]);
        let all: Vec<Vec<u8>> =
            begins.flat_map(|begin| ends.map(|end| [&begin[..], end].concat())).collect();
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            let keys = Key::copy(one).cmp(&Key::copy(other));
            assert_eq!(keys, one.cmp(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn bytes_that_fit_no_kind_are_refused() {
        for (row, _) in keys() {
            let key = Key::new(TENANT, row);
            let mut bytes = key.as_bytes().to_vec();
            bytes[4] = 0;
            assert_eq!(Key::from_bytes(&bytes), Err(KeyError::UnknownKind { tag: 0 }));
            bytes[4] = 25;
            assert_eq!(Key::from_bytes(&bytes), Err(KeyError::UnknownKind { tag: 25 }));
            assert!(Key::from_bytes(&key.as_bytes()[..4]).is_err());
        }
        let longer = after(Key::new(TENANT, RowId::Sweep(ProjectId(7))).as_bytes());
        assert_eq!(Key::from_bytes(&longer), Err(KeyError::Misshapen { bytes: 10 }));
    }

    #[test]
    fn above_a_prefix_is_above_every_key_that_has_it() {
        assert_eq!(above(&[1, 2]), [1, 3]);
        assert_eq!(above(&[1, 255]), [2]);
        assert_eq!(above(&[0, 255, 255]), [1]);
    }

    #[test]
    fn a_key_shows_its_kind() {
        let key = Key::new(TenantId(1), RowId::Sweep(ProjectId(7)));
        assert_eq!(key.to_string(), "sweep row 000000010e00000007");
    }
}
