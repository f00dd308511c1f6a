//! `DispatchService`.
//!
//! A reply holds at most 4 MiB. Leases that were granted and do not fit go back
//! as never started, so that nobody waits for a worker who never heard of them.

use std::sync::Arc;
use std::time::Duration;

use piecework_core::command::{ExtendLeases, ReturnItem, ReturnLeases, SubmitAnswers};
use piecework_core::explanation::{Explanation, Question};
use piecework_core::lease::{Grant, ReturnReason};
use piecework_core::outcome::Leased;
use piecework_core::submission::Receipt;
use piecework_core::{ClientId, Command, LeaseId, Outcome, Position, Refusal, WallTime};
use piecework_proto::v1;
use piecework_proto::v1::dispatch_service_server::DispatchService;
use tonic::{Request, Response, Status, Streaming};
use tracing::debug;

use crate::services::call::unexpected;
use crate::services::grants::{self, Written};
use crate::services::tenant;
use crate::services::work::{self, House};
use crate::wire::failure::Failure;
use crate::wire::from_wire::lease::Wish;
use crate::wire::tokens::Scope;
use crate::wire::{from_wire, names, status, to_wire, tokens};
use crate::writer::{Answer, Unanswered};

pub(crate) struct DispatchApi {
    pub(crate) house: Arc<House>,
}

/// What a wish got, ready to be sent.
struct Granted {
    leases: Vec<v1::Lease>,
    empty_reason: String,
    empty_reasons: Vec<v1::EmptyReason>,
    position: Position,
}

impl DispatchApi {
    async fn lease_for(&self, wish: Wish) -> Result<Granted, Failure> {
        let Wish { lease, wait } = wish;
        let worker = lease.worker.clone();
        let answer = self.house.desk.inbox.call(request(Command::Lease(lease)), wait).await;
        self.granted(&worker, answer).await
    }

    /// What came of a wish.
    async fn granted(
        &self,
        worker: &ClientId,
        answer: Result<Answer, Unanswered>,
    ) -> Result<Granted, Failure> {
        let answer = match answer {
            Err(Unanswered::SentAway) => return Ok(self.sent_away()),
            answer => answer.map_err(status::unanswered)?,
        };
        let outcome = answer.outcome.map_err(|refusal| status::refused(&refusal, ""))?;
        let Outcome::Leased(Leased { grants, none_because, .. }) = outcome else {
            return Err(unexpected(&outcome));
        };
        let (empty_reason, empty_reasons) = match grants.is_empty() {
            true => to_wire::lease::empty(&none_because),
            false => (String::new(), Vec::new()),
        };
        let now = answer.now.wall;
        let leases = self.write(worker, grants, now).await?;
        Ok(Granted { leases, empty_reason, empty_reasons, position: answer.position })
    }

    /// A call that waited until the daemon's end.
    fn sent_away(&self) -> Granted {
        let (empty_reason, empty_reasons) = to_wire::lease::draining();
        let position = self.house.desk.published();
        Granted { leases: Vec::new(), empty_reason, empty_reasons, position }
    }

    async fn write(
        &self,
        worker: &ClientId,
        grants: Vec<Grant>,
        now: WallTime,
    ) -> Result<Vec<v1::Lease>, Failure> {
        if grants.is_empty() {
            return Ok(Vec::new());
        }
        let (holder, rows) = (worker.clone(), grants.len());
        let read = move |reader: &_| grants::write(reader, &holder, &grants, now);
        let Written { leases, left } = self.house.desk.read_rows(rows, read).await?;
        let unsent = left.iter().filter(|grant| grant.lease.is_live()).map(|grant| grant.lease.id);
        self.give_back(worker, unsent.collect()).await;
        Ok(leases)
    }

    /// If even this fails, the leases run out by themselves.
    async fn give_back(&self, worker: &ClientId, leases: Vec<LeaseId>) {
        if leases.is_empty() {
            return;
        }
        let reason = ReturnReason::Unstarted;
        let items = leases.into_iter().map(|lease| ReturnItem { lease, reason }).collect();
        let command = ReturnLeases { worker: worker.clone(), items };
        if let Err(failure) = self.house.desk.ask(Command::Return(command)).await {
            debug!(?failure, "leases over the size of a reply were not returned");
        }
    }

    async fn submit(&self, command: SubmitAnswers) -> Result<Submitted, Failure> {
        if command.items.is_empty() {
            return Ok((Vec::new(), self.house.desk.published()));
        }
        let command = request(Command::Submit(command));
        submitted(self.house.desk.inbox.call(command, Duration::ZERO).await)
    }

