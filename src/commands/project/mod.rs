//! `project create | update | get | list | pause | resume | close | cancel | stats | quality`.

mod create;
mod fairness;
mod fields;
mod quality;
mod rules;
mod update;

use anyhow::Result;
use clap::{Args, Subcommand};
use piecework_client::proto::v1::{
    CancelProjectRequest, CloseProjectRequest, GetProjectRequest, GetProjectStatsRequest,
    ListProjectsRequest, PauseProjectRequest, ResumeProjectRequest,
};

use crate::names;
use crate::session::{Session, answer};

/// What is asked
#[derive(Debug, Subcommand)]
pub(crate) enum Projects {
    /// Create a project
    Create(Box<create::Create>),
    /// Change which work goes first, how fast, and how requirements loosen
    Update(update::Update),
    /// Show one project
    Get(Named),
    /// List projects
    List(List),
    /// Grant nothing for now; live leases go on
    Pause(Named),
    /// Grant again
    Resume(Named),
    /// Take no new tasks; the rest drains
    Close(Named),
    /// Withdraw the project and its open tasks
    Cancel(Cancel),
    /// Count its tasks, leases and submissions
    Stats(Named),
    /// Show what its answers are worth, and what they cost
    Quality(quality::Quality),
}

/// One project.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its id
    project: String,
}

/// List projects
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this requester's
    #[arg(long)]
    requester: Option<String>,
    /// Only those in this state
    #[arg(long, value_parser = ["active", "paused", "closed", "cancelled", "deleting"])]
    state: Option<String>,
}

/// Withdraw the project and its open tasks
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Its id
    project: String,
    /// End live leases too, without pay for what was not submitted
    #[arg(long)]
    revoke_leases: bool,
}

impl Projects {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let mut projects = session.client.projects();
        let project = match self {
            Self::List(list) => return list.run(session).await,
            Self::Quality(quality) => return quality.run(session).await,
            Self::Stats(named) => {
                let name = names::project(&named.project)?;
                let request = GetProjectStatsRequest { name, min_position: String::new() };
                let stats = answer(projects.get_project_stats(request).await)?.stats;
                return session.output().one(&stats.unwrap_or_default());
            }
            Self::Create(create) => {
                answer(projects.create_project(create.into_request()?).await)?.project
            }
            Self::Update(update) => update.run(session).await?,
            Self::Get(named) => {
                let name = names::project(&named.project)?;
                let request = GetProjectRequest { name, min_position: String::new() };
                answer(projects.get_project(request).await)?.project
            }
            Self::Pause(named) => {
                let request = PauseProjectRequest { name: names::project(&named.project)? };
                answer(projects.pause_project(request).await)?.project
            }
            Self::Resume(named) => {
                let request = ResumeProjectRequest { name: names::project(&named.project)? };
                answer(projects.resume_project(request).await)?.project
            }
            Self::Close(named) => {
                let request = CloseProjectRequest { name: names::project(&named.project)? };
                answer(projects.close_project(request).await)?.project
            }
            Self::Cancel(cancel) => {
                let name = names::project(&cancel.project)?;
                let request = CancelProjectRequest { name, revoke_leases: cancel.revoke_leases };
                answer(projects.cancel_project(request).await)?.project
            }
        };
        session.output().one(&project.unwrap_or_default())
    }
}

impl List {
    async fn run(self, session: &Session) -> Result<()> {
        let mut terms = Vec::new();
        if let Some(requester) = &self.requester {
            terms.push(format!("requester = {}", names::requester(requester)?));
        }
        if let Some(state) = &self.state {
            terms.push(format!("state = {}", state.to_ascii_uppercase()));
        }
        let filter = terms.join(" AND ");
        let mut request =
            ListProjectsRequest { page_size: 1_000, filter, ..ListProjectsRequest::default() };
        let mut found = Vec::new();
        loop {
            let page = answer(session.client.projects().list_projects(request.clone()).await)?;
            found.extend(page.projects);
            if page.next_page_token.is_empty() {
                return session.output().list(&found);
            }
            request.page_token = page.next_page_token;
        }
    }
}
