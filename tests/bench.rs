//! `piecework bench`: each scenario in small, and what it says when it cannot run.
//!
//! A run's word is checked against the daemon's: what it says was done was done.

use serde_json::Value;

use crate::harness::{Daemon, piecework, piecework_at, wait_until};

/// What scripts rely on, in every scenario that measures calls.
const KEYS: [&str; 7] = [
    "seconds",
    "p50_us",
    "p90_us",
    "p99_us",
    "p999_us",
    "server_cpu_seconds_per_100k",
    "server_rss_bytes",
];

/// Runs a scenario on a daemon of its own.
async fn alone(line: &str) -> Value {
    let mut args = vec!["bench", "-o", "json"];
    args.extend(line.split_whitespace());
    let report = piecework(&args).await.ended(0).json();
    assert!(report["note"].is_null(), "{report}");
    report
}

/// Runs a scenario on this daemon.
async fn at(daemon: &Daemon, line: &str) -> Value {
    let mut args = vec!["bench", "-o", "json"];
    args.extend(line.split_whitespace());
    piecework_at(&daemon.server(), &args).await.ended(0).json()
}

#[track_caller]
fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {report:#}"))
}

/// All keys are there, and the numbers fit each other. `unit`: what is counted.
#[track_caller]
fn is_plausible(report: &Value, unit: &str) {
    for key in KEYS {
        assert!(number(report, key) >= 0.0, "{key} in {report:#}");
    }
    let done = number(report, &format!("{unit}s"));
    let rate = number(report, &format!("{unit}s_per_second"));
    assert!(done > 0.0 && rate > 0.0, "{report:#}");
    let by_hand = done / number(report, "seconds");
    assert!((by_hand / rate - 1.0).abs() < 0.05, "{by_hand} in {report:#}");
    let p50 = number(report, "p50_us");
    assert!(p50 > 0.0 && p50 <= number(report, "p99_us"), "{report:#}");
    assert!(number(report, "p99_us") <= number(report, "max_us"), "{report:#}");
    assert!(number(report, "server_rss_bytes") > 1_000_000.0, "{report:#}");
}

/// Answers that count and tasks, of all projects of a run.
async fn counted(daemon: &Daemon, report: &Value) -> (u64, u64) {
    let platform = daemon.platform();
    let run = report["run"].as_str().expect("a run's name");
    let (mut counted, mut tasks) = (0, 0);
    for project in 0..report["projects"].as_u64().expect("projects") {
        let stats = platform.stats(&format!("projects/{run}-{project}")).await;
        let states = stats.tasks.expect("counts");
        counted += stats.counted;
        tasks += states.open + states.done;
    }
    (counted, tasks)
}

#[tokio::test]
async fn cycles_are_those_that_the_daemon_counted() {
    let daemon = Daemon::start().await;
    let line = "cycle --clients 6 --connections 2 --seconds 1 --open 20000 --projects 3 \
                --requirements 2 --overlap 2 --priorities random --payload 40";
    let report = at(&daemon, line).await;
    assert_eq!(counted(&daemon, &report).await, (report["cycles"].as_u64().unwrap(), 20_000));
    assert!(number(&report, "cycles") > 0.0);
    assert_eq!(report["refused"], 0);
    assert_eq!(report["calls"], report["cycles"]);
    for key in ["server_cpu_seconds_per_100k", "server_rss_bytes", "journal_bytes_per_cycle"] {
        assert!(report[key].is_null(), "{key} in {report:#}");
    }
    assert!(report["note"].as_str().expect("a note").contains("starts itself"));
}

#[tokio::test]
async fn a_cycle_costs_cpu_memory_and_journal() {
    let report = alone("cycle --clients 4 --seconds 1 --open 20000").await;
    is_plausible(&report, "cycle");
    assert!(number(&report, "server_cpu_seconds_per_100k") > 0.0);
    assert!(number(&report, "client_cpu_seconds_per_100k") > 0.0);
    assert!(number(&report, "journal_bytes_per_cycle") > 20.0, "{report:#}");
    let syncs = number(&report, "journal_syncs_per_cycle");
    assert!(syncs > 0.0 && syncs <= 2.0, "{report:#}");
    assert_eq!(report["aggregation"], "refined", "the daemon's own choice");
}

#[tokio::test]
async fn an_answer_and_the_next_lease_are_one_group() {
    let report = alone("cycle --clients 1 --seconds 1 --open 20000").await;
    let syncs = number(&report, "journal_syncs_per_cycle");
    assert!(number(&report, "cycles") > 20.0 && syncs < 1.2, "{report:#}");
}

