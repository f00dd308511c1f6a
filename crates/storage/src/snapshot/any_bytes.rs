//! Any bytes as files of snapshots: for fuzzing, past the checksums.
//!
//! A page is known by its hash before it is taken apart, and a manifest by its
//! checksum, so damage alone never reaches what lies behind them; here it does.

use super::error::{ManifestFault, PageFault};
use super::manifest::Manifest;
use super::page::{HEADER_BYTES, decode, sum};

/// Takes bytes apart as a page file, with its checksum put right. Returns how
/// many rows there are.
///
/// # Errors
/// They are none. Never panics, and takes memory in proportion to the bytes.
pub fn read_any_page(bytes: &[u8]) -> Result<usize, PageFault> {
    let mut file = bytes.to_vec();
    if file.len() >= HEADER_BYTES {
        let sum = sum(&file);
        file[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
    decode(&file).map(|rows| rows.len())
}

/// Takes bytes apart as a manifest, with its checksum put right. Returns how
/// many pages there are.
///
/// # Errors
/// They are none. Never panics.
pub fn read_any_manifest(bytes: &[u8]) -> Result<usize, ManifestFault> {
    let mut file = bytes.to_vec();
    if let Some(end) = file.len().checked_sub(4) {
        let sum = crc32c::crc32c(&file[..end]);
        file[end..].copy_from_slice(&sum.to_le_bytes());
    }
    Manifest::decode(&file).map(|manifest| manifest.pages.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::LyingDisk;
    use crate::snapshot::Snapshots;
    use crate::snapshot::history::{History, page_files, settings};
    use crate::snapshot::manifest::file_of;

    /// A page file and a manifest.
    fn files() -> [Vec<u8>; 2] {
        let disk = LyingDisk::new(1);
        let snapshots = Snapshots::open(disk.clone(), settings()).expect("open");
        let info = History::random(1, 6).snapshot(&snapshots).expect("snapshot");
        [disk.content(&page_files(&disk)[0]), disk.content(&file_of(info.position))]
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
