//! Pages of lists: bounded by entries, by bytes and by what a filter passes over.

use piecework_core::limits::MESSAGE_BYTES_MAX;
use prost::Message;

use crate::wire::failure::Failure;

/// Entries that one page looks at, fitting or not: a filter that fits nothing
/// must not scan a whole list in one call.
const LOOKED_AT_MAX: usize = 5_000;
/// Entries fetched at a time.
const CHUNK: usize = 100;
/// Tag and length of an entry in its list.
const ENTRY_BYTES: usize = 8;

/// A page being filled.
#[derive(Debug)]
pub(crate) struct Page<M> {
    entries: Vec<M>,
    bytes: usize,
    size: usize,
    looked_at: usize,
    /// The last entry looked at, fitting or not.
    cursor: u64,
    /// The list has nothing after the cursor.
    ended: bool,
}

impl<M: Message> Page<M> {
    /// `size`: entries at most. `cursor`: the last entry of the page before.
    pub(crate) fn new(size: usize, cursor: u64) -> Page<M> {
        Page { entries: Vec::new(), bytes: 0, size, looked_at: 0, cursor, ended: false }
    }

    /// Fills the page from a list.
    ///
    /// `fetch`: entries after a cursor, at most so many; fewer only at the end.
    /// `cursor`: of an entry. `format`: `None` leaves the entry out.
    pub(crate) fn fill<T>(
        &mut self,
        fetch: impl Fn(u64, usize) -> Result<Vec<T>, Failure>,
        cursor: impl Fn(&T) -> u64,
        mut format: impl FnMut(T) -> Result<Option<M>, Failure>,
    ) -> Result<(), Failure> {
        while !self.is_full() {
            let chunk = fetch(self.cursor, CHUNK)?;
            let last = chunk.len() < CHUNK;
            for entry in chunk {
                let at = cursor(&entry);
                let formatted = format(entry)?;
                if self.is_full() || !self.take(at, formatted) {
                    return Ok(());
                }
            }
            if last {
                self.ended = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// The entries, and after which to go on; `None`: this was the last page.
    pub(crate) fn finish(self) -> (Vec<M>, Option<u64>) {
        (self.entries, (!self.ended).then_some(self.cursor))
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.size || self.looked_at >= LOOKED_AT_MAX
    }

    /// False: the entry belongs to the next page. The first one always fits.
    fn take(&mut self, cursor: u64, entry: Option<M>) -> bool {
        if let Some(entry) = entry {
            let bytes = entry.encoded_len() + ENTRY_BYTES;
            if !self.entries.is_empty() && self.bytes + bytes > MESSAGE_BYTES_MAX {
                return false;
            }
            self.bytes += bytes;
            self.entries.push(entry);
        }
        self.cursor = cursor;
        self.looked_at += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use piecework_proto::v1::Money;

    use super::*;

    /// Pages of a list of `total` entries of so many bytes; odd ones are left out
    /// where `even`.
    fn page(size: usize, after: u64, total: u64, bytes: usize, even: bool) -> (usize, Option<u64>) {
        let mut page = Page::new(size, after);
        let fetch = |after: u64, limit| Ok((after + 1..=total).take(limit).collect::<Vec<_>>());
        let format = |n: u64| {
            let entry = Money { micros: 1, currency: "x".repeat(bytes) };
            Ok((!even || n.is_multiple_of(2)).then_some(entry))
        };
        page.fill(fetch, |n| *n, format).unwrap();
        let (entries, next) = page.finish();
        (entries.len(), next)
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        assert_eq!(page(2, 0, 3, 1, false), (2, Some(2)));
        assert_eq!(page(2, 2, 3, 1, false), (1, None));
        assert_eq!(page(500, 0, 350, 1, false), (350, None));
        assert_eq!(page(2, 0, 0, 1, false), (0, None));
    }

    #[test]
    fn a_page_ends_at_its_bytes_but_never_empty() {
        assert_eq!(page(9, 0, 3, MESSAGE_BYTES_MAX, false), (1, Some(1)));
        assert_eq!(page(9, 0, 3, MESSAGE_BYTES_MAX / 2, false), (1, Some(1)));
        assert_eq!(page(9, 0, 3, MESSAGE_BYTES_MAX / 2 - 64, false), (2, Some(2)));
    }

    #[test]
    fn a_filter_leaves_entries_out_and_never_looks_at_everything() {
        assert_eq!(page(2, 0, 9, 1, true), (2, Some(4)));
        let mut none: Page<Money> = Page::new(9, 0);
        let fetch = |after: u64, limit| Ok((after + 1..after + 1 + limit as u64).collect());
        none.fill(fetch, |n: &u64| *n, |_| Ok(None)).unwrap();
        assert_eq!(none.finish(), (vec![], Some(LOOKED_AT_MAX as u64)));
    }
}