#[tokio::test]
async fn so_they_are_on_a_stream() {
    let report =
        alone("stream --workers 1 --streams 1 --capacity 1 --seconds 1 --open 20000").await;
    let syncs = number(&report, "journal_syncs_per_cycle");
    assert!(number(&report, "cycles") > 20.0 && syncs < 1.2, "{report:#}");
}

#[tokio::test]
async fn tasks_that_run_out_end_the_run() {
    let daemon = Daemon::start().await;
    let line = "cycle --clients 3 --seconds 120 --open 50 --aggregation first";
    let report = at(&daemon, line).await;
    assert!(number(&report, "seconds") < 60.0);
    assert!(report["note"].as_str().expect("a note").contains("ended early"), "{report:#}");
    assert_eq!(report["aggregation"], "first");
    assert!(number(&report, "cycles") >= 48.0 && number(&report, "cycles") <= 50.0);
}

#[tokio::test]
async fn a_stream_s_answers_all_count() {
    let daemon = Daemon::start().await;
    let line = "stream --workers 7 --streams 3 --capacity 4 --seconds 1 --open 30000";
    let report = at(&daemon, line).await;
    assert!(number(&report, "cycles") > 0.0);
    let (answers, tasks) = counted(&daemon, &report).await;
    assert_eq!((answers, tasks), (report["cycles"].as_u64().unwrap(), 30_000));
    assert_eq!((&report["refused"], &report["streams"]), (&0.into(), &3.into()));
}

#[tokio::test]
async fn a_stream_ends_when_its_tasks_run_out() {
    let report = piecework(&[
        "bench",
        "stream",
        "--workers",
        "4",
        "--streams",
        "2",
        "--seconds",
        "120",
        "--open",
        "60",
        "-o",
        "json",
    ]);
    let report = report.await.ended(0).json();
    assert_eq!(report["cycles"], 60);
    assert!(report["note"].as_str().expect("a note").contains("no tasks left"), "{report:#}");
}

#[tokio::test]
async fn a_stream_that_is_topped_up_does_not_run_dry() {
    let daemon = Daemon::start().await;
    let line = "stream --workers 4 --streams 2 --seconds 2 --open 300 --top-up --projects 2 \
                --overlap 2 --priorities random --own-ids";
    let report = at(&daemon, line).await;
    let (cycles, tasks) = counted(&daemon, &report).await;
    assert_eq!(cycles, report["cycles"].as_u64().unwrap());
    assert_eq!(tasks, 300 + report["created_meanwhile"].as_u64().unwrap());
    assert!(cycles > 600 && number(&report, "seconds") >= 2.0, "it went on: {report:#}");
    assert!(number(&report, "open_lowest") <= 300.0, "{report:#}");
}

#[tokio::test]
async fn bundles_take_many_cycles_to_a_call() {
    let daemon = Daemon::start().await;
    let line = "bundle --clients 2 --size 50 --seconds 1 --open 100000";
    let report = at(&daemon, line).await;
    assert_eq!(counted(&daemon, &report).await.0, report["cycles"].as_u64().unwrap());
    assert_eq!(number(&report, "cycles"), 50.0 * number(&report, "calls"), "{report:#}");
    is_plausible(&alone("bundle --clients 2 --size 50 --seconds 1 --open 100000").await, "cycle");
}

#[tokio::test]
async fn intake_creates_as_many_tasks_as_asked_for() {
    let daemon = Daemon::start().await;
    let report = at(&daemon, "intake --tasks 5050 --batch 100 --projects 3").await;
    assert_eq!(counted(&daemon, &report).await, (0, 5_050));
    assert_eq!((&report["tasks"], &report["calls"]), (&5_050.into(), &51.into()));
    let report = alone("intake --tasks 20000").await;
    is_plausible(&report, "task");
    assert!(number(&report, "journal_bytes_per_task") > 256.0, "{report:#}");
}

#[tokio::test]
async fn intake_brings_every_task_once_however_often_it_is_put_off() {
    let daemon = Daemon::start().await;
    // More than its lane holds at once; how often that shows is the machine's affair.
    let report = at(&daemon, "intake --tasks 24000 --payload 4000 --clients 24").await;
    assert_eq!(counted(&daemon, &report).await, (0, 24_000));
    assert!(report["calls_put_off"].is_u64(), "{report:#}");
}

