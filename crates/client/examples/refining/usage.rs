//! What a process uses, as Linux tells it.

use std::process::Child;
use std::time::Duration;

use super::Failure;

/// Kernel ticks a second, in which Linux tells CPU time.
const TICKS_PER_SECOND: u64 = 100;

/// Memory that it has in RAM.
pub(crate) fn resident_bytes(child: &Child) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Time that it has had on a CPU.
pub(crate) fn cpu(child: &Child) -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    let after_name = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}
