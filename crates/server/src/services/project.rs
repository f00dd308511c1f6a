//! `ProjectService`.

use std::sync::Arc;

use piecework_core::command::{Steer, SteerProject, UpdateProject};
use piecework_core::explanation::{Explanation, Question};
use piecework_core::project::{Project, ProjectState};
use piecework_core::{ClientId, Command, Outcome, ProjectId, RequesterId};
use piecework_proto::v1;
use piecework_proto::v1::project_service_server::ProjectService;
use tonic::{Request, Response, Status};

use crate::services::call::{Desk, UPDATE_TRIES, unexpected};
use crate::services::page::Page;
use crate::services::quality;
use crate::services::reader::Reader;
use crate::wire::failure::Failure;
use crate::wire::filter::Filter;
use crate::wire::from_wire::project::ProjectUpdate;
use crate::wire::tokens::Scope;
use crate::wire::{from_wire, names, to_wire, tokens};

pub(crate) struct ProjectApi(pub(crate) Arc<Desk>);

impl ProjectApi {
    async fn format(&self, outcome: Outcome) -> Result<v1::Project, Failure> {
        match outcome {
            Outcome::Project(project) => self.0.read(|reader| formatted(reader, *project)).await,
            other => Err(unexpected(&other)),
        }
    }

    async fn steer(&self, name: &str, to: Steer) -> Result<(v1::Project, String), Failure> {
        let project = names::project("name", name)?;
        let command = SteerProject { project, to, etag: None };
        let told = self.0.ask(Command::SteerProject(command)).await?;
        Ok((self.format(told.outcome).await?, told.position))
    }

    /// Merges into the newest spec, again where another change came between,
    /// unless the caller named the version that it means.
    async fn update(&self, update: ProjectUpdate) -> Result<(v1::Project, String), Failure> {
        let mut tries = UPDATE_TRIES;
        loop {
            tries -= 1;
            let name = update.project.clone();
            let project = self.0.read(move |reader| reader.project(&name)).await?;
            let etag = update.etag.unwrap_or(project.version);
            // Merged into what is there: if that is not what the caller saw, the
            // engine says so, with the etag there is.
            let spec = update.merged(project.spec)?;
            let command = UpdateProject { project: update.project.clone(), spec, etag };
            let told = self.0.ask(Command::UpdateProject(Box::new(command))).await;
            match told {
                Err(failure) if tries > 0 && update.etag.is_none() && failure.is_stale() => {}
                told => {
                    let told = told?;
                    return Ok((self.format(told.outcome).await?, told.position));
                }
            }
        }
    }
}

/// A project with its requester's name.
fn formatted(reader: &Reader, project: Project) -> Result<v1::Project, Failure> {
    let requester = reader.requester_name(project.requester)?;
    Ok(to_wire::project::project(project, &requester))
}

/// What `ListProjects` leaves in.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    requester: Option<RequesterId>,
    state: Option<v1::ProjectState>,
}

impl Wanted {
    fn fits(&self, project: &Project) -> bool {
        self.requester.is_none_or(|requester| requester == project.requester)
            && self.state.is_none_or(|state| state == to_wire::project::state(project.state))
    }
}

/// The state, and the requester by name.
fn filter(text: &str) -> Result<(Option<v1::ProjectState>, Option<ClientId>), Failure> {
    let filter = Filter::parse(text, &["requester", "state"])?;
    let state = |name: &str| {
        v1::ProjectState::from_str_name(&format!("PROJECT_STATE_{name}"))
            .filter(|state| *state != v1::ProjectState::Unspecified)
    };
    let requester = |name: &str| names::requester("filter", name).ok();
    Ok((filter.value("state", state)?, filter.value("requester", requester)?))
}

#[tonic::async_trait]
impl ProjectService for ProjectApi {
    async fn create_project(
        &self,
        request: Request<v1::CreateProjectRequest>,
    ) -> Result<Response<v1::CreateProjectResponse>, Status> {
        let create = from_wire::project::create(request.into_inner())?;
        let told = self.0.ask(Command::CreateProject(Box::new(create))).await?;
        let project = Some(self.format(told.outcome).await?);
        Ok(Response::new(v1::CreateProjectResponse { project, position: told.position }))
    }

