//! The driver of Redis lists against a Redis of its own, where one is installed.
//!
//! Without one each test says that it is skipped.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server with its data in a temporary directory. Ends with the test.
struct Redis {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Redis {
    /// None where it is not installed.
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let started = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => {
                eprintln!("skipped: redis-server could not be started: {error}");
                return None;
            }
        };
        let mut log = BufReader::new(process.stdout.take().expect("it has a stdout")).lines();
        let ready = log.any(|line| line.is_ok_and(|line| line.contains("Ready to accept")));
        let redis = Self { process, address: address.to_string(), _directory: directory };
        assert!(ready, "redis-server ended before it was ready");
        // Read on, so that it never waits for us.
        std::thread::spawn(move || log.for_each(drop));
        Some(redis)
    }

    /// One command without arguments that hold blanks, and the first line of its reply.
    fn ask(&self, command: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).expect("connects");
        writeln!(socket, "{command}\r").expect("sends");
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).expect("answers");
        line.trim_end().to_owned()
    }

    fn run(&self, options: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_peers"))
            .args(["redis-list", "-o", "json", "--server", &self.address])
            .args(["--pid", &self.process.id().to_string()])
            .args(options)
            .output()
            .expect("peers starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", output.status);
        serde_json::from_slice(&output.stdout).expect("one object")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it ends");
    }
}

#[test]
fn every_task_is_finished_once_and_keys_of_others_stay() {
    let Some(redis) = Redis::start() else { return };
    assert_eq!(redis.ask("SET mine 1"), "+OK");
    for pipelined in [false, true] {
        let mut options = vec!["--clients", "4", "--seconds", "60", "--open", "777"];
        options.extend(pipelined.then_some("--pipelined"));
        let report = redis.run(&options);
        assert_eq!(report["cycles"], 777, "{report:#}");
        assert_eq!(report["pipelined"], pipelined);
        assert!(report["note"].as_str().is_some_and(|note| note.starts_with("ended early")));
        assert_eq!(redis.ask("DBSIZE"), ":1", "only the key that was there before");
    }
}

#[test]
fn a_run_tells_rates_times_and_cost() {
    let Some(redis) = Redis::start() else { return };
    let report = redis.run(&["--clients", "2", "--seconds", "1"]);
    let number = |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report:#}"));
    assert!(report["note"].is_null(), "{report:#}");
    let by_hand = number("cycles") / number("seconds");
    assert!((by_hand / number("cycles_per_second") - 1.0).abs() < 0.05, "{report:#}");
    assert!(number("p50_us") > 0.0 && number("p50_us") <= number("p99_us"), "{report:#}");
    assert!(number("server_cpu_seconds_per_100k") > 0.0, "{report:#}");
    assert!(number("enqueued_per_second") > 0.0);
}

#[test]
fn without_a_server_it_says_where_it_looked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let output = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args(["redis-list", "--server", &address])
        .output()
        .expect("peers starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains(&address), "{errors}");
}
