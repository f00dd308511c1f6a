//! A small disk of a test's own, in memory.
//!
//! A process holds it mounted in its own namespace, where nobody else sees it;
//! it is reached through that process and goes with it. Works as root and, where
//! the kernel allows user namespaces, as anybody.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

const MOUNT: &str = "mount -t tmpfs -o size=$0,mode=700 tmpfs \"$1\" && echo mounted && exec cat";
/// What is written to fill it, at a time.
const PIECE: usize = 4096;

/// Ends with the test that made it, however that ends.
#[derive(Debug)]
pub(super) struct SmallDisk {
    _holder: Child,
    // Closing it ends the holder.
    _stdin: ChildStdin,
    _at: TempDir,
    seen_at: PathBuf,
}

impl SmallDisk {
    /// With room for so many bytes; `None` where this machine allows none.
    pub(super) async fn new(bytes: u64) -> Option<SmallDisk> {
        let user: &[&str] = &["--user", "--map-root-user", "--mount"];
        for namespaces in [user, &["--mount"]] {
            if let Some(disk) = SmallDisk::mounted(bytes, namespaces).await {
                return Some(disk);
            }
        }
        None
    }

    async fn mounted(bytes: u64, namespaces: &[&str]) -> Option<SmallDisk> {
        let at = tempfile::Builder::new().prefix("piecework-disk-").tempdir().expect("temp");
        let mut holder = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", MOUNT, &bytes.to_string()])
            .arg(at.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let stdin = holder.stdin.take()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take()?).read_line(&mut line).await.ok()?;
        if line != "mounted\n" {
            return None;
        }
        let inside = at.path().strip_prefix("/").expect("an absolute path");
        let seen_at = Path::new("/proc").join(holder.id()?.to_string()).join("root").join(inside);
        Some(SmallDisk { _holder: holder, _stdin: stdin, _at: at, seen_at })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.seen_at
    }

    /// Takes space until less than `left` bytes are free.
    pub(super) fn fill_up_to(&self, left: u64) {
        let mut file =
            File::options().create(true).append(true).open(self.ballast()).expect("open");
        while self.free() >= left {
            match file.write_all(&[1; PIECE]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("could not fill the disk: {error}"),
            }
        }
    }

    /// Gives all of that back.
    pub(super) fn empty(&self) {
        fs::remove_file(self.ballast()).expect("removed");
    }

    /// Bytes that are free.
    pub(super) fn free(&self) -> u64 {
        let space = rustix::fs::statvfs(&self.seen_at).expect("there");
        space.f_bavail * space.f_frsize
    }

    fn ballast(&self) -> PathBuf {
        self.seen_at.join("ballast")
    }
}
