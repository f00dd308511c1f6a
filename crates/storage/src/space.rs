//! How much room a disk has left.

use std::io;
use std::path::Path;

/// Bytes that this user may still write to the file system that `path` lies on.
///
/// # Errors
/// As the operating system says.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(path)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_some_room_and_no_more_than_it_is_large() {
        let temp = tempfile::tempdir().expect("temp");
        let space = rustix::fs::statvfs(temp.path()).expect("there");
        let free = free_bytes(temp.path()).expect("there");
        assert!(free > 0 && free <= space.f_blocks * space.f_frsize, "{free}");
        let absent = free_bytes(&temp.path().join("absent")).expect_err("not there");
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }
}
