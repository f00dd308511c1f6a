//! The files that pages lie in: written at the end of the newest, read anywhere.
//!
//! Not here: which of them are of use (`live.rs`).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::error::Damage;
use super::place::Place;
use crate::journal::{Disk, DiskFile};
use crate::tables::key_value::KeyValueError;

const SUFFIX: &str = ".pages";

/// Files by number.
#[derive(Debug)]
pub(super) struct Files<D: Disk> {
    disk: D,
    open: RwLock<BTreeMap<u32, Arc<D::File>>>,
}

impl<D: Disk> Files<D> {
    /// All that are there.
    pub(super) fn open(disk: D) -> Result<Files<D>, KeyValueError> {
        let mut open = BTreeMap::new();
        for name in disk.list().map_err(failed("list"))? {
            let number = name.strip_suffix(SUFFIX).and_then(|number| number.parse().ok());
            if let Some(number) = number.filter(|number| name_of(*number) == name) {
                open.insert(number, Arc::new(disk.open(&name).map_err(failed("open"))?));
            }
        }
        Ok(Files { disk, open: RwLock::new(open) })
    }

    /// The numbers of all, and their bytes.
    pub(super) fn sizes(&self) -> Result<Vec<(u32, u64)>, KeyValueError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let size = |(number, file): (&u32, &Arc<D::File>)| Ok((*number, file.bytes()?));
        open.iter().map(size).collect::<io::Result<_>>().map_err(failed("measure"))
    }

    /// A new one, whose name is durable.
    pub(super) fn create(&self, number: u32) -> Result<(), KeyValueError> {
        let file = self.disk.create(&name_of(number)).map_err(failed("create"))?;
        self.disk.sync_directory().map_err(failed("sync the directory of"))?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(number, Arc::new(file));
        Ok(())
    }

    /// Whoever reads in it at this moment goes on. Its name may be there again after a
    /// power cut.
    pub(super) fn remove(&self, number: u32) -> Result<(), KeyValueError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(&number);
        drop(open);
        self.disk.remove(&name_of(number)).map_err(failed("remove"))
    }

    /// Writes at `offset`; durable after [`Files::sync`].
    pub(super) fn write(
        &self,
        number: u32,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), KeyValueError> {
        self.known(number)?.write_at(bytes, offset).map_err(failed("write"))
    }

    pub(super) fn sync(&self, number: u32) -> Result<(), KeyValueError> {
        self.known(number)?.sync_data().map_err(failed("sync"))
    }

    /// A page; `None`: the file is gone.
    pub(super) fn page(&self, place: Place) -> Result<Option<Bytes>, KeyValueError> {
        let Some(file) = self.file(place.file) else { return Ok(None) };
        let mut page = vec![0; place.bytes as usize];
        let read = file.read_at(&mut page, place.offset.into()).map_err(failed("read"))?;
        if read < page.len() {
            return Err(Damage::CutOff(place.file).found("read"));
        }
        Ok(Some(page.into()))
    }

    /// Up to so many bytes from `offset` on; less only at the file's end.
    pub(super) fn stretch(
        &self,
        number: u32,
        offset: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, KeyValueError> {
        let mut stretch = vec![0; bytes];
        let read = self.known(number)?.read_at(&mut stretch, offset).map_err(failed("read"))?;
        stretch.truncate(read);
        Ok(stretch)
    }

    fn known(&self, number: u32) -> Result<Arc<D::File>, KeyValueError> {
        self.file(number).ok_or_else(|| Damage::NoFile(number).found("use"))
    }

    fn file(&self, number: u32) -> Option<Arc<D::File>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(&number).cloned()
    }
}

fn name_of(number: u32) -> String {
    format!("{number:010}{SUFFIX}")
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> KeyValueError {
    move |source| KeyValueError::Io { doing, source }
}
