//! A segment with any content.

use piecework_core::{Now, Position};

use crate::journal::{
    Disk, Group, Journal, JournalError, JournalId, JournalSettings, LyingDisk, SteppedJournal,
};

const JOURNAL: JournalId = JournalId(9);
const BLOCK: usize = 4096;
const SEGMENT: &str = "0000000001.segment";
/// Enough for a few frames of several blocks.
const CONTENT_BYTES_MAX: usize = 16 * BLOCK;

/// Where the fields of a frame lie that are made right again (`frame.rs`).
const JOURNAL_AT: usize = 56;
const PREVIOUS_AT: usize = 72;
const BODY_CRC_AT: usize = 88;
const HEADER_CRC_AT: usize = 92;
const HEADER_BYTES: usize = 96;

/// Opens a journal whose one segment holds `bytes` but for the first, which
/// says what they are: with its third bit they are changes to a healthy
/// segment (three bytes each: where and what), else its content; with its
/// first, checksums and journal id are then made right, so that what lies
/// behind these checks is reached; with its second, positions are high.
///
/// Panics when a journal that opened does not open again, or loses a group.
pub fn journal_frame(bytes: &[u8]) {
    let Some((flags, content)) = bytes.split_first() else { return };
    let mut content = match flags & 4 {
        0 => content[..content.len().min(CONTENT_BYTES_MAX)].to_vec(),
        _ => changed(content),
    };
    if flags & 1 != 0 {
        make_right(&mut content);
    }
    let disk = LyingDisk::new(u64::from(*flags));
    let claim = claim(flags & 2 != 0);
    for (name, content) in [("claim", claim.into_bytes()), (SEGMENT, content)] {
        disk.create(name).expect("a disk without limit");
        disk.damage(name, Some(content));
    }
    disk.sync_directory().expect("a disk without faults");
    let Ok(mut journal) = open(&disk) else { return };
    let bounds = journal.bounds();
    let groups = read(&journal);
    let group =
        Group { first: bounds.next, count: 1, now: Now::default(), body: vec![7; 10].into() };
    if journal.append(group.clone()).is_err() {
        return;
    }
    while journal.step_sync(false) {}
    drop(journal);
    disk.power_cut();
    let again = open(&disk).expect("it opened before");
    let (known, last) = (groups.len(), read(&again));
    assert_eq!(last[..known], groups, "groups that were there");
    assert_eq!(last[known..], [group], "the group that was appended");
}

fn open(disk: &LyingDisk) -> Result<SteppedJournal<LyingDisk>, JournalError> {
    let settings = JournalSettings { segment_bytes: 64 * 1024, ..JournalSettings::new(JOURNAL) };
    SteppedJournal::open(disk.clone(), settings, Position(0), Box::new(|_| {}))
}

fn read(journal: &SteppedJournal<LyingDisk>) -> Vec<Group> {
    let groups = journal.read(journal.bounds().oldest).expect("kept");
    groups.collect::<Result<_, _>>().expect("recovery read the same")
}

/// The claim of a journal with this one segment. `late`: of high numbers.
fn claim(late: bool) -> String {
    let (epoch, oldest) = if late { (u64::MAX - 9, u64::MAX - 99) } else { (3, 1) };
    let synced = oldest - 1;
    let text = format!(
        "piecework journal claim 1\njournal {JOURNAL}\nepoch {epoch}\nsynced {synced}\n\
         oldest {oldest} after {:032x}\nsegment 1\n",
        0
    );
    format!("{text}crc32c {:08x}\n", crc32c::crc32c(text.as_bytes()))
}

/// Gives every frame our journal's id, the hash of the frame before it, and
/// the checksums that it should have.
fn make_right(content: &mut [u8]) {
    let mut at = 0;
    let mut previous = [0; 16];
    while at + BLOCK <= content.len() {
        let frame = &mut content[at..];
        frame[JOURNAL_AT..PREVIOUS_AT].copy_from_slice(&JOURNAL.0.to_le_bytes());
        frame[PREVIOUS_AT..BODY_CRC_AT].copy_from_slice(&previous);
        let mut length = [0; 4];
        length.copy_from_slice(&frame[8..12]);
        let body_bytes = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        let whole = body_bytes.saturating_add(HEADER_BYTES).checked_next_multiple_of(BLOCK);
        let whole = whole.filter(|whole| *whole <= frame.len()).unwrap_or(BLOCK);
        let body_crc = crc32c::crc32c(&frame[HEADER_BYTES..whole]);
        frame[BODY_CRC_AT..HEADER_CRC_AT].copy_from_slice(&body_crc.to_le_bytes());
        let header_crc = crc32c::crc32c(&frame[..HEADER_CRC_AT]);
        frame[HEADER_CRC_AT..HEADER_BYTES].copy_from_slice(&header_crc.to_le_bytes());
        let is_group = frame[6..8] == [1, 0];
        if let (true, Some(body)) = (is_group, frame.get(HEADER_BYTES..HEADER_BYTES + body_bytes)) {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&frame[..48]);
            hasher.update(&frame[JOURNAL_AT..BODY_CRC_AT]);
            hasher.update(body);
            previous.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        }
        at += whole;
    }
}

/// A segment of a healthy journal, changed at some places.
fn changed(changes: &[u8]) -> Vec<u8> {
    let mut content = healthy();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        if let Some(byte) = content.get_mut(at) {
            *byte ^= change[2];
        }
    }
    content
}

/// A segment of a healthy journal.
fn healthy() -> Vec<u8> {
    let disk = LyingDisk::new(1);
    let mut journal = open(&disk).expect("an empty disk without faults");
    for bytes in [10, 5_000, 300, 9_000, 0] {
        let first = journal.bounds().next;
        let body = vec![u8::try_from(first.0).expect("few"); bytes];
        let group = Group { first, count: 2, now: Now::default(), body: body.into() };
        journal.append(group).expect("there is room");
        journal.step_sync(false);
        journal.step_sync(bytes == 300);
    }
    disk.content(SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::super::mutated;
    use super::*;

    #[test]
    fn p15_no_content_of_a_segment_brings_recovery_down() {
        let good = healthy();
        for seed in 0..1_500 {
            let flags = u8::try_from(seed % 4).expect("small");
            // A journal that begins at a high position: its first frame has one, too.
            let mut base = good.clone();
            if flags & 2 != 0 {
                base[16..24].copy_from_slice(&(u64::MAX - 99).to_le_bytes());
            }
            // Headers are a small part of a segment: most changes go there.
            let (head, tail) = base.split_at(if seed % 3 == 0 { base.len() } else { 112 });
            let mut bytes = vec![flags];
            bytes.extend(mutated(head, &good, seed));
            bytes.resize(1 + head.len(), 0);
            bytes.extend_from_slice(tail);
            journal_frame(&bytes);
        }
    }

    #[test]
    fn a_segment_that_was_made_right_opens_with_its_groups() {
        let mut content = healthy();
        content[JOURNAL_AT] ^= 1;
        content[HEADER_BYTES] ^= 1;
        make_right(&mut content);
        let disk = LyingDisk::new(1);
        for (name, content) in [("claim", claim(false).into_bytes()), (SEGMENT, content)] {
            disk.create(name).expect("made");
            disk.damage(name, Some(content));
        }
        assert_eq!(read(&open(&disk).expect("opened")).len(), 5);
    }
}
