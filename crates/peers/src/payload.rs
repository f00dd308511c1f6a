//! What a task carries: 256 bytes, no two the same.

/// Bytes of a payload.
pub(crate) const PAYLOAD_BYTES: usize = 256;

/// The payload of the task with this number, which it begins with.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    let mut payload = vec![b'x'; PAYLOAD_BYTES];
    let number = format!("{number:020}");
    payload[..number.len()].copy_from_slice(number.as_bytes());
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_differ_and_are_equally_long() {
        assert_ne!(payload(1), payload(10));
        assert!([0, 1, u64::MAX].iter().all(|number| payload(*number).len() == PAYLOAD_BYTES));
    }
}
