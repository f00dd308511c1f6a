//! How much of each file is of use, counted in the store itself.
//!
//! ```text
//! "l" file u32 BE   bytes of its pages that places point to u64
//! ```
//!
//! Every batch that changes places changes the counts along with them. A file without a
//! count is of no use to anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use bytes::Bytes;

use super::error::Damage;
use super::place::Place;
use crate::tables::key_value::{Batch, KeyValue, KeyValueError};
use crate::tables::values::{Misread, checked, sealed};

const COUNTS: u8 = b'l';

/// Bytes in use by file.
#[derive(Debug, Default)]
pub(super) struct Live {
    bytes: BTreeMap<u32, u64>,
    changed: BTreeSet<u32>,
}

impl Live {
    pub(super) fn read(places: &dyn KeyValue) -> Result<Live, KeyValueError> {
        let (mut live, mut outcome) = (Live::default(), Ok(()));
        places.scan(&[COUNTS], &[COUNTS + 1], &mut |key, value| match read_count(key, value) {
            Ok((file, bytes)) => {
                live.bytes.insert(file, bytes);
                ControlFlow::Continue(())
            }
            Err(damage) => {
                outcome = Err(damage.found("open"));
                ControlFlow::Break(())
            }
        })?;
        outcome.map(|()| live)
    }

    /// Bytes in use of a file.
    pub(super) fn of(&self, file: u32) -> u64 {
        self.bytes.get(&file).copied().unwrap_or_default()
    }

    /// Of all files.
    pub(super) fn total(&self) -> u64 {
        self.bytes.values().sum()
    }

    /// The files of which anything is in use.
    pub(super) fn files(&self) -> impl Iterator<Item = u32> {
        self.bytes.keys().copied()
    }

    /// A page comes to lie there.
    pub(super) fn come(&mut self, place: Place) {
        *self.bytes.entry(place.file).or_default() += u64::from(place.bytes);
        self.changed.insert(place.file);
    }

    /// The page that lies there is of no use any more.
    pub(super) fn leave(&mut self, place: Place) -> Result<(), Damage> {
        let miscounted = Damage::Miscounted(place.file);
        let left = self.of(place.file).checked_sub(place.bytes.into()).ok_or(miscounted)?;
        match left {
            0 => self.bytes.remove(&place.file),
            left => self.bytes.insert(place.file, left),
        };
        self.changed.insert(place.file);
        Ok(())
    }

    /// What is to be written of all that came and left since the last time.
    pub(super) fn take_changes(&mut self) -> Batch {
        let count = |file| {
            let key = [&[COUNTS][..], &u32::to_be_bytes(file)].concat();
            let bytes = self.bytes.get(&file);
            let value = bytes.map(|bytes| sealed(&key, bytes.to_le_bytes().to_vec()));
            (key, value)
        };
        std::mem::take(&mut self.changed).into_iter().map(count).collect()
    }
}

fn read_count(key: &[u8], value: &[u8]) -> Result<(u32, u64), Damage> {
    let file = key[1..].first_chunk().map_or(u32::MAX, |file| u32::from_be_bytes(*file));
    let bytes = checked(key, &Bytes::copy_from_slice(value));
    let bytes = bytes.map_err(|source| Damage::Count(file, source))?;
    let bytes = bytes[..].try_into().map_err(|_| Damage::Count(file, Misread::Checksum))?;
    Ok((file, u64::from_le_bytes(bytes)))
}