    async fn get_project(
        &self,
        request: Request<v1::GetProjectRequest>,
    ) -> Result<Response<v1::GetProjectResponse>, Status> {
        let request = request.into_inner();
        let name = names::project("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let read = move |reader: &Reader| formatted(reader, reader.project(&name)?);
        let project = Some(self.0.read(read).await?);
        Ok(Response::new(v1::GetProjectResponse { project }))
    }

    async fn list_projects(
        &self,
        request: Request<v1::ListProjectsRequest>,
    ) -> Result<Response<v1::ListProjectsResponse>, Status> {
        let request = request.into_inner();
        let (state, requester) = filter(&request.filter)?;
        let scope = Scope::of(&["projects", &request.filter]);
        let after = tokens::read_page(&request.page_token, scope)?;
        let size = from_wire::page_size(request.page_size);
        self.0.reach(&request.min_position).await?;
        let read = move |reader: &Reader| {
            let requester = requester.map(|name| reader.requester(&name)).transpose()?;
            let wanted = Wanted { requester: requester.map(|r| r.id), state };
            let mut page = Page::new(size, after);
            page.fill(
                |after, limit| reader.projects(ProjectId(tokens::number(after)), limit),
                |project| project.id.0.into(),
                |project| match wanted.fits(&project) {
                    true => formatted(reader, project).map(Some),
                    false => Ok(None),
                },
            )?;
            Ok(page.finish())
        };
        let (projects, next) = self.0.read(read).await?;
        let next_page_token = tokens::next_page(scope, next);
        Ok(Response::new(v1::ListProjectsResponse { projects, next_page_token }))
    }

    async fn update_project(
        &self,
        request: Request<v1::UpdateProjectRequest>,
    ) -> Result<Response<v1::UpdateProjectResponse>, Status> {
        let update = from_wire::project::update(request.into_inner())?;
        let (project, position) = self.update(update).await?;
        let project = Some(project);
        Ok(Response::new(v1::UpdateProjectResponse { project, position }))
    }

    async fn pause_project(
        &self,
        request: Request<v1::PauseProjectRequest>,
    ) -> Result<Response<v1::PauseProjectResponse>, Status> {
        let (project, position) = self.steer(&request.get_ref().name, Steer::Pause).await?;
        let project = Some(project);
        Ok(Response::new(v1::PauseProjectResponse { project, position }))
    }

    async fn resume_project(
        &self,
        request: Request<v1::ResumeProjectRequest>,
    ) -> Result<Response<v1::ResumeProjectResponse>, Status> {
        let (project, position) = self.steer(&request.get_ref().name, Steer::Resume).await?;
        let project = Some(project);
        Ok(Response::new(v1::ResumeProjectResponse { project, position }))
    }

    async fn close_project(
        &self,
        request: Request<v1::CloseProjectRequest>,
    ) -> Result<Response<v1::CloseProjectResponse>, Status> {
        let (project, position) = self.steer(&request.get_ref().name, Steer::Close).await?;
        let project = Some(project);
        Ok(Response::new(v1::CloseProjectResponse { project, position }))
    }

    async fn cancel_project(
        &self,
        request: Request<v1::CancelProjectRequest>,
    ) -> Result<Response<v1::CancelProjectResponse>, Status> {
        let v1::CancelProjectRequest { name, revoke_leases } = request.into_inner();
        let (project, position) = self.steer(&name, Steer::Cancel { revoke_leases }).await?;
        let project = Some(project);
        Ok(Response::new(v1::CancelProjectResponse { project, position }))
    }

    async fn delete_project(
        &self,
        request: Request<v1::DeleteProjectRequest>,
    ) -> Result<Response<v1::DeleteProjectResponse>, Status> {
        let request = request.into_inner();
        let name = names::project("name", &request.name)?;
        let etag = from_wire::etag::read("etag", &request.etag)?;
        // Read first: afterwards its name leads nowhere.
        let found = name.clone();
        let mut project = self.0.read(move |reader| reader.project(&found)).await?;
        let command = SteerProject { project: name, to: Steer::Delete, etag };
        let told = self.0.ask(Command::SteerProject(command)).await?;
        if told.outcome != Outcome::ProjectDeleted {
            return Err(unexpected(&told.outcome).into());
        }
        project.state = ProjectState::Deleting;
        project.version = project.version.saturating_add(1);
        let project = self.0.read(move |reader| formatted(reader, project)).await?;
        let (project, position) = (Some(project), told.position);
        Ok(Response::new(v1::DeleteProjectResponse { project, position }))
    }

    async fn get_project_stats(
        &self,
        request: Request<v1::GetProjectStatsRequest>,
    ) -> Result<Response<v1::GetProjectStatsResponse>, Status> {
        let request = request.into_inner();
        let project = names::project("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let told = self.0.ask(Command::InspectProject { project: project.clone() }).await?;
        let mut stats = match &told.outcome {
            Outcome::ProjectStats(stats) => {
                let refined = self.0.refinements.of(stats.project.id);
                to_wire::project::stats(stats, refined)
            }
            other => return Err(unexpected(other).into()),
        };
        let question = Question::Forecast { project };
        if let Explanation::Forecast(forecast) = self.0.explain(question).await? {
            stats.forecast = Some(to_wire::explain::forecast(&forecast));
        }
        let stats = Some(stats);
        Ok(Response::new(v1::GetProjectStatsResponse { stats, position: told.position }))
    }

    async fn get_project_quality(
        &self,
        request: Request<v1::GetProjectQualityRequest>,
    ) -> Result<Response<v1::GetProjectQualityResponse>, Status> {
        let request = request.into_inner();
        let name = names::project("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let read = move |reader: &Reader| quality::of(reader, &reader.project(&name)?);
        let quality = Some(self.0.read(read).await?);
        Ok(Response::new(v1::GetProjectQualityResponse { quality }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_states_as_the_proto_does() {
        let (state, requester) = filter("state = PAUSED AND requester = requesters/acme").unwrap();
        assert_eq!(state, Some(v1::ProjectState::Paused));
        assert_eq!(requester, ClientId::new("acme"));
        for wrong in ["state = paused", "state = UNSPECIFIED", "title = x", "requester = acme"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
