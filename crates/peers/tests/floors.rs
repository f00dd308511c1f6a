//! The floors, which need nothing installed.

use std::process::Command;

use serde_json::Value;

fn run(line: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
    let output = command.args(["-o", "json"]).args(line).output().expect("peers starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn an_echo_is_counted_and_its_server_ends_with_it() {
    // That it ends: the output would stay open, and `output` wait, if it did not.
    let report = run(&["echo", "--clients", "2", "--seconds", "1"]);
    assert_eq!((&report["clients"], &report["connections"]), (&2.into(), &2.into()));
    assert!(report["calls"].as_u64().is_some_and(|calls| calls > 0), "{report:#}");
    assert!(report["p50_us"].as_u64() <= report["p99_us"].as_u64(), "{report:#}");
    assert!(report["server_cpu_seconds_per_100k"].is_number(), "{report:#}");
}

#[test]
fn a_stream_is_read_to_its_end_and_its_bytes_are_as_asked() {
    let report = run(&["stream", "--messages", "1000", "--bytes", "300"]);
    assert_eq!((&report["messages"], &report["bytes"]), (&1_000.into(), &300_000.into()));
    let rate = report["messages_per_second"].as_f64().expect("a rate");
    let by_hand = 1_000.0 / report["seconds"].as_f64().expect("a time");
    assert!((by_hand / rate - 1.0).abs() < 0.5, "{report:#}");
    assert!(report["p50_us"].as_u64().is_some_and(|micros| micros > 0), "{report:#}");
}

#[test]
fn syncs_are_counted_and_leave_no_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_str().expect("plain text");
    let report = run(&["fdatasync", "--seconds", "1", "--dir", path]);
    assert!(report["syncs"].as_u64().is_some_and(|syncs| syncs > 0), "{report:#}");
    let left = directory.path().read_dir().expect("lists").count();
    assert_eq!(left, 0);
}
