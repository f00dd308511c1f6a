//! What becomes of the bytes of one write on a disk that tears: some sectors of it.
//!
//! Not here: when (`lying.rs`).

const SECTOR: usize = 512;

pub(super) fn write_all(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

/// Older bytes that are still on their way never take the place of newer ones.
pub(super) fn overlay(older: &mut [u8], at: usize, newer: &[u8], newer_at: usize) {
    let (from, to) = (at.max(newer_at), (at + older.len()).min(newer_at + newer.len()));
    if from < to {
        older[from - at..to - at].copy_from_slice(&newer[from - newer_at..to - newer_at]);
    }
}

/// How much of a write came through.
pub(super) enum Part {
    All,
    None,
    Some,
}

/// Writes all of it, none of it, a first part, or any sectors of it.
pub(super) fn write_some(file: &mut Vec<u8>, at: usize, bytes: &[u8], random: &mut u64) -> Part {
    let fate = next_random(random) % 4;
    let sectors = bytes.len().div_ceil(SECTOR) as u64;
    let cut = if sectors == 0 { 0 } else { next_random(random) % sectors };
    let (mut done, mut written) = (0, 0);
    // Sectors are of the disk, not of the write.
    while done < bytes.len() {
        let piece = (SECTOR - (at + done) % SECTOR).min(bytes.len() - done);
        let keep = match fate {
            0 => true,
            1 => false,
            2 => ((done / SECTOR) as u64) < cut,
            _ => next_random(random).is_multiple_of(2),
        };
        if keep {
            write_all(file, at + done, &bytes[done..done + piece]);
            written += piece;
        }
        done += piece;
    }
    match written {
        all if all == bytes.len() => Part::All,
        0 => Part::None,
        _ => Part::Some,
    }
}

/// Splitmix64: enough chance for a disk, and the same everywhere.
pub(super) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
