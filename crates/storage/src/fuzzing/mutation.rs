//! Good bytes made bad in the ways that find mistakes in readers.

/// Numbers at which readers of lengths and counts go wrong, as varints.
const EXTREMES: [&[u8]; 6] = [
    &[0x00],
    &[0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
];

/// `good` with one to four changes: bits flipped, bytes cut off, parts of
/// `other` put in, parts doubled or taken out, extreme numbers. Equal seeds
/// give equal bytes.
#[must_use]
pub fn mutated(good: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut random = seed;
    let mut below = |limit: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(random >> 33).expect("31 bits") % limit.max(1)
    };
    let mut bytes = good.to_vec();
    for _ in 0..=below(4) {
        let at = below(bytes.len() + 1);
        let length = 1 + below(8);
        match below(8) {
            0 => bytes.truncate(at),
            1 => {
                let from = below(other.len());
                let part = other[from..].iter().take(length * 4).copied();
                bytes.splice(at..at, part);
            }
            2 => _ = bytes.drain(at..(at + length).min(bytes.len())),
            3 => {
                let part = bytes[at..(at + length * 4).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let extreme = EXTREMES[below(EXTREMES.len())];
                let end = (at + extreme.len()).min(bytes.len());
                bytes.splice(at..end, extreme.iter().copied());
            }
            5 => {
                let extreme = EXTREMES[below(EXTREMES.len())];
                bytes.splice(at..(at + 1).min(bytes.len()), extreme.iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_differ_and_repeat() {
        let good: Vec<u8> = (0..64).collect();
        let changed = (0..100).filter(|seed| mutated(&good, b"other", *seed) != good).count();
        assert!(changed > 80, "{changed}");
        assert_eq!(mutated(&good, b"other", 7), mutated(&good, b"other", 7));
        // Nothing to change is no reason to fail.
        (0..100).for_each(|seed| _ = mutated(&[], &[], seed));
    }
}
