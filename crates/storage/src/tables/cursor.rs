//! Rows in order, read ahead by a thread of their own once they are many.
//!
//! Finding rows takes as long as what a start makes of them: with both at once it takes
//! half the time. Projects of a few tasks, of which there may be thousands, start no
//! thread.
//!
//! Not here: what is found where (`merged.rs`), what a start makes of it (`load.rs`).

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use bytes::Bytes;

use super::error::StoreError;
use super::keys::{Key, after};
use super::merged::Tables;

/// Rows fetched at a time. Three times as many may be in memory.
const CHUNK_ROWS: usize = 1024;
/// Chunks that wait until they are asked for.
const CHUNKS_AHEAD: usize = 1;

type Rows = VecDeque<(Key, Bytes)>;

/// Rows in order, some of them fetched.
pub(super) struct Cursor<'scope, 'env> {
    tables: &'env Tables,
    below: Vec<u8>,
    rows: Rows,
    source: Source<'scope, 'env>,
}

/// Where the rows behind those that were fetched come from.
enum Source<'scope, 'env> {
    /// From this key on; a thread begins when these are many.
    From(Vec<u8>, &'scope Scope<'scope, 'env>),
    /// A thread fetches them.
    Ahead(Receiver<Result<Rows, StoreError>>),
    /// There are none.
    End,
}

impl<'scope, 'env> Cursor<'scope, 'env> {
    /// Rows from `from` on, below `below`; `scope` ends when all threads have.
    pub(super) fn new(
        tables: &'env Tables,
        scope: &'scope Scope<'scope, 'env>,
        from: Vec<u8>,
        below: Vec<u8>,
    ) -> Cursor<'scope, 'env> {
        Cursor { tables, below, rows: Rows::new(), source: Source::From(from, scope) }
    }

    /// The next row, if `wanted` takes it.
    pub(super) fn next_if(
        &mut self,
        wanted: impl FnOnce(&Key) -> bool,
    ) -> Result<Option<(Key, Bytes)>, StoreError> {
        while self.rows.is_empty() && !matches!(self.source, Source::End) {
            self.fetch()?;
        }
        let is_wanted = self.rows.front().is_some_and(|(key, _)| wanted(key));
        Ok(if is_wanted { self.rows.pop_front() } else { None })
    }

    pub(super) fn next(&mut self) -> Result<Option<(Key, Bytes)>, StoreError> {
        self.next_if(|_| true)
    }

    fn fetch(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.source, Source::End) {
            Source::End => {}
            Source::From(from, scope) => {
                self.rows = self.tables.take(&from, &self.below, CHUNK_ROWS)?;
                if let Some(from) = next_from(&self.rows) {
                    self.source = self.ahead(from, scope);
                }
            }
            Source::Ahead(chunks) => {
                // The thread has ended when it says nothing more.
                if let Ok(rows) = chunks.recv() {
                    self.rows = rows?;
                    self.source = Source::Ahead(chunks);
                }
            }
        }
        Ok(())
    }

    fn ahead(&self, from: Vec<u8>, scope: &'scope Scope<'scope, 'env>) -> Source<'scope, 'env> {
        let (chunks, ahead) = sync_channel(CHUNKS_AHEAD);
        let (tables, below, first) = (self.tables, self.below.clone(), from.clone());
        let body = move || read_ahead(tables, first, &below, &chunks);
        match Builder::new().name("read-ahead".to_owned()).spawn_scoped(scope, body) {
            Ok(_) => Source::Ahead(ahead),
            // No thread can be had: then one after the other.
            Err(_) => Source::From(from, scope),
        }
    }
}

/// Fetches chunk after chunk until the end, an error, or until nobody wants any more.
fn read_ahead(
    tables: &Tables,
    mut from: Vec<u8>,
    below: &[u8],
    chunks: &SyncSender<Result<Rows, StoreError>>,
) {
    loop {
        let rows = tables.take(&from, below, CHUNK_ROWS);
        let next = rows.as_ref().ok().and_then(next_from);
        if chunks.send(rows).is_err() {
            return;
        }
        match next {
            Some(next) => from = next,
            None => return,
        }
    }
}

/// Where the rows behind a chunk begin; `None`: it was the last.
fn next_from(rows: &Rows) -> Option<Vec<u8>> {
    let last = rows.back().filter(|_| rows.len() == CHUNK_ROWS);
    last.map(|(key, _)| after(key.as_bytes()))
}
