//! What a process uses, as Linux tells it; nothing where there is no `/proc`.

use std::time::Duration;

/// Kernel ticks a second, in which Linux tells CPU time.
const TICKS_PER_SECOND: u64 = 100;

/// Memory that it has in RAM, bytes.
pub(super) fn resident_bytes(process: u32) -> Option<u64> {
    resident_in(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// Time that it has had on a CPU, in user and kernel mode, all its threads together.
pub(super) fn cpu(process: u32) -> Option<Duration> {
    cpu_in(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn cpu_in(stat: &str) -> Option<Duration> {
    // The name stands in brackets and may hold anything, brackets too.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_kernel_together() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 150 25 3 4 20 0 1 0 5 6 7";
        assert_eq!(cpu_in(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(cpu_in("7 (cut"), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2 << 20));
        assert_eq!(resident_in("Name:\tx\n"), None);
    }

    #[test]
    fn our_own_process_uses_something() {
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
        assert!(cpu(std::process::id()).is_some());
    }
}