#[tokio::test]
async fn every_watcher_reads_every_result() {
    let report = alone("results --tasks 3000 --clients 2").await;
    is_plausible(&report, "result");
    assert_eq!(report["results"], 6_000);
    assert!(number(&report, "bytes_per_second") > number(&report, "results_per_second"));
}

#[tokio::test]
async fn idle_workers_are_on_streams_and_cost_little() {
    let report = alone("idle --workers 50 --streams 5 --seconds 1").await;
    assert!(number(&report, "server_cpu_share_of_a_core") < 1.0);
    assert!(number(&report, "server_bytes_per_worker") < 10_000_000.0);
    assert_eq!((&report["workers"], &report["streams"]), (&50.into(), &5.into()));
}

#[tokio::test]
async fn a_mixed_load_keeps_its_rates_apart() {
    let daemon = Daemon::start().await;
    let line = "mixed --rate 100 --intake-rate 200 --clients 4 --seconds 2 --open 5000";
    let report = at(&daemon, line).await;
    let cycles = report["cycles"].as_u64().expect("cycles");
    assert!(cycles > 0 && cycles <= 200, "{report:#}");
    let brought = report["intake_tasks"].as_u64().expect("tasks");
    assert!(brought > 0 && brought <= 400, "{report:#}");
    assert_eq!(counted(&daemon, &report).await, (cycles, 5_000 + brought));
    assert!(number(&report, "results") > 0.0 && number(&report, "rate_held") <= 1.0);
}

#[tokio::test]
async fn a_killed_daemon_grants_again_and_has_all_its_tasks() {
    let home = tempfile::tempdir().expect("temp");
    let data = home.path().join("data");
    let line = "start --open 3000 --finished 500 --kills 3 --set cache_bytes=16777216";
    let report = alone(&format!("{line} --data-dir {}", data.display())).await;
    assert_eq!((&report["starts"], &report["finished"]), (&3.into(), &500.into()));
    let [lowest, middle, highest] =
        ["first_grant_lowest_ms", "first_grant_ms", "first_grant_highest_ms"]
            .map(|key| number(&report, key));
    assert!(number(&report, "ready_ms") > 0.0 && lowest > 0.0, "{report:#}");
    assert!(lowest <= middle && middle <= highest, "{report:#}");
    let data = data.to_str().expect("UTF-8");
    piecework(&["verify", "--data-dir", data]).await.ended(0);
}

#[tokio::test]
async fn memory_is_told_for_a_task_whether_touched_or_not() {
    for (line, own_ids, touched) in
        [("--own-ids", true, false), ("--touch --own-ids", true, true), ("", false, false)]
    {
        let report = alone(&format!("memory --tasks 2500 {line}")).await;
        assert_eq!((&report["own_ids"], &report["touched"]), (&own_ids.into(), &touched.into()));
        assert_eq!(report["tasks"], 5_000);
        assert!(number(&report, "server_rss_bytes_half") > 1_000_000.0, "{report:#}");
        // How much is the machine's affair, with so few.
        assert!(number(&report, "server_bytes_per_task").is_finite(), "{report:#}");
    }
}

#[tokio::test]
async fn tasks_are_touched_once_each_and_stay_open() {
    let daemon = Daemon::start().await;
    let report = at(&daemon, "memory --tasks 1500 --touch").await;
    assert_eq!(counted(&daemon, &report).await, (0, 3_000));
    let name = format!("projects/{}-0", report["run"].as_str().expect("a run's name"));
    let stats = daemon.platform().stats(&name).await;
    assert_eq!(stats.tasks.expect("counts").open, 3_000);
    assert!(report["server_bytes_per_task"].is_null(), "{report:#}");
}

#[tokio::test]
async fn what_churns_is_deleted_and_the_rest_stays_as_much() {
    let daemon = Daemon::start().await;
    let line = "churn --rate 400 --tasks 100 --kept 2 --clients 4 --seconds 3";
    let report = at(&daemon, line).await;
    assert!(number(&report, "cycles") > 0.0 && number(&report, "rate_held") <= 1.0);
    assert!(number(&report, "projects_deleted") > 0.0, "{report:#}");
    assert_eq!(report["refused"], 0, "{report:#}");
}

#[tokio::test]
async fn a_rate_that_is_not_held_is_told() {
    let line = ["bench", "mixed", "--rate", "1000000", "--seconds", "1", "--open", "100"];
    let ran = piecework(&[&line[..], &["--clients", "2", "-o", "json"]].concat()).await;
    let ran = ran.ended(0).says(&["the rate was not held"]);
    assert!(number(&ran.json(), "rate_held") < 0.99);
}

