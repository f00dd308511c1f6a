//! One check of `ci`: its name, how to repeat it, what it does.

use anyhow::Result;

use crate::command::Command;
use crate::workspace::Workspace;

/// How a check ended when it did not fail.
pub(crate) enum Done {
    /// Everything was looked at and nothing was wrong.
    Passed,
    /// Nothing was looked at; the sentence says why.
    Skipped(String),
}

/// What a check does.
pub(crate) enum Work {
    /// Starts another program; passes when that exits with 0.
    Run(Command),
    /// The same, and its closing lines are shown again when all is done.
    Test(Command),
    /// A check of our own, and the command that repeats it alone.
    Own(fn(&Workspace) -> Result<Done>, &'static str),
}

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// Left out by `ci --fast`.
    pub(crate) slow: bool,
    pub(crate) work: Work,
}

impl Step {
    /// A check that `ci --fast` keeps.
    pub(crate) fn quick(name: &'static str, work: Work) -> Step {
        Step { name, slow: false, work }
    }

    /// A check that `ci --fast` leaves out.
    pub(crate) fn slow(name: &'static str, work: Work) -> Step {
        Step { name, slow: true, work }
    }

    /// What a person types to run this check alone.
    pub(crate) fn repeat(&self) -> String {
        match &self.work {
            Work::Run(command) | Work::Test(command) => command.to_string(),
            Work::Own(_, repeat) => (*repeat).to_owned(),
        }
    }
}
