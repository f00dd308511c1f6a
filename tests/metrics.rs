//! The metrics port: counts that move, labels that stay few, health.

use std::collections::BTreeSet;
use std::time::Duration;

use piecework_client::proto::v1::{GetProjectRequest, Project, Relaxation, Requirements};

use crate::harness::{Daemon, Page, get, wait_until, wire};

const LABELS: [&str; 11] = [
    "version", "service", "method", "code", "state", "verdict", "command", "from", "step", "le",
    "quantile",
];

async fn scrape(daemon: &Daemon) -> Page {
    let page = get(daemon.metrics(), "/metrics").await;
    assert_eq!(page.status, 200);
    page
}

/// Names and values of all labels.
fn labels(page: &Page) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for line in page.body.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once('{') else { continue };
        let (inside, _) = rest.rsplit_once('}').expect("closed");
        for label in inside.split("\",") {
            let (name, value) = label.split_once("=\"").expect("name and value");
            labels.push((name.to_owned(), value.trim_end_matches('"').to_owned()));
        }
    }
    labels
}

#[tokio::test]
async fn counts_move_with_what_happens() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let version = format!("piecework_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(scrape(&daemon).await.value(&version), 1.0);

    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 5).await;
    let ann = platform.worker("ann").await;
    platform.answer_one(&ann, &project, "a").await;
    platform.lease(&ann, &project).await;
    let name = "projects/unknown".to_owned();
    let request = GetProjectRequest { name, min_position: String::new() };
    platform.client.projects().get_project(request).await.expect_err("unknown");

    let page = wait_until("the gauges follow", async || {
        let page = scrape(&daemon).await;
        (page.value("piecework_tasks{state=\"done\"}") == 1.0
            && page.value("piecework_live_leases") == 1.0)
            .then_some(page)
    })
    .await;
    let rpc = |service: &str, method: &str, code: &str| {
        page.value(&format!(
            "piecework_rpcs_total{{service=\"piecework.v1.{service}\",method=\"{method}\",code=\"{code}\"}}"
        ))
    };
    assert_eq!(rpc("TaskService", "CreateTasks", "OK"), 1.0);
    assert_eq!(rpc("DispatchService", "Lease", "OK"), 2.0);
    assert_eq!(rpc("ProjectService", "GetProject", "NOT_FOUND"), 1.0);
    for (series, value) in [
        ("piecework_tasks{state=\"open\"}", 4.0),
        ("piecework_tasks{state=\"failed\"}", 0.0),
        ("piecework_projects", 1.0),
        ("piecework_projects_growing", 0.0),
        ("piecework_workers", 1.0),
        ("piecework_tasks_created_total", 5.0),
        ("piecework_leases_granted_total", 2.0),
        ("piecework_leases_expired_total", 0.0),
    ] {
        assert_eq!(page.value(series), value, "{series}\n{}", page.body);
    }
    assert!(page.value("piecework_place_arrivals_per_minute") > 0.0);
    assert!(page.value("piecework_place_completions_per_minute") > 0.0);
    assert!(page.value("piecework_journal_position") >= 6.0);
    let written = page.value("piecework_journal_written_bytes_total");
    let syncs = page.value("piecework_journal_syncs_total");
    assert!(syncs >= 1.0 && written >= syncs * 4_096.0, "{written} bytes, {syncs} syncs");
    assert!(page.body.contains("piecework_commit_seconds_bucket{le="), "{}", page.body);
    // Every series is explained.
    for line in page.body.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).expect("a name");
        assert!(page.body.contains(&format!("# HELP {name} ")), "{name}");
    }
}

#[tokio::test]
async fn the_step_that_is_in_force_is_counted() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let step =
        |after| Relaxation { after: wire(after), requirements: Some(Requirements::default()) };
    let relaxation = vec![step(Duration::from_millis(1)), step(Duration::from_secs(3_600))];
    let project = platform.project_with("p", |project| Project { relaxation, ..project }).await;
    let relaxed = async |first: f64| {
        wait_until("the gauge follows", async || {
            let page = scrape(&daemon).await;
            assert_eq!(page.value("piecework_projects_relaxed{step=\"2\"}"), 0.0);
            assert_eq!(page.value("piecework_projects_relaxed{step=\"8\"}"), 0.0);
            (page.value("piecework_projects_relaxed{step=\"1\"}") == first).then_some(())
        })
        .await;
    };
    relaxed(0.0).await;
    assert_eq!(platform.stats(&project).await.relaxation_step, 0, "nothing waits");
    platform.tasks(&project, &["t"]).await;
    relaxed(1.0).await;
    assert_eq!(platform.stats(&project).await.relaxation_step, 1);
    let ann = platform.worker("ann").await;
    platform.answer_one(&ann, &project, "a").await;
    relaxed(0.0).await;
}

#[tokio::test]
async fn checkpoints_are_timed() {
    let daemon = Daemon::with(&[("PIECEWORK_CHECKPOINT_EVERY_MS", "1")]).await;
    daemon.platform().project("p").await;
    wait_until("a checkpoint was written", async || {
        let page = scrape(&daemon).await;
        // Nothing before the first one.
        let count = page.body.lines().find(|l| l.starts_with("piecework_checkpoint_seconds_count"));
        count.is_some_and(|count| !count.ends_with(" 0")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_id_is_ever_a_label() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    let project = platform.project("needle-project").await;
    platform.tasks(&project, &["needle-task"]).await;
    let worker = platform.worker("needle-worker").await;
    let lease = platform.lease(&worker, &project).await.name;
    platform.submit(&worker, &lease, "a").await;
    platform.try_submit(&worker, &lease, "b").await.expect_err("used");
    // An unknown path must not become a label either.
    let channel = tonic::transport::Endpoint::from_shared(daemon.server()).unwrap();
    let mut grpc = tonic::client::Grpc::new(channel.connect().await.unwrap());
    grpc.ready().await.expect("connected");
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = "/needle.Service/NeedleMethod".parse().unwrap();
    grpc.unary(tonic::Request::new(()), path, codec).await.expect_err("unknown");

    let page = scrape(&daemon).await;
    assert!(!page.body.to_lowercase().contains("needle"), "{}", page.body);
    let names: BTreeSet<String> = labels(&page).into_iter().map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| LABELS.contains(&name.as_str())), "{names:?}");
    assert!(labels(&page).iter().all(|(_, value)| !value.contains(&lease)));
}

#[tokio::test]
async fn a_serving_daemon_is_healthy_and_ready() {
    let daemon = Daemon::start().await;
    for (path, body) in [("/healthz", "ok"), ("/readyz", "serving")] {
        let page = get(daemon.metrics(), path).await;
        assert_eq!((page.status, page.body.trim()), (200, body));
    }
    assert_eq!(get(daemon.metrics(), "/nothing").await.status, 404);
}
