//! `WorkerService`.

use std::sync::Arc;

use piecework_core::explanation::{Explanation, Question};
use piecework_core::outcome::WorkerView;
use piecework_core::worker::Worker;
use piecework_core::{ClientId, Command, Outcome, WorkerId};
use piecework_proto::v1;
use piecework_proto::v1::worker_service_server::WorkerService;
use tonic::{Request, Response, Status};

use crate::services::call::{Desk, UPDATE_TRIES, unexpected};
use crate::services::page::Page;
use crate::services::reader::{Reader, no_worker};
use crate::wire::failure::Failure;
use crate::wire::filter::Filter;
use crate::wire::from_wire::worker::WorkerUpdate;
use crate::wire::tokens::Scope;
use crate::wire::{field, from_wire, names, status, to_wire, tokens};
use crate::writer;

pub(crate) struct WorkerApi(pub(crate) Arc<Desk>);

impl WorkerApi {
    async fn change(&self, command: Command) -> Result<(v1::Worker, String), Failure> {
        let told = self.0.ask(command).await?;
        Ok((worker_of(told.outcome)?, told.position))
    }

    async fn inspect(&self, name: &str, min_position: &str) -> Result<WorkerView, Failure> {
        let worker = names::worker("name", name)?;
        self.0.reach(min_position).await?;
        match self.0.ask(Command::InspectWorker { worker }).await?.outcome {
            Outcome::Worker(view) => Ok(*view),
            other => Err(unexpected(&other)),
        }
    }

    /// Merges into the newest data, again where another change came between,
    /// unless the caller named the version that it means.
    async fn update(&self, update: WorkerUpdate) -> Result<(v1::Worker, String), Failure> {
        let mut tries = UPDATE_TRIES;
        loop {
            tries -= 1;
            let name = update.worker.clone();
            let found = self.0.read(move |reader| with_requester(reader, &name)).await?;
            let command = match found {
                // An etag is of something that was there.
                None if update.allow_missing && update.etag.is_none() => update.created()?,
                None => return Err(no_worker(&update.worker)),
                Some((worker, requester)) => {
                    let etag = update.etag.unwrap_or(worker.version);
                    update.merged((worker.spec, requester), etag)?
                }
            };
            match self.change(Command::UpdateWorker(command)).await {
                Err(failure) if tries > 0 && update.etag.is_none() && failure.is_stale() => {}
                changed => return changed,
            }
        }
    }
}

/// A worker and the name of its own requester account.
fn with_requester(
    reader: &Reader,
    name: &ClientId,
) -> Result<Option<(Worker, Option<ClientId>)>, Failure> {
    let Some(worker) = reader.find_worker(name)? else { return Ok(None) };
    let requester = worker.spec.requester.map(|id| reader.requester_name(id)).transpose()?;
    Ok(Some((worker, requester)))
}

fn worker_of(outcome: Outcome) -> Result<v1::Worker, Failure> {
    match outcome {
        Outcome::Worker(view) => Ok(of_view(*view)),
        other => Err(unexpected(&other)),
    }
}

fn of_view(view: WorkerView) -> v1::Worker {
    let live = view.leases.len();
    to_wire::worker::worker(view.worker, &view.record, view.requester.as_ref(), live)
}

/// What `ListWorkers` leaves in.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    state: Option<v1::WorkerState>,
    kind: Option<v1::WorkerKind>,
}

impl Wanted {
    fn parse(text: &str) -> Result<Wanted, Failure> {
        let filter = Filter::parse(text, &["state", "kind"])?;
        let state = |name: &str| {
            v1::WorkerState::from_str_name(&format!("WORKER_STATE_{name}"))
                .filter(|state| *state != v1::WorkerState::Unspecified)
        };
        let kind = |name: &str| {
            v1::WorkerKind::from_str_name(&format!("WORKER_KIND_{name}"))
                .filter(|kind| *kind != v1::WorkerKind::Unspecified)
        };
        Ok(Wanted { state: filter.value("state", state)?, kind: filter.value("kind", kind)? })
    }

    fn fits(&self, worker: &v1::Worker) -> bool {
        self.state.is_none_or(|state| state == worker.state())
            && self.kind.is_none_or(|kind| kind == worker.kind())
    }
}

/// A worker as a list shows it.
fn listed(reader: &Reader, worker: Worker) -> Result<v1::Worker, Failure> {
    let record = reader.worker_record(worker.id)?;
    let requester = worker.spec.requester.map(|id| reader.requester_name(id)).transpose()?;
    // Who holds what, only the engine knows: `GetWorker` says it.
    Ok(to_wire::worker::worker(worker, &record, requester.as_ref(), 0))
}

#[tonic::async_trait]
impl WorkerService for WorkerApi {
    async fn create_worker(
        &self,
        request: Request<v1::CreateWorkerRequest>,
    ) -> Result<Response<v1::CreateWorkerResponse>, Status> {
        let create = from_wire::worker::create(request.into_inner())?;
        let (worker, position) = self.change(Command::CreateWorker(create)).await?;
        Ok(Response::new(v1::CreateWorkerResponse { worker: Some(worker), position }))
    }

