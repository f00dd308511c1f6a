//! Where a daemon's data are to lie: whether that is a disk at all.

use std::path::Path;

/// Kinds of file systems that keep files in memory.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// Whether what is synced there is in memory only, so that a sync costs nothing. No where
/// nobody can tell.
pub(super) fn is_in_memory(directory: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    // What does not exist yet will be where its parent is.
    let there = directory.ancestors().find_map(|part| part.canonicalize().ok());
    there.is_some_and(|directory| kind_of(&directory, &mounts).is_some_and(in_memory))
}

fn in_memory(kind: &str) -> bool {
    IN_MEMORY.contains(&kind)
}

/// The file system of the longest mount point above it; of two, the later one hides the other.
fn kind_of<'a>(directory: &Path, mounts: &'a str) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Path::new(words.next()?), words.next()?))
    });
    let above = mounts.filter(|(point, _)| directory.starts_with(point));
    above.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_decides() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n\
                      /dev/vdb /tmp/disk xfs rw 0 0\n";
        let kind = |path: &str| kind_of(Path::new(path), mounts);
        assert_eq!(kind("/tmp/piecework-1"), Some("tmpfs"));
        assert_eq!(kind("/tmp/disk/data"), Some("xfs"));
        assert_eq!(kind("/tmpx"), Some("ext4"));
        assert_eq!(kind_of(Path::new("/x"), ""), None);
        assert!(in_memory("tmpfs") && !in_memory("ext4"));
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_where_its_parent_is() {
        assert!(!is_in_memory(Path::new("/proc/none/of/these")));
    }
}
