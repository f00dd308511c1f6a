//! Starts that are refused, each with its exit status and a message for a person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::{Daemon, Ran, piecework};

/// `serve` on a directory, with further arguments.
async fn serve(data: &Path, args: &[&str]) -> Ran {
    let data = data.to_str().expect("UTF-8");
    let fixed =
        ["serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    piecework(&[&fixed, args].concat()).await
}

#[tokio::test]
async fn a_second_daemon_on_the_same_data_is_refused() {
    let daemon = Daemon::start().await;
    let platform = daemon.platform();
    platform.project("p").await;
    let before = platform.picture().await;
    let data = daemon.data();
    let shown = data.to_str().expect("UTF-8");
    serve(&data, &[]).await.ended(1).says(&[shown, "in use by process"]);
    assert_eq!(platform.picture().await, before, "the first one is not disturbed");
}

#[tokio::test]
async fn another_address_than_loopback_needs_a_word() {
    let home = tempfile::tempdir().expect("temp");
    let data = home.path().join("data");
    let data = data.to_str().expect("UTF-8");
    for flag in ["--listen", "--metrics-listen"] {
        let ran = piecework(&["serve", "--data-dir", data, flag, "0.0.0.0:0"]).await;
        ran.ended(2).says(&["0.0.0.0:0", "--insecure-bind"]);
    }
    assert!(!Path::new(data).exists(), "nothing was touched");
}

#[tokio::test]
async fn a_wrong_key_or_value_is_named_with_its_place() {
    let home = tempfile::tempdir().expect("temp");
    let data = home.path().join("data");
    let file = home.path().join("piecework.toml");
    let path = file.to_str().expect("UTF-8");
    for (text, named) in [
        ("listn = \"127.0.0.1:0\"\n", "listn"),
        ("[times]\nrestart_grace = 3\n", "restart_grace"),
        ("cache_bytes = \"much\"\n", "cache_bytes"),
        ("[log]\nformat = \"xml\"\n", "xml"),
    ] {
        std::fs::write(&file, text).expect("written");
        serve(&data, &["--config", path]).await.ended(2).says(&[named, path]);
    }
    for (key, value, rule) in [
        ("segment_bytes", "100", "100 is not a multiple of 4096"),
        ("segment_bytes", "0", "at least 4096"),
        ("cache_bytes", "0", "at least 1048576"),
        ("overlay_bytes", "0", "at least 4096"),
        ("open_tables_within_ms", "0", "at least 1"),
    ] {
        std::fs::write(&file, format!("{key} = {value}\n")).expect("written");
        serve(&data, &["--config", path]).await.ended(2).says(&[key, rule, path]);
    }
    serve(&data, &["--config", "/nowhere.toml"]).await.ended(2).says(&["/nowhere.toml"]);
    serve(&data, &["--colour"]).await.ended(2).says(&["--colour"]);
    assert!(!data.exists(), "nothing was touched");
}

#[tokio::test]
async fn a_directory_of_others_is_refused_and_left_alone() {
    let home = tempfile::tempdir().expect("temp");
    std::fs::write(home.path().join("thesis.tex"), "x").expect("written");
    serve(home.path(), &[]).await.ended(1).says(&["thesis.tex", "not ours"]);
    let names: Vec<_> = std::fs::read_dir(home.path()).expect("listed").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// Every file below it, with its bytes; directories without any.
fn bytes_of(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
            all.insert(path, Vec::new());
        } else {
            let bytes = std::fs::read(&path).expect("read");
            all.insert(path, bytes);
        }
    }
    all
}

#[tokio::test]
async fn p17_data_of_a_newer_release_is_refused_and_not_a_byte_is_changed() {
    let mut daemon = Daemon::start().await;
    let project = daemon.platform().project("p").await;
    daemon.platform().numbered_tasks(&project, 5).await;
    // Killed, so that there is a tail to recover, which it must not do.
    daemon.kill().await;
    let format = daemon.data().join("FORMAT");
    let text = std::fs::read_to_string(&format).expect("read");
    std::fs::write(&format, text.replace("format 1", "format 2")).expect("written");
    let before = bytes_of(&daemon.data());
    let failed = daemon.try_resume().await.expect_err("refused");
    assert_ne!(failed.status.code(), Some(0));
    assert!(failed.stderr.contains("has format 2, this program knows up to 1"), "{failed:?}");
    let after = bytes_of(&daemon.data());
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    let changed = before.iter().filter(|(path, bytes)| after[*path] != **bytes);
    assert_eq!(changed.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    std::fs::write(&format, text).expect("written");
    daemon.resume().await;
    assert_eq!(daemon.platform().list_tasks(&project, "").await.len(), 5);
}