    /// Answers and the next leases together: the writer serves answers first, so the
    /// leases see them.
    async fn submit_and_lease(
        &self,
        command: SubmitAnswers,
        wish: Wish,
    ) -> (Result<Submitted, Failure>, Result<Granted, Failure>) {
        if command.items.is_empty() {
            return tokio::join!(self.submit(command), self.lease_for(wish));
        }
        let Wish { lease, wait } = wish;
        let worker = lease.worker.clone();
        let (submit, lease) = (request(Command::Submit(command)), request(Command::Lease(lease)));
        let [answered, leased] = self.house.desk.inbox.call_both(submit, (lease, wait)).await;
        (submitted(answered), self.granted(&worker, leased).await)
    }
}

fn request(command: Command) -> piecework_core::Request {
    piecework_core::Request { tenant: tenant::current(), command }
}

/// What came of answers.
fn submitted(answer: Result<Answer, Unanswered>) -> Result<Submitted, Failure> {
    let answer = answer.map_err(status::unanswered)?;
    match answer.outcome.map_err(|refusal| status::refused(&refusal, ""))? {
        Outcome::Submitted(receipts) => Ok((receipts, answer.position)),
        other => Err(unexpected(&other)),
    }
}

type Submitted = (Vec<Result<Receipt, Refusal>>, Position);

/// The leases that follow an answer, or why there are none.
fn next_leases(granted: Result<Granted, Failure>) -> (v1::NextLeases, Position) {
    match granted {
        Ok(Granted { leases, empty_reason, empty_reasons, position }) => {
            let next = v1::NextLeases { leases, empty_reason, empty_reasons, error: None };
            (next, position)
        }
        Err(failure) => {
            let error = Some(failure.into_item());
            (v1::NextLeases { error, ..v1::NextLeases::default() }, Position(0))
        }
    }
}

fn extension(item: Result<Grant, Failure>, now: WallTime) -> v1::ExtendLeaseResult {
    use v1::extend_lease_result::Outcome as Item;
    let outcome = match item {
        Ok(grant) => Item::Extension(to_wire::lease::extension(&grant, now)),
        Err(failure) => Item::Error(failure.into_item()),
    };
    v1::ExtendLeaseResult { outcome: Some(outcome) }
}

fn receipt(item: Result<Receipt, Failure>) -> v1::SubmitAnswerResult {
    use v1::submit_answer_result::Outcome as Item;
    let outcome = match item {
        Ok(receipt) => Item::Receipt(to_wire::submission::receipt(&receipt)),
        Err(failure) => Item::Error(failure.into_item()),
    };
    v1::SubmitAnswerResult { outcome: Some(outcome) }
}

fn returned(item: Result<LeaseId, Failure>) -> v1::ReturnLeaseResult {
    use v1::return_lease_result::Outcome as Item;
    let outcome = match item {
        Ok(lease) => Item::Returned(v1::ReturnedLease { lease: names::of_lease(lease) }),
        Err(failure) => Item::Error(failure.into_item()),
    };
    v1::ReturnLeaseResult { outcome: Some(outcome) }
}

#[tonic::async_trait]
impl DispatchService for DispatchApi {
    async fn lease(
        &self,
        request: Request<v1::LeaseRequest>,
    ) -> Result<Response<v1::LeaseResponse>, Status> {
        let wish = from_wire::lease::wish(request.get_ref())?;
        let Granted { leases, empty_reason, empty_reasons, position } =
            self.lease_for(wish).await?;
        let position = tokens::position(position);
        let response = v1::LeaseResponse { leases, empty_reason, empty_reasons, position };
        Ok(Response::new(response))
    }

