//! A file read ahead of somebody who reads it piece by piece.
//!
//! sled writes down where its pages lie at an open only. The next one reads all that was
//! written since, half a megabyte at a time, each once the one before is taken in, and
//! the disk waits meanwhile. Who reads the file front to back beside it is most often
//! ahead of it, and has the system keep what sled needs next. (Asking the system to read,
//! `fadvise`, was tried and gained next to nothing.) A store that was opened a moment
//! before reads little, and is left alone: what this process reads says which it is.
//!
//! Not here: rows read ahead of a start (`cursor.rs`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread::{self, Builder};
use std::time::Duration;

const PIECE_BYTES: usize = 4 * 1024 * 1024;
/// Whoever has read this much reads on; heads of all parts of a file of 100 GiB are less.
const MUCH_BYTES: u64 = 64 * 1024 * 1024;
/// How often it is looked how much was read.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What the system says of this process's reads.
const READS: &str = "/proc/self/io";

/// Runs `open`; once it reads much, `file` is read beside it, as far as that comes.
pub(super) fn while_read_ahead<T>(file: &Path, open: impl FnOnce() -> T) -> T {
    let (over, is_over) = channel();
    thread::scope(|scope| {
        let read = move || {
            if let Err(error) = wait_for_reads(&is_over).and_then(|()| read(file, &is_over)) {
                // Who needs the file will say so.
                tracing::debug!(error = &error as &dyn std::error::Error, "not read ahead");
            }
        };
        // Without a thread it takes longer.
        let _ = Builder::new().name("file-ahead".to_owned()).spawn_scoped(scope, read);
        let opened = open();
        drop(over);
        opened
    })
}

/// Waits until this process has read much from now on, or until it is over.
fn wait_for_reads(is_over: &Receiver<()>) -> io::Result<()> {
    let before = bytes_read()?;
    while let Err(RecvTimeoutError::Timeout) = is_over.recv_timeout(LOOK_EVERY) {
        if bytes_read()? >= before + MUCH_BYTES {
            break;
        }
    }
    Ok(())
}

/// Bytes that this process has read so far, from the page cache or not.
fn bytes_read() -> io::Result<u64> {
    let counts = fs::read_to_string(READS)?;
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
    read.ok_or_else(|| io::Error::other(format!("{READS} does not tell")))
}

/// Reads for the page cache until the end of the file, or until it is over.
fn read(file: &Path, is_over: &Receiver<()>) -> io::Result<()> {
    if is_over.try_recv() != Err(TryRecvError::Empty) {
        return Ok(());
    }
    let file = File::open(file)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = MUCH_BYTES;
    while is_over.try_recv() == Err(TryRecvError::Empty) {
        match file.read_at(&mut piece, at)? {
            0 => break,
            bytes => at += bytes as u64,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_beside_it_gives_its_result_with_a_file_and_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("db");
        assert_eq!(while_read_ahead(&file, || 1), 1, "there is no file yet");
        fs::write(&file, "short").unwrap();
        assert_eq!(while_read_ahead(&file, || 2), 2);
    }

    #[test]
    fn it_reads_once_much_was_read_and_ends_when_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("db");
        // Takes no room on the disk, and minutes to be read.
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        let before = bytes_read().unwrap();
        let own = while_read_ahead(&file, || {
            let (file, mut piece) = (File::open(&file).unwrap(), vec![0; PIECE_BYTES]);
            let mut own = 0;
            // Until somebody else has read more than this.
            while bytes_read().unwrap() < before + own + MUCH_BYTES / 2 {
                own += file.read_at(&mut piece, 0).unwrap() as u64;
            }
            own
        });
        assert!(own >= MUCH_BYTES, "{own}");
    }
}
