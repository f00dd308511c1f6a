//! `project update`: other rules of who gets what, for grants from now on.

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::{GetProjectRequest, Project, UpdateProjectRequest};
use prost_types::FieldMask;

use super::fairness::Fairness;
use crate::failure::input;
use crate::names;
use crate::session::{Session, answer};

/// Change which work goes first, how fast, and how requirements loosen
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its id
    project: String,
    #[command(flatten)]
    fairness: Fairness,
    /// Loosen nothing any more
    #[arg(long, conflicts_with = "relax")]
    no_relax: bool,
}

impl Update {
    /// Reads the project, whose kinds and quota each step repeats, and changes it
    /// unless somebody else did in between.
    pub(super) async fn run(self, session: &Session) -> Result<Option<Project>> {
        let mut projects = session.client.projects();
        let name = names::project(&self.project)?;
        let request = GetProjectRequest { name, min_position: String::new() };
        let mut project = answer(projects.get_project(request).await)?.project.unwrap_or_default();
        let mut said = self.fairness.put(&mut project);
        if self.no_relax {
            project.relaxation.clear();
            said.push("relaxation");
        }
        if said.is_empty() {
            return Err(input("nothing to change; say --tier, --grants-per-minute or --relax"));
        }
        let paths = said.into_iter().map(str::to_owned).collect();
        let request =
            UpdateProjectRequest { project: Some(project), update_mask: Some(FieldMask { paths }) };
        Ok(answer(projects.update_project(request).await)?.project)
    }
}
