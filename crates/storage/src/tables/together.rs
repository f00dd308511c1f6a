//! What a stretch of a log refers to, read together: of many tasks what each is called,
//! of many leases the answers.
//!
//! Ids come ascending and distinct, and each has its place in what is given back. The rows
//! are read at several moments, as single reads one after the other would read them.
//!
//! Not here: how many rows are found at once (`gather.rs`), single rows and lists (`view.rs`).

use std::ops::ControlFlow;

use piecework_core::requester::Labels;
use piecework_core::submission::Submission;
use piecework_core::{ClientId, LeaseId, Revision, TaskId};
use prost::Message;

use super::error::StoreError;
use super::keys::{Key, RowId};
use super::load::read;
use super::values::{self, Misread};
use super::view::View;

/// What a task is called, without what it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTitle {
    /// The requester's own id.
    pub name: Option<ClientId>,
    /// The client's own pairs.
    pub labels: Labels,
}

/// What somebody answered, without the facts about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    /// The terms it was given under.
    pub revision: Revision,
    /// Exactly what was sent.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub content_type: String,
}

#[expect(clippy::missing_errors_doc, reason = "said once, at the type")]
impl View {
    /// What these tasks are called, as many of the first ones as have specs of `bytes_max`
    /// or few more; `None`: there is none.
    pub fn titles(
        &self,
        tasks: &[TaskId],
        bytes_max: usize,
    ) -> Result<Vec<Option<TaskTitle>>, StoreError> {
        let rows = tasks.iter().map(|task| RowId::Spec(*task));
        self.together(rows, bytes_max, |_, message| values::read_title(message))
    }

    /// The revisions of these tasks' newest results; `None`: nobody touched it, or there
    /// is none.
    pub fn newest_revisions(&self, tasks: &[TaskId]) -> Result<Vec<Option<u32>>, StoreError> {
        let rows = tasks.iter().map(|task| RowId::Task(*task));
        self.together(rows, usize::MAX, |_, message| Ok(values::read_newest_revision(message)))
    }

    /// What was answered under these leases, as many of the first ones as have rows of
    /// `bytes_max` or few more; `None`: there is nothing.
    pub fn answers(
        &self,
        leases: &[LeaseId],
        bytes_max: usize,
    ) -> Result<Vec<Option<GivenAnswer>>, StoreError> {
        let rows = leases.iter().map(|lease| RowId::Submission(*lease));
        self.together(rows, bytes_max, |_, message| Ok(values::read_given(message)))
    }

    /// The same with the facts about it.
    pub fn submissions_under(
        &self,
        leases: &[LeaseId],
        bytes_max: usize,
    ) -> Result<Vec<Option<Submission>>, StoreError> {
        let rows = leases.iter().map(|lease| RowId::Submission(*lease));
        self.together(rows, bytes_max, |at, m| values::read_submission(leases[at], m))
    }

    fn together<'a, M: Message + Default, T>(
        &self,
        rows: impl Iterator<Item = RowId<'a>>,
        bytes_max: usize,
        mut into: impl FnMut(usize, M) -> Result<T, Misread>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let keys: Vec<Key> = rows.map(|row| self.key(row)).collect();
        let (mut found, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        self.tables().gather(&keys, &mut |at, value| {
            bytes += value.map_or(0, |value| value.len());
            found.push(value.map(|value| read(&keys[at], value, |m| into(at, m))).transpose()?);
            Ok(if bytes < bytes_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}
