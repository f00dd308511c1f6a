//! The tables: every row as it is now, read by anybody, rebuilt from the journal.
//!
//! `row.rs` turns changes into keys and values, the same for the journal and for
//! here; durable groups are published into the overlay; checkpoints fold it into
//! pages, which lie in files, and a store of keys and values has where. Read in the
//! order of the modules.

mod checkpoint;
mod checkpointer;
#[cfg(test)]
mod conformance;
mod cursor;
mod error;
mod fold;
mod gather;
mod import;
mod key_value;
mod keys;
mod load;
mod memory;
mod merged;
mod opening;
mod overlay;
mod page_log;
mod pages;
mod recent;
mod reserve;
mod row;
mod scrub;
mod settled;
mod sled;
mod standing;
mod store;
mod tag;
mod together;
mod values;
mod view;

pub use self::sled::SledKeyValue;
pub use checkpoint::Progress;
pub use checkpointer::Checkpointer;
pub use error::StoreError;
pub use import::ImportError;
pub use key_value::{Batch, KeyValue, KeyValueError, Visit};
pub use keys::{Key, KeyError, RowId};
pub use memory::MemoryKeyValue;
pub use opening::EXIT_START_AGAIN;
pub use overlay::Room;
pub use page_log::PageLog;
pub use reserve::FreeBytes;
pub use row::{Row, RowError};
pub use scrub::{Checked, Scrubbed};
pub use store::{OnPublished, Store, StoreSettings};
pub use tag::Tag;
pub use together::{GivenAnswer, TaskTitle};
pub use values::{Applied, Misread};
pub use view::{Direction, EVENTS_LOOKED_AT_MAX, Events, View};

#[cfg(test)]
pub(crate) use pages::page_key;
pub(crate) use row::{Reader, write_change};
#[cfg(any(test, feature = "testing"))]
pub(crate) use values::checksum;
pub(crate) use values::{checked, parse, read_answer_of, read_name, read_project_name};
