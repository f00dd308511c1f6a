//! What a start loads: the image, row by row, in its documented order.
//!
//! Kinds in order, each over all tenants; then the tasks by project and number,
//! each spec followed by what became of it. Three cursors run side by side
//! (specs, records, leases), each read ahead by a thread, so memory stays small and the
//! engine takes in one row while the next is found. Blocks of tasks that are noted as
//! settled are passed over.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};
use std::thread::Scope;

use bytes::Bytes;
use piecework_core::change::{CreateKeyId, PinnedTerms};
use piecework_core::image::{ColdTask, ImageRow};
use piecework_core::lease::Lease;
use piecework_core::{EngineTime, LeaseId, ProjectId, TaskId, TenantId};
use prost::Message;

use super::cursor::Cursor;
use super::error::StoreError;
use super::keys::{GROUP_BYTES, Key, KeyError, RowId, above};
use super::merged::misread;
use super::settled::{Block, Named, names_of, rows_of};
use super::store::Store;
use super::tag::Tag;
use super::values::{self, Misread, parse};
use crate::digest::RowsDigest;

/// Kinds before the tasks, in the order of `ImageRow`.
const KINDS: [Tag; 13] = [
    Tag::Partition,
    Tag::Tenant,
    Tag::Requester,
    Tag::Project,
    Tag::Terms,
    Tag::ProjectTally,
    Tag::Worker,
    Tag::WorkerRecord,
    Tag::SkillRating,
    Tag::LeaseRequest,
    Tag::WorkTally,
    Tag::CreateKey,
    Tag::Sweep,
];

