//! Reading a snapshot through: to check it, or to import its rows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;
use piecework_core::Position;

use crate::journal::Disk;
use crate::tables::Key;

use super::error::SnapshotError;
use super::manifest::Manifest;
use super::page::{Look, PageEntry, SnapshotRow};
use super::snapshots::{Pin, SnapshotInfo, Snapshots};

impl<D: Disk> Snapshots<D> {
    /// Reads all files of a snapshot, also of a damaged one, and checks every
    /// byte of them, the order of the rows, and all digests. What it finds
    /// damaged is no longer among the whole ones.
    ///
    /// # Errors
    /// The first file that is not what was written.
    pub fn verify(&self, position: Position) -> Result<SnapshotInfo, SnapshotError> {
        let manifest = self.read_manifest(position)?;
        let _pin = self.pin(&manifest.pages);
        for page in &manifest.pages {
            self.read_page(position, page, Look::All)?;
        }
        Ok(self.info(&manifest))
    }

    /// All rows of a whole snapshot in key order, checked page by page before
    /// the first of its rows is seen. Ends after an error. A sum over all of
    /// them is not needed: the pages' digests are those of the manifest.
    ///
    /// # Errors
    /// There is no whole snapshot at `position`.
    pub fn rows(&self, position: Position) -> Result<SnapshotRows<D>, SnapshotError> {
        let manifest = self.manifest(Some(position)).ok_or(SnapshotError::Absent { position })?;
        let pin = self.pin(&manifest.pages);
        Ok(SnapshotRows {
            snapshots: self.clone(),
            position,
            pages: pages_of(&manifest),
            rows: Vec::new().into_iter(),
            _pin: pin,
        })
    }
}

fn pages_of(manifest: &Arc<Manifest>) -> VecDeque<PageEntry> {
    manifest.pages.iter().cloned().collect()
}

/// The rows of a snapshot, read a page at a time. Its files stay meanwhile.
#[derive(Debug)]
pub struct SnapshotRows<D: Disk> {
    snapshots: Snapshots<D>,
    position: Position,
    pages: VecDeque<PageEntry>,
    rows: vec::IntoIter<SnapshotRow>,
    _pin: Pin<D>,
}

impl<D: Disk> Iterator for SnapshotRows<D> {
    type Item = Result<(Key, Bytes), SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            let page = self.pages.pop_front()?;
            match self.snapshots.read_page(self.position, &page, Look::All) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => {
                    self.pages.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