    async fn extend_leases(
        &self,
        request: Request<v1::ExtendLeasesRequest>,
    ) -> Result<Response<v1::ExtendLeasesResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("worker", &request.worker)?;
        let by = from_wire::lease::extension(request.duration)?;
        let (leases, gaps) = from_wire::lease::leases(&request.leases)?.split();
        let told =
            self.house.desk.ask(Command::Extend(ExtendLeases { worker, leases, by })).await?;
        let Outcome::Extended(extended) = told.outcome else {
            return Err(unexpected(&told.outcome).into());
        };
        let items = gaps.fill("leases", extended).into_iter();
        let results = items.map(|item| extension(item, told.now.wall)).collect();
        Ok(Response::new(v1::ExtendLeasesResponse { results, position: told.position }))
    }

    async fn submit_answers(
        &self,
        request: Request<v1::SubmitAnswersRequest>,
    ) -> Result<Response<v1::SubmitAnswersResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("worker", &request.worker)?;
        let next = request.next.map(|next| from_wire::lease::next(&worker, &next)).transpose()?;
        let (items, gaps) = from_wire::answer::answers(request.answers)?.split();
        let submit = SubmitAnswers { worker, items };
        let (submitted, granted) = match next {
            None => (self.submit(submit).await, None),
            Some(wish) => {
                let (submitted, granted) = self.submit_and_lease(submit, wish).await;
                (submitted, Some(granted))
            }
        };
        let (receipts, submit_position) = submitted?;
        let results = gaps.fill("answers", receipts).into_iter().map(receipt).collect();
        let (next, lease_position) = granted.map(next_leases).unzip();
        let position = submit_position.max(lease_position.unwrap_or_default());
        let position = tokens::position(position);
        Ok(Response::new(v1::SubmitAnswersResponse { results, next, position }))
    }

    async fn return_leases(
        &self,
        request: Request<v1::ReturnLeasesRequest>,
    ) -> Result<Response<v1::ReturnLeasesResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("worker", &request.worker)?;
        let (items, gaps) = from_wire::lease::returns(request.returns)?.split();
        let told = self.house.desk.ask(Command::Return(ReturnLeases { worker, items })).await?;
        let Outcome::Returned(done) = told.outcome else {
            return Err(unexpected(&told.outcome).into());
        };
        let results = gaps.fill("returns", done).into_iter().map(returned).collect();
        Ok(Response::new(v1::ReturnLeasesResponse { results, position: told.position }))
    }

    async fn save_draft(
        &self,
        request: Request<v1::SaveDraftRequest>,
    ) -> Result<Response<v1::SaveDraftResponse>, Status> {
        let v1::SaveDraftRequest { worker, lease, draft } = request.into_inner();
        let worker = names::worker("worker", &worker)?;
        let draft = from_wire::lease::draft("", worker, &lease, &draft)?;
        let told = self.house.desk.ask(Command::SaveDraft(draft)).await?;
        Ok(Response::new(v1::SaveDraftResponse { position: told.position }))
    }

    async fn list_leases(
        &self,
        request: Request<v1::ListLeasesRequest>,
    ) -> Result<Response<v1::ListLeasesResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("worker", &request.worker)?;
        let size = from_wire::page_size(request.page_size);
        self.house.desk.reach(&request.min_position).await?;
        let told = self.house.desk.ask(Command::InspectWorker { worker: worker.clone() }).await?;
        let Outcome::Worker(view) = told.outcome else {
            return Err(unexpected(&told.outcome).into());
        };
        let now = told.now.wall;
        let read = move |reader: &_| {
            grants::page(reader, &worker, &view.leases, &request.page_token, size, now)
        };
        Ok(Response::new(self.house.desk.read(read).await?))
    }

    async fn list_offers(
        &self,
        request: Request<v1::ListOffersRequest>,
    ) -> Result<Response<v1::ListOffersResponse>, Status> {
        let request = request.into_inner();
        let worker = names::worker("worker", &request.worker)?;
        let wishes = from_wire::wishes::read("", &request)?;
        let scope = Scope::of(&["offers", worker.as_str(), &format!("{wishes:?}")]);
        let after = tokens::read_page(&request.page_token, scope)?;
        let size = from_wire::page_size(request.page_size);
        self.house.desk.reach(&request.min_position).await?;
        let question = Question::Offers { worker, wishes };
        let Explanation::Offers(told) = self.house.desk.explain(question).await? else {
            return Err(status::internal().into());
        };
        let from = usize::try_from(after).unwrap_or(usize::MAX);
        let offers = told.offers.iter().skip(from).take(size).map(to_wire::explain::offer);
        let offers: Vec<_> = offers.collect();
        let end = from.saturating_add(offers.len());
        let next = (end < told.offers.len()).then_some(end as u64);
        let next_page_token = tokens::next_page(scope, next);
        let truncated = told.truncated;
        Ok(Response::new(v1::ListOffersResponse { offers, next_page_token, truncated }))
    }

    type WorkStream = work::Frames;

    async fn work(
        &self,
        request: Request<Streaming<v1::WorkRequest>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        Ok(Response::new(work::serve(Arc::clone(&self.house), request.into_inner())))
    }
}
