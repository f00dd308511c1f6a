//! A replay that rides out the daemon's deaths: nothing lost, nothing doubled.
//!
//! A made-up crowd is replayed against a daemon that is killed and started
//! again while answers come in. A watcher of its own follows the results all
//! the while. In the end every task has the result that the tests count
//! themselves, and every answer counted once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use piecework_client::proto::v1::ListProjectsRequest;
use piecework_client::{Client, ResultWatcher, WatchError};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::crowd::results;
use crate::harness::{
    Daemon, Platform, Relay, Sheet, in_time, label_of, start_piecework, wait_until,
};

const TASKS: usize = 300;
const WORKERS: usize = 40;
const LABELS: [&str; 4] = ["cat", "dog", "a \"b\", c", "naïve"];
/// How long the replay may go on after the last of them.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// The daemon dies when so many answers have counted, and once before the first.
const DIES_AT: [u64; 5] = [60, 400, 900, 1_300, 1_750];

/// Rows in no particular order, some of them a worker's second answer to a task.
/// Ids as sources have them: with spaces, slashes, digits alone, other scripts.
fn made_up() -> Sheet {
    // A fixed sequence: the same crowd in every run.
    let mut state = 42_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let task = |number: usize| match number % 5 {
        0 => format!("{number}"),
        1 => format!("img/{number}.png"),
        2 => format!("tâche {number}"),
        3 => format!("~{number}"),
        _ => format!("t-{number}"),
    };
    let worker = |number: usize| match number % 4 {
        0 => format!("ann {number}"),
        1 => format!("Ж{number}"),
        2 => format!("{number}@example.org"),
        _ => format!("W{number}"),
    };
    let mut rows = Vec::new();
    for number in 0..TASKS {
        let first = random(WORKERS);
        for answer in 0..5 + random(4) {
            let label = LABELS[if random(3) > 0 { number % 4 } else { random(4) }];
            rows.push([task(number), worker((first + answer * 7) % WORKERS), label.to_owned()]);
        }
        if number % 20 == 0 {
            rows.push([task(number), worker(first), LABELS[random(4)].to_owned()]);
        }
    }
    for index in (1..rows.len()).rev() {
        rows.swap(index, random(index + 1));
    }
    Sheet { rows }
}

/// The project of the replay, once it is there with some of its workers.
async fn replayed_project(platform: &Platform) -> String {
    wait_until("the replay has begun", async || {
        let workers = platform.status().await.workers;
        let request = ListProjectsRequest::default();
        let projects = platform.client.projects().list_projects(request).await.ok()?;
        let project = projects.into_inner().projects.into_iter().next()?;
        (workers >= 5).then_some(project.name)
    })
    .await
}

/// Follows the results until each task has one; checks that none is missing.
fn watcher(
    server: &str,
    project: &str,
) -> JoinHandle<Result<BTreeMap<String, String>, WatchError>> {
    let client = Client::new(server).expect("an address");
    let mut watcher = ResultWatcher::new(client, project.to_owned(), String::new());
    tokio::spawn(async move {
        let (mut results, mut before) = (BTreeMap::new(), 0);
        while results.len() < TASKS {
            let watched = watcher.next_result().await?;
            let result = watched.result.expect("a result");
            assert_eq!(watched.previous_sequence, before, "a result was missed");
            assert!(result.sequence > before, "out of order");
            before = result.sequence;
            let twice = results.insert(result.task.clone(), label_of(&result.answer));
            assert!(twice.is_none(), "{} came twice", result.task);
        }
        Ok(results)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_over_a_dying_daemon_ends_with_every_majority() {
    let mut daemon = Daemon::start().await;
    let relay = Relay::open().await;
    relay.lead_to(Some(daemon.listen()));
    let set = daemon.home().join("made-up");
    std::fs::create_dir(&set).expect("made");
    let sheet = made_up();
    assert!(sheet.pairs() as u64 > DIES_AT[4], "it dies while answers come in");
    sheet.write(&set.join("labels.csv"));
    let file = daemon.home().join("results.jsonl");
    let (server, shown) = (relay.server(), |path: &Path| path.to_str().expect("UTF-8").to_owned());
    let replay = start_piecework(&[
        "--server",
        &server,
        "-o",
        "json",
        "replay",
        &shown(&set),
        "--results",
        &shown(&file),
    ]);

    let project = replayed_project(&daemon.platform()).await;
    let watching = watcher(&server, &project);
    restart_behind(&mut daemon, &relay).await;
    for counted in DIES_AT {
        let platform = daemon.platform();
        wait_until("more answers have counted", async || {
            (platform.stats(&project).await.counted >= counted).then_some(())
        })
        .await;
        restart_behind(&mut daemon, &relay).await;
    }

    let ended = timeout(ENDS_WITHIN, replay.wait_with_output()).await;
    let ran = ended.expect("it ends in time").expect("it ends");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let number = |name: &str| {
        usize::try_from(summary[name].as_u64().expect("a number")).expect("a small one")
    };
    assert_eq!((number("tasks"), number("workers"), number("results")), (TASKS, WORKERS, TASKS));
    assert_eq!((number("labels"), number("answers_counted")), (sheet.rows.len(), sheet.pairs()));
    assert_eq!(number("refused"), sheet.rows.len() - sheet.pairs());

    let majorities = sheet.majorities();
    assert_eq!(results(&file), majorities);
    let platform = daemon.platform();
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.kept), (sheet.pairs() as u64, 0));
    let watched =
        in_time("the watcher has all", watching).await.expect("no panic").expect("no gap");
    let listed = platform.results(&project).await;
    assert_eq!(listed.len(), TASKS);
    for result in listed {
        assert_eq!(watched[&result.task], label_of(&result.answer));
        assert_eq!((result.revision, result.incomplete), (1, false));
    }
}

async fn restart_behind(daemon: &mut Daemon, relay: &Relay) {
    relay.lead_to(None);
    daemon.restart().await;
    relay.lead_to(Some(daemon.listen()));
}
