//! Where and when it was measured: a ratio travels, a rate does not.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use serde_json::{Value, json};

use crate::command::Command;
use crate::workspace::Workspace;

/// What must be said beside the figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Of the directory with all data.
    pub(crate) file_system: String,
    /// Of piecework.
    pub(crate) commit: String,
    /// Names and versions of the peers.
    pub(crate) peers: Vec<String>,
}

impl Machine {
    /// What cannot be found out is told as unknown.
    pub(crate) fn look(workspace: &Workspace, data: &Path, peers: Vec<String>) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let say = |words: &[&str]| said(&Command::new(words), &workspace.root);
        let data = data.to_string_lossy();
        Self {
            date: say(&["date", "--utc", "+%Y-%m-%d"]),
            processor: processor(&read("/proc/cpuinfo")).unwrap_or(UNKNOWN).to_owned(),
            cores: available_parallelism().map_or(0, usize::from),
            memory_mib: memory_mib(&read("/proc/meminfo")).unwrap_or_default(),
            kernel: say(&["uname", "-sr"]),
            file_system: say(&["findmnt", "--noheadings", "--output", "FSTYPE", "--target", &data]),
            commit: say(&["git", "describe", "--always", "--dirty"]),
            peers,
        }
    }

    /// Nothing there survives a power cut.
    pub(crate) fn is_in_memory(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&self.file_system.as_str())
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "memory_mib": self.memory_mib,
            "kernel": self.kernel,
            "file_system": self.file_system,
        })
    }
}

const UNKNOWN: &str = "unknown";

fn said(command: &Command, directory: &Path) -> String {
    match command.output(directory) {
        Ok((text, true)) => text.trim().to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

fn processor(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn memory_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_own_files_are_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A 7: fast\n\nprocessor\t: 1\n";
        assert_eq!(processor(cpuinfo), Some("A 7: fast"));
        assert_eq!(processor("processor : 0\n"), None);
        let meminfo = "MemTotal:        8152328 kB\nMemFree: 1 kB\n";
        assert_eq!(memory_mib(meminfo), Some(7_961));
        assert_eq!(memory_mib("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_told_nothing() {
        let told = |words: &[&str]| said(&Command::new(words), Path::new("/"));
        assert_eq!(told(&["echo", "yes"]), "yes");
        assert_eq!(told(&["false"]), UNKNOWN);
        assert_eq!(told(&["no-such-program-here"]), UNKNOWN);
    }
}
