//! Rows as the journal's changes leave them: a plain map, folded one by one.
//!
//! What the tables and snapshots must equal at every position.

use std::collections::BTreeMap;

use bytes::Bytes;
use piecework_core::TenantId;
use piecework_core::change::Changed;
use piecework_storage::{CommandHeader, Key, Row, RowId, RowsDigest, decode_group, encode_command};

/// All rows, and which row was derived from which.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<Key, Bytes>,
    /// From a row to the one that leads to it, such as a name, as it was put.
    derived: BTreeMap<Key, (Key, Bytes)>,
}

impl Rows {
    pub(super) fn fold(&mut self, changes: &[Changed]) {
        let header = CommandHeader {
            tenant: TenantId(0),
            kind: "fold",
            actor: None,
            request_id: None,
            refusal: None,
        };
        let mut body = Vec::new();
        encode_command(&mut body, &header, changes);
        let commands = decode_group(&Bytes::from(body)).expect("just encoded");
        let mut last_put: Option<(Key, Bytes)> = None;
        for row in commands.into_iter().flat_map(|command| command.rows) {
            match row {
                Row::Put { key, value } => {
                    if let Some(leading) = last_put.filter(|(last, _)| leads(last, &key)) {
                        self.derived.insert(key.clone(), leading);
                    }
                    last_put = Some((key.clone(), value.clone()));
                    self.rows.insert(key, value);
                }
                Row::Gone { key } => self.remove(&key),
                Row::RangeGone { first, last } => {
                    let gone: Vec<Key> =
                        self.rows.range(first..=last).map(|(key, _)| key.clone()).collect();
                    gone.iter().for_each(|key| self.remove(key));
                }
            }
        }
    }

    pub(super) fn digest(&self) -> RowsDigest {
        let mut digest = RowsDigest::default();
        self.rows.iter().for_each(|(key, value)| digest.add(key.as_bytes(), value));
        digest
    }

    fn remove(&mut self, key: &Key) {
        self.rows.remove(key);
        if let Some((leading, value)) = self.derived.remove(key)
            // A successor may have taken the name.
            && self.rows.get(&leading) == Some(&value)
        {
            self.rows.remove(&leading);
        }
    }
}

/// Whether a row was put for the sake of the next one.
fn leads(leading: &Key, next: &Key) -> bool {
    let (_, leading) = leading.row().expect("a key of ours");
    let (_, next) = next.row().expect("a key of ours");
    matches!(
        (leading, next),
        (RowId::RequesterName(_), RowId::Requester(_))
            | (RowId::ProjectName(_), RowId::Project(_))
            | (RowId::WorkerName(_), RowId::Worker(_))
            | (RowId::AnswerOfWorker(..), RowId::Submission(_))
    )
}