#[tokio::test]
async fn a_report_comes_in_every_format() {
    let line = ["bench", "intake", "--tasks", "10", "-o"];
    let table = piecework(&[&line[..], &["table"]].concat()).await.ended(0);
    table.prints(&["scenario", "intake", "tasks_per_second", "server_rss_bytes"]);
    let csv = piecework(&[&line[..], &["csv"]].concat()).await.ended(0).stdout;
    let (head, row) = csv.split_once('\n').expect("two lines");
    assert!(head.starts_with("scenario,run,") && row.starts_with("intake,bench-"), "{csv}");
}

#[tokio::test]
async fn a_daemon_s_data_stay_where_they_are_asked_for() {
    let home = tempfile::tempdir().expect("temp");
    let data = home.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let line = ["bench", "intake", "--tasks", "10", "--data-dir", data, "-o", "json"];
    let report = piecework(&line).await.ended(0).json();
    piecework(&line).await.ended(2).says(&["--data-dir", "is not empty"]);
    let verified = piecework(&["verify", "--data-dir", data]).await;
    verified.ended(0);
    assert_eq!(report["tasks"], 10);
}

#[tokio::test]
async fn wrong_usage_says_what_to_do() {
    for (line, parts) in [
        ("cycle --clients 0", &["--clients", "0"][..]),
        ("cycle --clients 2 --connections 3", &["--connections 3", "--clients 2", "at most 2"]),
        ("cycle --clients 2 --overlap 3", &["--overlap 3", "--clients 2", "at most 2"]),
        ("cycle --projects 300 --requirements 1", &["256 skills"]),
        ("cycle --threads 0", &["--threads", "0"]),
        ("stream --workers 2 --streams 3", &["--streams 3", "--workers 2", "at most 2"]),
        ("stream --workers 20001 --streams 2", &["at least 3"]),
        ("bundle --size 1001", &["--size", "1001", "1..=1000"]),
        ("intake --payload 65537", &["--payload", "65537"]),
        ("intake --payload 65536 --batch 1000", &["--batch 1000", "4 MiB", "at most"]),
        ("results --clients 1 --connections 2", &["--connections 2", "at most 1"]),
        ("idle --seconds 0", &["--seconds"]),
        ("mixed --rate 0", &["--rate"]),
        ("memory --touch --overlap 2", &["--touch", "--overlap"]),
        ("start --kills 0", &["--kills"]),
        ("churn --kept 1", &["--kept"]),
        ("intake --set cache_bytes", &["--set", "KEY=VALUE"]),
        ("cycles", &["cycle"]),
    ] {
        let args: Vec<&str> = std::iter::once("bench").chain(line.split_whitespace()).collect();
        piecework(&args).await.ended(2).says(parts);
    }
    let line = ["bench", "intake", "--tasks", "1", "--data-dir", "/x"];
    piecework_at("http://127.0.0.1:1", &line).await.ended(2).says(&["--data-dir"]);
    for (line, part) in [(["start", "--kills", "1"], "kills"), (["idle", "--set", "a=1"], "--set")]
    {
        let line = [&["bench"], &line[..]].concat();
        piecework_at("http://127.0.0.1:1", &line).await.ended(2).says(&[part]);
    }
    let line = ["bench", "intake", "--tasks", "1", "--set", "no_such_key=1"];
    piecework(&line).await.ended(1).says(&["no_such_key"]);
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_told_with_its_address() {
    let mut daemon = Daemon::start().await;
    let server = daemon.server();
    daemon.kill().await;
    let ran = piecework_at(&server, &["bench", "cycle", "--clients", "1"]).await;
    ran.ended(4).says(&[&server, "cannot be reached", "piecework serve"]);
    let ran = piecework_at("no address", &["bench", "cycle"]).await;
    ran.ended(2).says(&["no address"]);
}

#[tokio::test]
async fn an_interrupt_ends_it() {
    let daemon = Daemon::start().await;
    let server = daemon.server();
    let line = ["--server", &server, "bench", "cycle", "--seconds", "600", "--open", "1000000"];
    let child = crate::harness::start_piecework(&line);
    let platform = daemon.platform();
    wait_until("tasks come in", async || {
        let status = platform.status().await;
        status.tasks.is_some_and(|tasks| tasks.open > 0).then_some(())
    })
    .await;
    crate::harness::terminate(&child);
    let ended = child.wait_with_output().await.expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("interrupted"));
}
