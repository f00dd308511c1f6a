//! CPU time of a server, all its processes together, as Linux tells it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Kernel ticks a second, in which Linux tells CPU time.
const TICKS_PER_SECOND: u64 = 100;

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// In user and kernel mode, all threads.
    ticks: u64,
    /// Of children that have ended and were waited for.
    ticks_of_ended: u64,
}

/// Time that a process and its children have had on a CPU; ended ones count too.
/// None where there is no such process, or no `/proc`.
pub(crate) fn cpu(root: u32) -> Option<Duration> {
    let all = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((process, read(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    });
    let ticks = ticks_of_tree(root, &all.collect())?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

fn ticks_of_tree(root: u32, all: &BTreeMap<u32, Stat>) -> Option<u64> {
    let stat = all.get(&root)?;
    let children = all.iter().filter(|(process, stat)| stat.parent == root && **process != root);
    let below: u64 = children.filter_map(|(process, _)| ticks_of_tree(*process, all)).sum();
    Some(stat.ticks + stat.ticks_of_ended + below)
}

fn read(stat: &str) -> Option<Stat> {
    // The name stands in brackets and may hold anything, brackets too.
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: ticks(11)? + ticks(12)?,
        ticks_of_ended: ticks(13)? + ticks(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_the_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 150 25 3 4 20 0 1 0 5 6 7";
        assert_eq!(read(stat), Some(Stat { parent: 1, ticks: 175, ticks_of_ended: 7 }));
        assert_eq!(read("7 (cut"), None);
        assert_eq!(read("7 (cut) S 1 7"), None);
    }

    #[test]
    fn children_and_theirs_count_and_others_do_not() {
        let stat = |parent, ticks| Stat { parent, ticks, ticks_of_ended: 1 };
        let all = [(1, stat(0, 1_000)), (7, stat(1, 100)), (8, stat(7, 20)), (9, stat(8, 3))];
        assert_eq!(ticks_of_tree(7, &all.into()), Some(126));
        assert_eq!(ticks_of_tree(6, &all.into()), None);
    }

    #[test]
    fn our_own_process_is_there() {
        assert!(cpu(std::process::id()).is_some());
        assert_eq!(cpu(u32::MAX), None);
    }
}
