//! Tests with a real daemon in their long form, and what they make.
//!
//! Each runs one test of the root package with what it reads from the
//! environment, and shows that test's own closing line once more at the end.
//!
//! Not here: the tests (`tests/crash.rs`, `tests/full_disk.rs`, `tests/upgrade.rs`).

use anyhow::Result;

use crate::command::Command;
use crate::step::Done;
use crate::workspace::Workspace;

/// SIGKILLs of the long form.
const KILLS: u64 = 50;

/// `crash` with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    kills: u64,
    seed: Option<u64>,
}

impl Crash {
    /// Reads `--kills N` and `--seed SEED`, in any order; `None` for anything else.
    pub(crate) fn parse(mut options: &[&str]) -> Option<Crash> {
        let mut crash = Crash { kills: KILLS, seed: None };
        while let [name, value, rest @ ..] = options {
            match *name {
                "--kills" => crash.kills = value.parse().ok()?,
                "--seed" => crash.seed = Some(value.parse().ok()?),
                _ => return None,
            }
            options = rest;
        }
        options.is_empty().then_some(crash)
    }

    /// Kills a daemon under load and checks what its clients were told.
    ///
    /// # Errors
    /// Something was lost or doubled, or too little was put to the test.
    pub(crate) fn run(&self, workspace: &Workspace) -> Result<Done> {
        let mut command = test("crash::").with("PIECEWORK_CRASH_KILLS", &self.kills.to_string());
        if let Some(seed) = self.seed {
            command = command.with("PIECEWORK_CRASH_SEED", &seed.to_string());
        }
        show(workspace, &command)
    }
}

/// Fills a small disk under a daemon.
///
/// # Errors
/// It did not refuse, did not serve on, or lost something.
pub(crate) fn full_disk(workspace: &Workspace) -> Result<Done> {
    show(workspace, &test("full_disk::"))
}

/// Makes a data directory for `tests/data/{name}`.
///
/// # Errors
/// The daemon could not be driven, or the directory is there already.
pub(crate) fn fixture(workspace: &Workspace, name: &str) -> Result<Done> {
    show(workspace, &test("upgrade::").with("PIECEWORK_FIXTURE", name))
}

/// The tests of the root package with this in their name, one at a time.
fn test(filter: &str) -> Command {
    let words = ["cargo", "test", "-p", "piecework", "--test", "daemon", "--locked"];
    Command::new(&[&words[..], &["--", "--nocapture", "--test-threads=1", filter]].concat())
}

fn show(workspace: &Workspace, command: &Command) -> Result<Done> {
    for line in command.run_tests(&workspace.root)? {
        println!("{line}");
    }
    Ok(Done::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order_and_others_are_refused() {
        assert_eq!(Crash::parse(&[]), Some(Crash { kills: 50, seed: None }));
        let both = Some(Crash { kills: 7, seed: Some(9) });
        assert_eq!(Crash::parse(&["--seed", "9", "--kills", "7"]), both);
        for wrong in [&["--kills"][..], &["--kills", "many"], &["--fast", "1"], &["7"]] {
            assert_eq!(Crash::parse(wrong), None, "{wrong:?}");
        }
    }
}
