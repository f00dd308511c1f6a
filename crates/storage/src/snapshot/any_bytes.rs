//! Any bytes as files of snapshots: for fuzzing, past the checksums.
//!
//! A page is known by its hash before it is taken apart, and a manifest by its
//! checksum, so damage alone never reaches what lies behind them; here it does.

use bytes::Bytes;
use piecework_core::{Now, Position, ProjectId, TenantId};

use crate::journal::{Disk as _, JournalId, LyingDisk};
use crate::tables::{Key, RowId, checksum};

use super::error::{ManifestFault, PageFault};
use super::manifest::{Manifest, file_of};
use super::page::{HEADER_BYTES, PageEntry, PageHash, SnapshotRow, decode, encode, sum};
use super::snapshots::{SnapshotSettings, Snapshots};

const JOURNAL: JournalId = JournalId(9);
const POSITION: Position = Position(7);

/// Takes bytes apart as a page file, with its checksum put right. Returns how
/// many rows there are.
///
/// # Errors
/// They are none. Never panics, and takes memory in proportion to the bytes.
pub fn read_any_page(bytes: &[u8]) -> Result<usize, PageFault> {
    decode(&right_page(bytes.to_vec())).map(|rows| rows.len())
}

fn right_page(mut file: Vec<u8>) -> Vec<u8> {
    if file.len() >= HEADER_BYTES {
        let sum = sum(&file);
        file[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
    file
}

/// Takes bytes apart as a manifest, with its checksum put right. Returns how
/// many pages there are.
///
/// # Errors
/// They are none. Never panics.
pub fn read_any_manifest(bytes: &[u8]) -> Result<usize, ManifestFault> {
    Manifest::decode(&right_manifest(bytes.to_vec())).map(|manifest| manifest.pages.len())
}

fn right_manifest(mut file: Vec<u8>) -> Vec<u8> {
    if let Some(end) = file.len().checked_sub(4) {
        let sum = crc32c::crc32c(&file[..end]);
        file[end..].copy_from_slice(&sum.to_le_bytes());
    }
    file
}

/// Reads a snapshot whose manifest, or one of whose pages, is this. Its checksum
/// is put right, and a page is named by a manifest as what it is.
///
/// Panics when a snapshot that was found whole cannot be read to its end.
pub(crate) fn read_any_snapshot(is_manifest: bool, file: Vec<u8>) {
    let (pages, mut manifest) = small();
    let [first, second] = pages;
    let disk = LyingDisk::new(1);
    let put = |name: &str, content: Vec<u8>| {
        disk.create(name).expect("a disk without limit");
        disk.damage(name, Some(content));
    };
    put(&second.0.hash.file(), second.1);
    if is_manifest {
        put(&first.0.hash.file(), first.1);
        put(&file_of(POSITION), right_manifest(file));
    } else {
        let page = right_page(file);
        manifest.pages[0].hash = PageHash::of(&page);
        manifest.pages[0].stored_bytes = page.len() as u64;
        put(&manifest.pages[0].hash.file(), page);
        put(&file_of(POSITION), manifest.encode());
    }
    disk.sync_directory().expect("a disk without faults");
    let opened = Snapshots::open(disk, SnapshotSettings::new(JOURNAL));
    let snapshots = opened.expect("damaged files do not keep a directory from opening");
    let known = [snapshots.list().iter().map(|s| s.position).collect(), snapshots.doubtful()];
    assert_eq!(known.concat(), [POSITION], "it is whole or doubtful");
    if let Ok(info) = snapshots.verify(POSITION) {
        let rows = snapshots.rows(POSITION).expect("it was found whole");
        let read = rows.inspect(|row| assert!(row.is_ok(), "it was found whole")).count();
        assert_eq!(read as u64, info.rows, "rows of a whole snapshot");
    }
}

/// A page and a manifest as they are written.
pub(crate) fn small_files() -> [Vec<u8>; 2] {
    let ([(_, page), _], manifest) = small();
    [page, manifest.encode()]
}

fn small() -> ([(PageEntry, Vec<u8>); 2], Manifest) {
    let row = |number: u32| -> SnapshotRow {
        let key = Key::new(TenantId::DEFAULT, RowId::Sweep(ProjectId(number)));
        let mut value = vec![0x2a; 5 + number as usize];
        value.extend_from_slice(&checksum(key.as_bytes(), &value).to_le_bytes());
        (key, Bytes::from(value))
    };
    let page = |numbers: std::ops::Range<u32>| encode(&numbers.map(row).collect::<Vec<_>>());
    let pages = [page(1..9), page(9..12)];
    let entries = pages.iter().map(|(entry, _)| entry.clone()).collect();
    let now = Now::default();
    let manifest = Manifest { journal: JOURNAL, position: POSITION, now, pages: entries };
    (pages, manifest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::history::{History, page_files, settings};

    /// A page file and a manifest.
    fn files() -> [Vec<u8>; 2] {
        let disk = LyingDisk::new(1);
        let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
        let info = History::random(1, 6).snapshot(&snapshots).expect("snapshot");
        [disk.content(&page_files(&disk)[0]), disk.content(&file_of(info.position))]
    }

    /// Memory follows the bytes that are there, not those that are promised.
    #[test]
    fn a_page_that_promises_more_than_it_can_hold_is_refused() {
        let [page, _] = small_files();
        assert!(read_any_page(&page).is_ok());
        for promised in [1 << 24, 1 << 40, u64::MAX] {
            let mut page = page.clone();
            page[8..16].copy_from_slice(&u64::to_le_bytes(promised));
            assert_eq!(read_any_page(&page), Err(PageFault::Compression));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn bytes_with_a_right_checksum_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<prop::sample::Index>(),
            is_cut in any::<bool>(),
        ) {
            for mut file in files() {
                for (at, byte) in &changes {
                    let at = at.index(file.len());
                    file[at] = *byte;
                }
                if is_cut {
                    file.truncate(cut.index(file.len()));
                }
                let (page, manifest) = (read_any_page(&file), read_any_manifest(&file));
                prop_assert!(page.is_err() || manifest.is_err());
                prop_assert!(!changes.is_empty() || is_cut || page.is_ok() || manifest.is_ok());
            }
        }
    }
}
