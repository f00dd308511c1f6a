//! One number for a set of rows: equal rows, equal digest, however they lie.
//!
//! The sum of a hash of every row, so that it can be kept up to date row by row,
//! added up over parts, and compared between tables, snapshots and a journal
//! that was folded. It finds accidents; it is no signature.

use std::fmt;
use std::str::FromStr;

/// The digest of a set of rows. That of no rows is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowsDigest(u128);

impl RowsDigest {
    /// A row comes in. `value`: message and checksum, as in the journal.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.0 = self.0.wrapping_add(of_row(key, value));
    }

    /// A row that is in goes out.
    pub fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.0 = self.0.wrapping_sub(of_row(key, value));
    }

    /// The rows of another set, none of which is in here, come in.
    pub fn join(&mut self, other: RowsDigest) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The rows of another set, all of which are in here, go out.
    pub(crate) fn leave(&mut self, other: RowsDigest) {
        self.0 = self.0.wrapping_sub(other.0);
    }

    /// As it lies on disk.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// From disk.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> RowsDigest {
        RowsDigest(u128::from_le_bytes(bytes))
    }
}

fn of_row(key: &[u8], value: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    // The key's length keeps (key, value) apart from any other cut of the same bytes.
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(short)
}

impl fmt::Display for RowsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Thirty-two hexadecimal digits, as [`RowsDigest`] prints them.
impl FromStr for RowsDigest {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<RowsDigest, Self::Err> {
        u128::from_str_radix(text, 16).map(RowsDigest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_count_and_what_goes_out_was_never_in() {
        let rows: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b"2"), (b"ab", b"")];
        let mut forward = RowsDigest::default();
        rows.iter().for_each(|(key, value)| forward.add(key, value));
        let (mut first, mut rest) = (RowsDigest::default(), RowsDigest::default());
        rest.add(b"ab", b"");
        rest.add(b"b", b"2");
        rest.add(b"c", b"3");
        first.add(b"a", b"1");
        rest.remove(b"c", b"3");
        first.join(rest);
        assert_eq!(first, forward);
        assert_ne!(forward, RowsDigest::default());
        assert_eq!(forward.to_string().parse(), Ok(forward));
        assert_eq!(RowsDigest::from_bytes(forward.to_bytes()), forward);
    }

    #[test]
    fn the_cut_between_key_and_value_counts() {
        let (mut one, mut other) = (RowsDigest::default(), RowsDigest::default());
        one.add(b"ab", b"c");
        other.add(b"a", b"bc");
        assert_ne!(one, other);
    }
}
