//! The port to a store of keys and values.
//!
//! Two providers: `sled.rs` on disk, `memory.rs` for tests, the simulator and a
//! daemon without a directory; `page_log/` lays pages beside either. `conformance.rs`
//! says what all must do.
//!
//! Only the checkpointer writes, one batch at a time; anybody reads meanwhile.

use std::io;
use std::ops::ControlFlow;

use bytes::Bytes;

/// Sees pairs in ascending order of keys until it breaks off.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Writes in ascending order of keys, at most one a key; `None`: gone.
pub type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Keys and values in order of keys.
pub trait KeyValue: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The store cannot read.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KeyValueError>;

    /// The pair with the greatest key that is not above `key`.
    ///
    /// # Errors
    /// The store cannot read.
    fn at_or_before(&self, key: &[u8]) -> Result<Option<(Bytes, Bytes)>, KeyValueError>;

    /// The least key from `from` on, below `below`.
    ///
    /// # Errors
    /// The store cannot read.
    fn next_key(&self, from: &[u8], below: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        let mut next = None;
        self.scan(from, below, &mut |key, _| {
            next = Some(key.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(next)
    }

    /// Pairs from `from` on, below `below`. A batch applied meanwhile is seen
    /// from some pair on; `visit` may read this store.
    ///
    /// # Errors
    /// The store cannot read.
    fn scan(&self, from: &[u8], below: &[u8], visit: Visit<'_>) -> Result<(), KeyValueError>;

    /// Applies all of it or, after a crash, nothing.
    ///
    /// # Errors
    /// The store cannot write: it is not to be used any more.
    fn apply_batch(&self, batch: &Batch) -> Result<(), KeyValueError>;

    /// Makes every batch applied so far durable.
    ///
    /// # Errors
    /// It is not known what is durable: the store is not to be used any more.
    fn flush(&self) -> Result<(), KeyValueError>;

    /// Bytes taken on disk.
    ///
    /// # Errors
    /// The store cannot tell.
    fn size_on_disk(&self) -> Result<u64, KeyValueError>;
}

/// The store of keys and values failed us.
#[derive(Debug, thiserror::Error)]
pub enum KeyValueError {
    /// The operating system refused.
    #[error("could not {doing} the tables' file")]
    Io {
        /// What we tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The store found its own data damaged.
    #[error("could not {doing} the tables, their store is damaged")]
    Damaged {
        /// What we tried.
        doing: &'static str,
        /// What the store says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
