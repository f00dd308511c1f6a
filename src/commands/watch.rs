//! `watch PROJECT`: a project's results as lines, for ever and without a gap.
//!
//! A lost connection is made again and the stream resumes; a result that is
//! missing ends the command, since a gap must not pass unseen.

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::GetProjectRequest;
use piecework_client::{ResultWatcher, Watched};

use crate::failure::input;
use crate::interrupt::Interrupt;
use crate::names;
use crate::output::Format;
use crate::session::{Session, answer};

/// Stream a project's results, for ever and without a gap
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The project's id
    project: String,
    /// Resume after this token; by default from the first result
    #[arg(long, value_name = "TOKEN")]
    from: Option<String>,
    /// Show also results that are not sure yet
    #[arg(long)]
    provisional: bool,
    /// End after so many results
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

impl Watch {
    /// Streams until the count is reached, a signal, or a gap.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        if self.from.as_deref() == Some("") {
            return Err(input(
                "--from: a token is not empty; leave it out to start from the first",
            ));
        }
        let project = names::project(&self.project)?;
        let token = self.from.clone().unwrap_or_default();
        // Asked once and without patience: is it there at all?
        let request = GetProjectRequest { name: project.clone(), min_position: String::new() };
        answer(session.client.projects().get_project(request).await)?;

        let mut delivered = token.clone();
        let mut watcher = ResultWatcher::new(session.client.clone(), project.clone(), token);
        if self.provisional {
            watcher = watcher.with_provisional();
        }
        let outcome = self.stream(session, &mut watcher, &mut delivered).await;
        if !delivered.is_empty() {
            let id = names::id(&project);
            let all = if self.provisional { " --provisional" } else { "" };
            eprintln!("resume with: piecework watch {id}{all} --from {delivered}");
        }
        outcome
    }

    /// `delivered`: the token of the last result that is known to be printed.
    async fn stream(
        &self,
        session: &Session,
        watcher: &mut ResultWatcher,
        delivered: &mut String,
    ) -> Result<()> {
        let output = session.output_or(Format::Jsonl);
        let mut interrupt = Interrupt::listen()?;
        let mut printed = 0;
        let mut is_told = false;
        while self.count.is_none_or(|count| printed < count) {
            let news = tokio::select! {
                news = watcher.next() => news?,
                () = interrupt.asked() => return Ok(()),
            };
            match news {
                Watched::Result(watched) => {
                    is_told = false;
                    output.line(&watched.result.unwrap_or_default(), printed == 0)?;
                    delivered.clone_from(&watched.resume_token);
                    printed += 1;
                }
                Watched::Interrupted { cause, .. } if !is_told => {
                    // Once for each interruption, however often it is tried again.
                    eprintln!("{cause}; trying again until it works");
                    is_told = true;
                }
                Watched::Interrupted { .. } => {}
            }
        }
        Ok(())
    }
}