impl Store {
    /// Streams the image as published. `at`: the engine time at which open
    /// windows are judged, that of the last published group.
    ///
    /// Cost: reads every row but submissions, drafts, logs and what is noted as settled,
    /// about a microsecond each.
    ///
    /// # Errors
    /// The tables are damaged or cannot be read. `take` has seen a part of the
    /// image: drop both, and this store, and open again: the marker, which still
    /// stands, sets the tables aside.
    pub fn load(&self, at: EngineTime, take: &mut dyn FnMut(ImageRow)) -> Result<(), StoreError> {
        let groups = self.groups()?;
        for kind in KINDS {
            for &(tenant, _) in groups.iter().filter(|(_, tag)| *tag == kind) {
                let prefix = Key::prefix(tenant, kind);
                let bytes = prefix.as_bytes();
                self.shared.tables.scan(bytes, &above(bytes), &mut |key, value| {
                    self.feed();
                    take(image_row(key, value)?);
                    Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        let mut projects = BTreeMap::new();
        for kind in [Tag::Spec, Tag::Task, Tag::Lease] {
            for &(tenant, _) in groups.iter().filter(|(_, tag)| *tag == kind) {
                self.projects_with(tenant, kind, &mut projects)?;
            }
        }
        let mut settled = Vec::new();
        std::thread::scope(|scope| {
            projects.into_iter().try_for_each(|(project, tenant)| {
                settled.append(&mut self.load_project(scope, (tenant, project), at, take)?);
                Ok::<(), StoreError>(())
            })
        })?;
        self.checkpoint().look_at(settled);
        Ok(())
    }

    /// The digest of all rows as published, overlay included, added up anew.
    ///
    /// Cost: reads every row.
    ///
    /// # Errors
    /// The tables are damaged or cannot be read.
    pub fn digest(&self) -> Result<RowsDigest, StoreError> {
        let mut digest = RowsDigest::default();
        self.shared.tables.scan(&[], &[u8::MAX; GROUP_BYTES], &mut |key, value| {
            self.feed();
            digest.add(key.as_bytes(), value);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(digest)
    }

    /// Tenants and the kinds of rows they have. A kind that we do not know stops a start.
    fn groups(&self) -> Result<Vec<(TenantId, Tag)>, StoreError> {
        let mut groups = Vec::new();
        let mut from = Vec::new();
        while let Some((key, _)) =
            self.shared.tables.take(&from, &[u8::MAX; GROUP_BYTES], 1)?.pop_front()
        {
            groups.push(key.tenant_and_tag().map_err(StoreError::Key)?);
            from = above(key.group());
        }
        Ok(groups)
    }

    /// The projects that have rows of a kind whose first field is the project.
    fn projects_with(
        &self,
        tenant: TenantId,
        kind: Tag,
        projects: &mut BTreeMap<ProjectId, TenantId>,
    ) -> Result<(), StoreError> {
        let prefix = Key::prefix(tenant, kind);
        let below = above(prefix.as_bytes());
        let mut from = prefix.as_bytes().to_vec();
        while let Some((key, _)) = self.shared.tables.take(&from, &below, 1)?.pop_front() {
            projects.insert(task_of(&key)?.project, tenant);
            from = above(&key.as_bytes()[..GROUP_BYTES + 4]);
        }
        Ok(())
    }

    /// Returns blocks that are settled and not noted yet.
    fn load_project<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        of: (TenantId, ProjectId),
        at: EngineTime,
        take: &mut dyn FnMut(ImageRow),
    ) -> Result<Vec<Block>, StoreError> {
        let mut found = Found::default();
        let mut next = Some(0);
        for block in self.noted(of) {
            let (first, last) = block.numbers().into_inner();
            if let Some(from) = next.filter(|from| *from < first) {
                self.load_tasks(scope, of, from..=first - 1, at, &mut found, take)?;
            }
            for Named { task, name } in names_of(&*self.shared.tables.kv, block)? {
                take(ImageRow::SettledName { task, name });
            }
            self.feed();
            next = last.checked_add(1);
        }
        if let Some(from) = next {
            self.load_tasks(scope, of, from..=u32::MAX, at, &mut found, take)?;
        }
        Ok(found.settled())
    }

    /// Blocks of a project that are settled by what is published.
    fn noted(&self, (tenant, project): (TenantId, ProjectId)) -> Vec<Block> {
        let mut noted = self.checkpoint().noted(tenant, project);
        noted.retain(|block| {
            [Tag::Spec, Tag::Task, Tag::Lease].into_iter().all(|kind| {
                let (from, below) = block.bounds(kind);
                self.shared.tables.overlay.collect(&from, &below, 1).0.is_empty()
            })
        });
        noted
    }

    fn load_tasks<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        (tenant, project): (TenantId, ProjectId),
        numbers: RangeInclusive<u32>,
        at: EngineTime,
        found: &mut Found,
        take: &mut dyn FnMut(ImageRow),
    ) -> Result<(), StoreError> {
        let cursor = |kind| {
            let (from, below) = rows_of(tenant, kind, project, numbers.clone());
            Cursor::new(&self.shared.tables, scope, from, below)
        };
        let [mut specs, mut records, mut leases] = [Tag::Spec, Tag::Task, Tag::Lease].map(cursor);
        while let Some((key, value)) = specs.next()? {
            self.feed();
            let task = task_of(&key)?;
            take(ImageRow::Spec(read(&key, &value, |m| values::read_spec_row(task, m))?));
            let belongs = |key: &Key| task_of(key).is_ok_and(|id| id == task);
            let Some((key, value)) = records.next_if(belongs)? else {
                found.task(Block::of_task(tenant, task), false);
                continue;
            };
            let record = read(&key, &value, |m| values::read_record(task, m))?;
            let mut own: Vec<Lease> = Vec::new();
            while let Some((key, value)) = leases.next_if(belongs)? {
                let id = lease_of(&key)?;
                own.push(read(&key, &value, |m| values::read_lease(id, m))?);
            }
            let is_settled =
                !record.state.is_open() && !own.iter().any(|lease| lease.keeps_task(at));
            found.task(Block::of_task(tenant, task), is_settled);
            take(match is_settled {
                true => ImageRow::Settled(task),
                false => ImageRow::Task(Box::new(ColdTask { record, leases: own })),
            });
        }
        // Rows of tasks are left over only if their task is not there.
        match records.next()?.or(leases.next()?) {
            None => Ok(()),
            Some((key, _)) => Err(StoreError::Orphan { key }),
        }
    }
}

/// Blocks that were met, task by task.
#[derive(Debug, Default)]
struct Found {
    settled: Vec<Block>,
    last: Option<(Block, bool)>,
}

impl Found {
    fn task(&mut self, block: Block, is_settled: bool) {
        match &mut self.last {
            Some((last, all)) if *last == block => *all &= is_settled,
            _ => {
                let done = self.last.replace((block, is_settled));
                self.settled.extend(done.and_then(|(block, all)| all.then_some(block)));
            }
        }
    }

    fn settled(mut self) -> Vec<Block> {
        let done = self.last.take();
        self.settled.extend(done.and_then(|(block, all)| all.then_some(block)));
        self.settled
    }
}

/// Reads a row's message and turns it into a noun.
pub(super) fn read<M: Message + Default, T>(
    key: &Key,
    value: &Bytes,
    into: impl FnOnce(M) -> Result<T, Misread>,
) -> Result<T, StoreError> {
    parse(key.as_bytes(), value).and_then(into).map_err(|e| misread(key, e))
}

pub(super) fn task_of(key: &Key) -> Result<TaskId, StoreError> {
    match key.row().map_err(StoreError::Key)?.1 {
        RowId::Spec(task) | RowId::Task(task) => Ok(task),
        RowId::Lease(lease) | RowId::Submission(lease) => Ok(lease.task),
        _ => Err(not_of_its_kind(key)),
    }
}

pub(super) fn lease_of(key: &Key) -> Result<LeaseId, StoreError> {
    match key.row().map_err(StoreError::Key)?.1 {
        RowId::Lease(lease) => Ok(lease),
        _ => Err(not_of_its_kind(key)),
    }
}

fn not_of_its_kind(key: &Key) -> StoreError {
    StoreError::Key(KeyError::Misshapen { bytes: key.as_bytes().len() })
}

/// A row of one of `KINDS`.
fn image_row(key: &Key, value: &Bytes) -> Result<ImageRow, StoreError> {
    let (tenant, row) = key.row().map_err(StoreError::Key)?;
    Ok(match row {
        RowId::Partition => {
            ImageRow::Partition(read(key, value, |m| Ok(values::read_partition(m)))?)
        }
        RowId::Tenant => {
            ImageRow::Tenant(read(key, value, |m| Ok(values::read_tenant(tenant, m)))?)
        }
        RowId::Requester(id) => ImageRow::Requester(Box::new(read(key, value, |m| {
            values::read_requester(tenant, id, m)
        })?)),
        RowId::Project(id) => {
            ImageRow::Project(Box::new(read(key, value, |m| values::read_project(tenant, id, m))?))
        }
        RowId::Terms(project, revision) => {
            let terms = read(key, value, values::read_terms)?;
            ImageRow::Terms(Box::new(PinnedTerms { project, revision, terms }))
        }
        RowId::ProjectTally(id) => {
            ImageRow::ProjectTally(read(key, value, |m| Ok(values::read_tally(id, m)))?)
        }
        RowId::Worker(id) => {
            ImageRow::Worker(Box::new(read(key, value, |m| values::read_worker(tenant, id, m))?))
        }
        RowId::WorkerRecord(id) => {
            ImageRow::WorkerRecord(read(key, value, |m| Ok(values::read_worker_record(id, m)))?)
        }
        RowId::SkillRating(id, skill) => ImageRow::SkillRating(Box::new(read(key, value, |m| {
            Ok(values::read_skill_rating(id, skill, m))
        })?)),
        RowId::LeaseRequest(id, number) => {
            ImageRow::LeaseRequest(Box::new(read(key, value, |m| {
                values::read_lease_request(id, number, m)
            })?))
        }
        RowId::WorkTally(project, worker) => ImageRow::WorkTally(read(key, value, |m| {
            Ok(values::read_work_tally(project, worker, m))
        })?),
        RowId::CreateKey(parent, request_id) => {
            let request_id = piecework_core::ClientId::new(request_id)
                .ok_or_else(|| misread(key, Misread::Field { field: "request_id" }))?;
            let id = CreateKeyId { tenant, parent, request_id };
            let row = read(key, value, |m| Ok(values::read_create_key(id, m)))?;
            ImageRow::CreateKey(Box::new(row))
        }
        RowId::Sweep(id) => ImageRow::Sweep(read(key, value, |m| Ok(values::read_sweep(id, m)))?),
        RowId::RequesterName(_)
        | RowId::ProjectName(_)
        | RowId::WorkerName(_)
        | RowId::Spec(_)
        | RowId::Task(_)
        | RowId::Lease(_)
        | RowId::AnswerOfWorker(..)
        | RowId::Submission(_)
        | RowId::ProjectEvent(..)
        | RowId::WorkerEvent(_)
        | RowId::Draft(_) => return Err(not_of_its_kind(key)),
    })
}
