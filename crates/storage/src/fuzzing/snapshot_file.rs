//! Snapshots of which one file has any content.

use crate::snapshot::{read_any_snapshot, small_files};

/// Reads a snapshot one of whose files holds `bytes` but for the first, which
/// says what they are: with its first bit the manifest, else a page; with its
/// second bit they are changes to a healthy one (three bytes each: where and
/// what), else its content. Hashes and checksums are made right, so that what
/// lies behind them is reached.
///
/// Panics when a snapshot that was found whole cannot be read to its end.
pub fn snapshot_file(bytes: &[u8]) {
    let Some((flags, content)) = bytes.split_first() else { return };
    let is_manifest = flags & 1 != 0;
    let content = match flags & 2 {
        0 => content.to_vec(),
        _ => changed(is_manifest, content),
    };
    read_any_snapshot(is_manifest, content);
}

fn changed(is_manifest: bool, changes: &[u8]) -> Vec<u8> {
    let [page, manifest] = small_files();
    let mut file = if is_manifest { manifest } else { page };
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
        file[at] ^= change[2];
    }
    file
}

#[cfg(test)]
mod tests {
    use super::super::mutated;
    use super::*;

    #[test]
    fn p15_no_content_of_a_snapshots_file_brings_a_reader_down() {
        let files = small_files();
        for seed in 0..6_000 {
            for (flags, file) in (0..).zip(&files) {
                let mut bytes = vec![flags];
                // Heads are a small part of a page: most changes go there.
                let (head, tail) = file.split_at(if seed % 2 == 0 { file.len() } else { 40 });
                bytes.extend(mutated(head, file, seed));
                bytes.extend_from_slice(tail);
                snapshot_file(&bytes);
            }
        }
    }

    #[test]
    fn p15_no_changed_byte_of_a_snapshots_file_brings_a_reader_down() {
        for (flags, file) in (2..).zip(small_files()) {
            for at in 0..u16::try_from(file.len()).expect("small") {
                for change in [0x01, 0x80, 0xff] {
                    let [low, high] = at.to_le_bytes();
                    snapshot_file(&[flags, low, high, change]);
                }
            }
        }
    }
}
