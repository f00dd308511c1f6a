//! How fast groups become durable on this machine's disk.
//!
//! `cargo run --release -p piecework-storage --example journal_bench -- DIRECTORY [SECONDS]`
//!
//! One at a time: append, wait for the completion, next. Pipelined: append as
//! fast as the journal takes them. For each body size and way, one line with
//! groups a second, and the time from append to completion for the first way.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use piecework_core::{Now, Position};
use piecework_storage::{
    DataDirectory, Durable, FileJournal, Group, Journal, JournalError, JournalSettings,
};

type Completions = Receiver<Result<Durable, JournalError>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    for bytes in [256, 64 * 1024] {
        one_at_a_time(&directory, bytes, time)?;
        for queued in [1, 4, 16] {
            pipelined(&directory, bytes, queued, time)?;
        }
    }
    Ok(())
}

fn open(directory: &Path, queued: usize) -> Result<(FileJournal, Completions), Box<dyn Error>> {
    let directory = DataDirectory::open(directory)?;
    let (send, completions) = channel();
    let settings =
        JournalSettings { queued_groups: queued, ..JournalSettings::new(directory.journal_id()) };
    let heard = Box::new(move |told| {
        // The receiver goes first when a measurement ends early.
        let _ = send.send(told);
    });
    let journal = FileJournal::open(directory.journal_disk(), settings, Position(0), heard)?;
    Ok((journal, completions))
}

fn group(first: Position, bytes: usize) -> Group {
    Group { first, count: 1, now: Now::default(), body: vec![7; bytes].into() }
}

fn one_at_a_time(directory: &Path, bytes: usize, time: Duration) -> Result<(), Box<dyn Error>> {
    let (mut journal, completions) = open(directory, 1)?;
    let mut next = journal.bounds().next;
    let mut waits = Vec::new();
    let began = Instant::now();
    loop {
        let appended = Instant::now();
        journal.append(group(next, bytes))?;
        next = completions.recv()??.last.next();
        waits.push(appended.elapsed());
        trim(&mut journal, next)?;
        if began.elapsed() >= time {
            break;
        }
    }
    let rate = waits.len() as f64 / began.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_micros();
    println!(
        "{bytes:6} B  one at a time        {rate:8.0} groups/s  p50 {} µs  p99 {} µs  max {} µs",
        at(50),
        at(99),
        at(100)
    );
    journal.close()?;
    Ok(())
}

fn pipelined(
    directory: &Path,
    bytes: usize,
    queued: usize,
    time: Duration,
) -> Result<(), Box<dyn Error>> {
    let (mut journal, completions) = open(directory, queued)?;
    let first = journal.bounds().next;
    let mut next = first;
    let began = Instant::now();
    while began.elapsed() < time {
        journal.append(group(next, bytes))?;
        next = next.next();
        let done = completions.try_iter().last().transpose()?;
        if let Some(done) = done {
            trim(&mut journal, done.last)?;
        }
    }
    journal.close()?;
    let rate = (next.0 - first.0) as f64 / began.elapsed().as_secs_f64();
    println!("{bytes:6} B  pipelined, {queued:2} queued {rate:8.0} groups/s");
    Ok(())
}

/// Keeps the last ten thousand groups, so that the disk does not fill.
fn trim(journal: &mut FileJournal, durable: Position) -> Result<(), JournalError> {
    if durable.0.is_multiple_of(1_000) {
        journal.trim(Position(durable.0.saturating_sub(10_000)))?;
    }
    Ok(())
}
