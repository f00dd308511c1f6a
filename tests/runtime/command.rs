//! `piecework work --exec`, which is the runtime with a program as its handler.

use crate::harness::{Daemon, in_time, piecework_at, start_piecework, terminate, wait_until};

#[tokio::test]
async fn sigterm_lets_the_program_finish_and_returns_what_has_not_begun() {
    let daemon = Daemon::start().await;
    let (platform, server) = (daemon.platform(), daemon.server());
    let project = platform.project("p").await;
    let ann = platform.worker("ann").await;
    platform.numbered_tasks(&project, 3).await;
    assert_eq!(platform.ask(&ann, &project, 3).await.leases.len(), 3);
    let (began, go) = (daemon.home().join("began"), daemon.home().join("go"));
    // The lock of the file system is the signal: `read` on a pipe that the test writes to.
    let made = std::process::Command::new("mkfifo").arg(&go).status().expect("mkfifo");
    assert!(made.success());
    let program =
        format!("touch {}; read -r label < {}; echo $label", began.display(), go.display());
    let args = ["--server", &server, "work", "p", "--worker", "ann", "--exec", &program];
    let child = start_piecework(&args);
    wait_until("the program runs", async || began.exists().then_some(())).await;
    terminate(&child);
    wait_until("two leases go back", async || {
        (platform.stats(&project).await.returns == 2).then_some(())
    })
    .await;
    tokio::fs::write(&go, "b\n").await.expect("the program reads");
    let ran = in_time("it ends", child.wait_with_output()).await.expect("it runs");
    let stderr = String::from_utf8(ran.stderr).expect("UTF-8");
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("UNSTARTED") && stderr.contains("answers taken: 1"), "{stderr}");
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.returns, stats.live_leases), (1, 2, 0), "{stats:?}");
}

#[tokio::test]
async fn a_program_that_keeps_failing_is_not_tried_for_ever() {
    let daemon = Daemon::start().await;
    let (platform, server) = (daemon.platform(), daemon.server());
    let project = platform.project("p").await;
    platform.worker("ann").await;
    platform.numbered_tasks(&project, 20).await;
    let work = ["work", "p", "--worker", "ann", "--concurrency", "5", "--exec", "false"];
    piecework_at(&server, &work).await.ended(1).says(&["times in a row", "NOT_FOR_ME"]);
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.live_leases), (0, 0), "{stats:?}");
    assert!(stats.returns >= 5, "{stats:?}");
}

#[tokio::test]
async fn a_count_is_kept_and_a_named_task_is_done_alone() {
    let daemon = Daemon::start().await;
    let (platform, server) = (daemon.platform(), daemon.server());
    let project = platform.project("p").await;
    platform.worker("ann").await;
    platform.numbered_tasks(&project, 6).await;
    let work = ["work", "p", "--worker", "ann", "-o", "jsonl", "--exec", "echo a"];
    let run = async |more: &[&str]| piecework_at(&server, &[&work[..], more].concat()).await;
    let ran = run(&["--count", "2"]).await.ended(0).says(&["tasks: 2, answers taken: 2"]);
    assert_eq!(ran.stdout.lines().count(), 2);
    run(&["--once"]).await.ended(0).says(&["tasks: 1, answers taken: 1"]);
    run(&["--concurrency", "3"]).await.ended(0).says(&["answers taken: 3", "nothing to do"]);
    let stats = platform.stats(&project).await;
    assert_eq!((stats.counted, stats.returns, stats.live_leases), (6, 0, 0), "{stats:?}");

    let picks = ["project", "create", "q", "--requester", "acme", "--assignment", "worker-picks"];
    piecework_at(&server, &picks).await.ended(0);
    platform.tasks("projects/q", &["x", "y"]).await;
    let work = ["work", "q", "--worker", "ann", "--exec", "cat", "--task", "y"];
    piecework_at(&server, &work).await.ended(0).says(&["answers taken: 1"]);
    assert_eq!(platform.task("projects/q/tasks/y").await.counted, 1);
    assert_eq!(platform.task("projects/q/tasks/x").await.counted, 0);
}
