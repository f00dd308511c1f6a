//! Snapshots: made under load, restored, what they let the journal forget, and
//! what tables are rebuilt from; and the check of a whole directory.

mod backup;
mod growth;
mod rebuild;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use piecework_client::proto::v1::{CreateTasksRequest, NewTask};
use tonic::Code;

use crate::harness::{Daemon, Platform, get, wait_until};

/// Small ones, so that a short run fills many segments and makes many snapshots.
const SETTINGS: [(&str, &str); 3] = [
    ("PIECEWORK_SEGMENT_BYTES", "262144"),
    ("PIECEWORK_OVERLAY_BYTES", "2097152"),
    ("PIECEWORK_SNAPSHOT_JOURNAL_BYTES", "1048576"),
];
/// Of each task's payload.
const PAYLOAD_BYTES: usize = 20_000;

/// So many tasks with a payload that fills the journal. They are refused while
/// the tables are behind.
async fn heavy_tasks(platform: &Platform, project: &str, count: usize) {
    let payload = bytes::Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
    let task = NewTask { payload, ..NewTask::default() };
    let (parent, tasks) = (project.to_owned(), vec![task; count]);
    let request = CreateTasksRequest { parent, tasks, request_id: String::new() };
    wait_until("new tasks are taken", async || {
        match platform.client.tasks().create_tasks(request.clone()).await {
            Ok(_) => Some(()),
            Err(status) if status.code() == Code::ResourceExhausted => None,
            Err(status) => panic!("{status:?}"),
        }
    })
    .await;
}

/// A gauge or counter of the daemon.
async fn metric(daemon: &Daemon, series: &str) -> f64 {
    get(daemon.metrics(), "/metrics").await.value(series)
}

/// All files below a directory, with their content.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = fs::read(&path).expect("read");
            found.insert(path, content);
        }
    }
    found
}

/// The files in `part` of the data directory that end so, in order.
fn named(daemon: &Daemon, part: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(daemon.data().join(part)).expect("listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    paths.sort();
    paths
}

/// Flips some bits of one byte of a file; doing it twice mends it.
fn flip(file: &Path, at: usize) {
    let mut content = fs::read(file).expect("read");
    content[at] ^= 0x10;
    fs::write(file, content).expect("written");
}

/// A daemon with some of everything, whose journal has been trimmed behind a snapshot.
async fn trimmed() -> Daemon {
    let daemon = Daemon::with(&SETTINGS).await;
    let platform = daemon.platform();
    let project = platform.project("p").await;
    platform.numbered_tasks(&project, 20).await;
    let [ann, bob] = platform.workers(["ann", "bob"]).await;
    for worker in [&ann, &bob] {
        platform.answer_one(worker, &project, "a").await;
        platform.lease(worker, &project).await;
    }
    let first = named(&daemon, "journal", ".segment").remove(0);
    let other = platform.project("heavy").await;
    wait_until("the first segment is given up", async || {
        heavy_tasks(&platform, &other, 5).await;
        (!first.exists()).then_some(())
    })
    .await;
    platform.answer_one(&ann, &project, "b").await;
    daemon
}