    async fn update_worker(
        &self,
        request: Request<v1::UpdateWorkerRequest>,
    ) -> Result<Response<v1::UpdateWorkerResponse>, Status> {
        let update = from_wire::worker::update(request.into_inner())?;
        let (worker, position) = self.update(update).await?;
        Ok(Response::new(v1::UpdateWorkerResponse { worker: Some(worker), position }))
    }

    async fn get_worker(
        &self,
        request: Request<v1::GetWorkerRequest>,
    ) -> Result<Response<v1::GetWorkerResponse>, Status> {
        let v1::GetWorkerRequest { name, min_position } = request.into_inner();
        let view = self.inspect(&name, &min_position).await?;
        Ok(Response::new(v1::GetWorkerResponse { worker: Some(of_view(view)) }))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let request = request.into_inner();
        let wanted = Wanted::parse(&request.filter)?;
        let scope = Scope::of(&["workers", &request.filter]);
        let after = tokens::read_page(&request.page_token, scope)?;
        let size = from_wire::page_size(request.page_size);
        self.0.reach(&request.min_position).await?;
        let read = move |reader: &Reader| {
            let mut page = Page::new(size, after);
            page.fill(
                |after, limit| reader.workers(WorkerId(tokens::number(after)), limit),
                |worker| worker.id.0.into(),
                |worker| Ok(Some(listed(reader, worker)?).filter(|worker| wanted.fits(worker))),
            )?;
            Ok(page.finish())
        };
        let (workers, next) = self.0.read(read).await?;
        let next_page_token = tokens::next_page(scope, next);
        Ok(Response::new(v1::ListWorkersResponse { workers, next_page_token }))
    }

    async fn grant_skill(
        &self,
        request: Request<v1::GrantSkillRequest>,
    ) -> Result<Response<v1::GrantSkillResponse>, Status> {
        let grant = from_wire::worker::grant_skill(request.get_ref(), writer::wall())?;
        let (worker, position) = self.change(Command::GrantSkill(grant)).await?;
        Ok(Response::new(v1::GrantSkillResponse { worker: Some(worker), position }))
    }

    async fn revoke_skill(
        &self,
        request: Request<v1::RevokeSkillRequest>,
    ) -> Result<Response<v1::RevokeSkillResponse>, Status> {
        let request = request.get_ref();
        let worker = names::worker("name", &request.name)?;
        let skill = from_wire::worker::skill(&request.skill)?;
        let (worker, position) = self.change(Command::RevokeSkill { worker, skill }).await?;
        Ok(Response::new(v1::RevokeSkillResponse { worker: Some(worker), position }))
    }

    async fn suspend_worker(
        &self,
        request: Request<v1::SuspendWorkerRequest>,
    ) -> Result<Response<v1::SuspendWorkerResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("name", &request.name)?;
        let reason = field::required_text("reason", request.reason)?;
        let (worker, position) = self.change(Command::SuspendWorker { worker, reason }).await?;
        Ok(Response::new(v1::SuspendWorkerResponse { worker: Some(worker), position }))
    }

    async fn reinstate_worker(
        &self,
        request: Request<v1::ReinstateWorkerRequest>,
    ) -> Result<Response<v1::ReinstateWorkerResponse>, Status> {
        let worker = names::worker("name", &request.get_ref().name)?;
        let (worker, position) = self.change(Command::ReinstateWorker { worker }).await?;
        Ok(Response::new(v1::ReinstateWorkerResponse { worker: Some(worker), position }))
    }

    async fn explain_worker(
        &self,
        request: Request<v1::ExplainWorkerRequest>,
    ) -> Result<Response<v1::ExplainWorkerResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let question = Question::Worker { worker: worker.clone() };
        let Explanation::Worker(told) = self.0.explain(question).await? else {
            return Err(status::internal().into());
        };
        let explanation = Some(to_wire::explain::worker(&worker, &told));
        Ok(Response::new(v1::ExplainWorkerResponse { explanation }))
    }

    async fn get_rating(
        &self,
        request: Request<v1::GetRatingRequest>,
    ) -> Result<Response<v1::GetRatingResponse>, Status> {
        let v1::GetRatingRequest { name, min_position, as_worker } = request.into_inner();
        let worker = names::worker("name", &name)?;
        self.0.reach(&min_position).await?;
        let question = Question::Rating { worker, as_worker };
        let Explanation::Rating(told) = self.0.explain(question).await? else {
            return Err(status::internal().into());
        };
        let explanation = to_wire::rating::explanation(&told);
        let rating = explanation.areas.first().and_then(|all| all.published);
        Ok(Response::new(v1::GetRatingResponse { rating, explanation: Some(explanation) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_states_and_kinds_as_the_proto_does() {
        let wanted = Wanted::parse("state = SUSPENDED AND kind = AI").unwrap();
        assert_eq!(wanted.state, Some(v1::WorkerState::Suspended));
        assert_eq!(wanted.kind, Some(v1::WorkerKind::Ai));
        assert!(Wanted::parse("kind = ROBOT").is_err());
    }
}
