//! Data of earlier releases: opened, complete, and worked on.
//!
//! `tests/data/<release>/` holds `data.tar.gz`, a data directory as that release
//! left it after a kill, and `expected.json`, what its API showed and the digest
//! of all its rows. Once made they are never edited. `cargo xtask fixture <release>` makes one of this
//! release.
//!
//! Not here: data of a newer release (`restart/starts.rs`).

mod past;
mod shown;

use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::harness::{Daemon, Platform, piecework, piecework_at, wait_until};

const DATA: &str = "data.tar.gz";
const EXPECTED: &str = "expected.json";
const DIGEST: &str = "digest";
/// A fixture larger than this does not belong into a repository.
const BYTES_MAX: u64 = 256 * 1024;
/// Small ones, so that there are several segments and checkpoints.
const SETTINGS: [(&str, &str); 2] =
    [("PIECEWORK_SEGMENT_BYTES", "65536"), ("PIECEWORK_OVERLAY_BYTES", "65536")];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The digest of all rows at the journal's end, from the files alone.
async fn digest(data: &Path) -> Value {
    let args = ["verify", "--data-dir", data.to_str().expect("UTF-8"), "-o", "json"];
    let parts = piecework(&args).await.ended(0).json();
    let state = parts.as_array().and_then(|parts| parts.last()).expect("a last part").clone();
    assert_eq!(state["part"], "state");
    state["digest"].clone()
}

/// Packs a data directory and what is expected of it.
fn pack(data: &Path, expected: &Value, into: &Path) {
    let file = fs::File::create(into.join(DATA)).expect("created");
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    archive.append_dir_all(".", data).expect("packed");
    archive.into_inner().and_then(GzEncoder::finish).expect("written");
    let text = serde_json::to_string_pretty(expected).expect("JSON");
    fs::write(into.join(EXPECTED), format!("{text}\n")).expect("written");
}

/// A daemon on a copy of it.
async fn open(fixture: &Path) -> (Daemon, Value) {
    let mut daemon = Daemon::not_started(&[]);
    let file = fs::File::open(fixture.join(DATA)).expect("opened");
    tar::Archive::new(GzDecoder::new(file)).unpack(daemon.data()).expect("unpacked");
    let text = fs::read_to_string(fixture.join(EXPECTED)).expect("read");
    let mut expected: Value = serde_json::from_str(&text).expect("JSON");
    let rows = expected.as_object_mut().and_then(|all| all.remove(DIGEST)).expect("a digest");
    assert_eq!(digest(&daemon.data()).await, rows, "all rows of {}", fixture.display());
    daemon.resume().await;
    (daemon, expected)
}

/// Names each place where the two differ, so that a failure can be read.
#[track_caller]
fn assert_same(is: &Value, expected: &Value, place: &str) {
    match (is, expected) {
        (Value::Object(is), Value::Object(expected)) => {
            let keys = |map: &serde_json::Map<String, Value>| {
                map.keys().cloned().collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(keys(is), keys(expected), "what there is in {place}");
            for (key, expected) in expected {
                assert_same(&is[key], expected, &format!("{place}/{key}"));
            }
        }
        _ => assert_eq!(is, expected, "{place}"),
    }
}

async fn check(fixture: &Path) {
    let (mut daemon, expected) = open(fixture).await;
    assert_same(&shown::all(&daemon.platform()).await, &expected, "it");
    past::promises_hold(&daemon.platform()).await;
    let platform = daemon.platform();
    past::work_goes_on(&platform).await;
    // And what came with this release is kept beside it.
    let before = shown::all(&platform).await;
    daemon.restart().await;
    assert_same(&shown::all(&daemon.platform()).await, &before, "it");
}

#[tokio::test]
async fn p17_data_of_every_earlier_release_opens_to_the_same() {
    let Ok(entries) = fs::read_dir(fixtures()) else {
        println!("there is no earlier release yet");
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            println!("fixture: opening {}", path.display());
            check(&path).await;
        }
    }
}

/// Drives a daemon of this release to a directory worth keeping.
async fn make(into: &Path) {
    let mut daemon = Daemon::with(&SETTINGS).await;
    past::first_half(&daemon.platform()).await;
    piecework_at(&daemon.server(), &["snapshot", "create"]).await.ended(0);
    // The first half is in snapshot and tables, the second in the journal alone.
    assert!(daemon.stop().await.success());
    daemon.resume().await;
    past::second_half(&daemon.platform()).await;
    let expected = shown::all(&daemon.platform()).await;
    let platform: Platform = daemon.platform();
    wait_until("nothing more happens", async || {
        (shown::all(&platform).await == expected).then_some(())
    })
    .await;
    daemon.kill().await;
    let mut expected = expected;
    expected[DIGEST] = digest(&daemon.data()).await;
    pack(&daemon.data(), &expected, into);
    let bytes = fs::metadata(into.join(DATA)).expect("there").len();
    assert!(bytes <= BYTES_MAX, "{bytes} bytes, at most {BYTES_MAX}");
    println!("fixture: {} with {bytes} bytes", into.display());
}

/// What the next release will be asked to open. Kept where `PIECEWORK_FIXTURE`
/// names a release.
#[tokio::test]
async fn p17_data_of_this_release_is_packed_and_opens_to_the_same() {
    let home = tempfile::tempdir().expect("temp");
    let into = match std::env::var("PIECEWORK_FIXTURE") {
        Ok(release) => {
            let into = fixtures().join(release);
            fs::create_dir_all(fixtures()).expect("created");
            // Never over one that is there.
            fs::create_dir(&into).expect("a release that has none yet");
            into
        }
        Err(_) => home.path().to_owned(),
    };
    make(&into).await;
    check(&into).await;
}
