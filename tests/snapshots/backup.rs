//! P18: what was backed up under load at a position restores to that position.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use piecework_client::proto::v1::{NewTask, Result as TaskResult};

use super::SETTINGS;
use crate::harness::{Daemon, Platform, piecework, piecework_at};

/// Answers one task after the other, making more, until it is told to stop.
/// Returns how many answers were acknowledged.
async fn load(platform: Platform, project: String, worker: String, stop: Arc<AtomicBool>) -> usize {
    let task = NewTask { payload: "x".into(), ..NewTask::default() };
    let mut done = 0;
    while !stop.load(Ordering::Acquire) {
        platform.new_tasks(&project, vec![task.clone(); 5]).await;
        done += platform.work_off(&worker, &project, "a").await;
    }
    done
}

/// The results so far, in the order they became final: they are listed by task, and of two
/// workers the second one may finish first.
async fn results_as_they_came(platform: &Platform, project: &str) -> Vec<TaskResult> {
    let mut results = platform.results(project).await;
    results.sort_by_key(|result| result.sequence);
    results
}

/// `snapshot create` at the daemon: file and digest.
async fn create(daemon: &Daemon) -> (String, String) {
    let ran = piecework_at(&daemon.server(), &["snapshot", "create", "-o", "json"]).await.ended(0);
    let made = ran.json();
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    (text("file"), text("digest"))
}

/// Restores it and starts a daemon there.
async fn restored(daemon: &Daemon, file: &str, digest: &str) -> Daemon {
    let mut other = Daemon::not_started(&SETTINGS);
    let manifest = daemon.data().join("snapshots").join(file);
    let (manifest, new) = (manifest.to_str().unwrap(), other.data());
    let args = ["restore", manifest, "--data-dir", new.to_str().unwrap(), "-o", "json"];
    let made = piecework(&args).await.ended(0).json();
    assert_eq!(made["digest"], digest);
    // Checked once more, from its files alone.
    let args = ["verify", "--data-dir", new.to_str().unwrap(), "-o", "json"];
    let checked = piecework(&args).await.ended(0).json();
    let state = checked.as_array().unwrap().last().unwrap();
    assert_eq!((&state["part"], &state["digest"]), (&"state".into(), &digest.into()));
    assert_eq!(state["position"], made["position"]);
    // Nothing of it is overwritten.
    let args = ["restore", manifest, "--data-dir", new.to_str().unwrap()];
    piecework(&args).await.ended(2).says(&["is not empty"]);
    other.resume().await;
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p18_a_backup_made_under_load_restores_to_the_digest_it_was_made_at() {
    let daemon = Daemon::with(&SETTINGS).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let running = [ann, bob].map(|worker| {
        tokio::spawn(load(platform.clone(), project.clone(), worker, Arc::clone(&stop)))
    });
    crate::harness::wait_until("some results", async || {
        (platform.stats(&project).await.counted >= 20).then_some(())
    })
    .await;
    let before = results_as_they_came(&platform, &project).await;
    let (file, digest) = create(&daemon).await;
    let after = results_as_they_came(&platform, &project).await;
    let other = restored(&daemon, &file, &digest).await;
    // All that was acknowledged before it was asked for, nothing from after it was there.
    let found = results_as_they_came(&other.platform(), &project).await;
    assert_eq!(found[..before.len()], before);
    assert_eq!(found[..], after[..found.len()]);
    // The original has gone on meanwhile, and still does.
    stop.store(true, Ordering::Release);
    let mut answers = 0;
    for load in running {
        answers += load.await.expect("every call was answered");
    }
    let counted = platform.stats(&project).await.counted;
    assert_eq!(counted, answers as u64);
    assert!(counted > found.len() as u64, "no load while the snapshot was made");

    // At rest both show the same, to the last field.
    let (file, digest) = create(&daemon).await;
    let other = restored(&daemon, &file, &digest).await;
    assert_eq!(other.platform().picture().await, platform.picture().await);
    // Asked for again, nothing having happened, it is the same one.
    assert_eq!(create(&daemon).await, (file, digest));
}

#[tokio::test]
async fn snapshots_are_listed_by_the_daemon_and_from_its_files() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let (first, _) = create(&daemon).await;
    platform.project("q").await;
    let (second, digest) = create(&daemon).await;
    let data = daemon.data();
    let at = data.to_str().unwrap();
    let asked = piecework_at(&daemon.server(), &["snapshot", "list", "-o", "json"]).await.ended(0);
    let found = piecework(&["snapshot", "list", "--data-dir", at, "-o", "json"]).await.ended(0);
    assert_eq!(asked.json(), found.json());
    let files: Vec<_> =
        asked.json().as_array().unwrap().iter().map(|s| s["file"].clone()).collect();
    assert_eq!(files, [first.as_str(), second.as_str()]);
    // A third one takes the place of the oldest.
    platform.project("r").await;
    let (third, _) = create(&daemon).await;
    assert!(!data.join("snapshots").join(&first).exists());
    let args = ["snapshot", "verify", &second, "--data-dir", at, "-o", "json"];
    let checked = piecework(&args).await.ended(0).json();
    assert_eq!((&checked[0]["found"], &checked[0]["digest"]), (&"good".into(), &digest.into()));
    assert_eq!(checked.as_array().unwrap().len(), 1);
    let args = ["snapshot", "verify", &first, "--data-dir", at];
    piecework(&args).await.ended(2).says(&[&first, "snapshot list"]);
    // Damaged while the daemon runs.
    super::flip(&data.join("snapshots").join(&third), 30);
    let args = ["snapshot", "verify", "--data-dir", at];
    piecework(&args).await.ended(3).says(&[&third, "is damaged", "snapshot create"]);
}
