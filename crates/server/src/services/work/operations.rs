//! Operations of a stream's client: each becomes one or a few commands, and one
//! reply when all of them are answered.
//!
//! They go to the submit lane in the order sent, without waiting for each other. A
//! refused one never ends the stream.

use std::collections::BTreeSet;
use std::time::Duration;

use piecework_core::command::{
    ClaimLeases, LifeSigns, ReturnItem, ReturnLeases, SubmitAnswers, SubmitItem,
};
use piecework_core::{ClientId, Command, LeaseId, Outcome, Position, Refusal, WallTime, WorkerId};
use piecework_proto::v1;
use piecework_proto::v1::work_request as pb;
use piecework_proto::v1::work_request::Frame as Asked;
use piecework_proto::v1::work_response::{Extensions, Frame, Reply, reply};

use crate::services::call::unexpected;
use crate::services::work::End;
use crate::services::work::session::{Call, Session};
use crate::wire::failure::Failure;
use crate::wire::from_wire::{answer, lease, work};
use crate::wire::{invalid, names, status, to_wire, tokens};
use crate::writer::{Answer, Unanswered};

/// Workers whose signs of life go into one command.
const SIGNS_A_COMMAND: usize = 100;

/// One operation under way.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// Commands that are not answered yet.
    left: usize,
    /// Its lease, if success ends it.
    ends: Option<LeaseId>,
    /// What it is to be told.
    told: Option<reply::Outcome>,
    extensions: Option<Vec<v1::LeaseExtension>>,
    failure: Option<Failure>,
    position: Position,
}

/// What an operation asks for.
enum Doing {
    /// Nothing of the engine.
    Capacity(WorkerId, u32),
    Claim(Vec<ClaimLeases>),
    ShowLife(BTreeSet<ClientId>, BTreeSet<LeaseId>),
    /// One command, and the lease that it ends.
    One(Command, Option<LeaseId>),
}

impl Session {
    /// Takes an operation.
    ///
    /// # Errors
    /// The frame is no operation: the stream ends.
    pub(super) async fn operate(&mut self, op_id: u64, asked: Asked) -> Result<(), End> {
        if !self.op_ids.take(op_id) {
            let problem = format!("is {op_id}; an operation has a number of its own, not 0");
            return Err(invalid::field("op_id", problem).into());
        }
        match self.read(asked) {
            Ok(doing) => self.begin(op_id, doing).await,
            Err(failure) => self.reply(op_id, failed(failure), None).await,
        }
    }

    fn read(&self, asked: Asked) -> Result<Doing, Failure> {
        match asked {
            Asked::SetCapacity(pb::SetCapacity { worker, capacity }) => {
                let name = names::worker("set_capacity.worker", &worker)?;
                let (_, worker) = self.of_crew(name.clone())?;
                if self.crew.get(worker).is_none_or(|present| !present.owned) {
                    return Err(status::worker_taken_over(&name));
                }
                Ok(Doing::Capacity(worker, work::capacity("set_capacity.capacity", capacity)?))
            }
            Asked::Ack(pb::Ack { leases }) => self.claims(work::leases("ack.leases", &leases)?),
            Asked::LifeSigns(pb::LifeSigns { workers, leases }) => {
                let workers = work::workers("life_signs.workers", &workers)?;
                for worker in &workers {
                    self.of_crew(worker.clone())?;
                }
                Ok(Doing::ShowLife(workers, work::leases("life_signs.leases", &leases)?))
            }
            Asked::Submit(pb::Submit { worker, answer }) => {
                let (worker, _) = self.of_crew(names::worker("submit.worker", &worker)?)?;
                let answer = answer.ok_or_else(|| invalid::field("submit.answer", "is not set"))?;
                let item: SubmitItem = answer::item("submit.answer", answer)?;
                let ends = Some(item.lease);
                let items = vec![item];
                Ok(Doing::One(Command::Submit(SubmitAnswers { worker, items }), ends))
            }
            Asked::ReturnLease(pb::Return { worker, lease_return }) => {
                let (worker, _) = self.of_crew(names::worker("return_lease.worker", &worker)?)?;
                let path = "return_lease.lease_return";
                let item = lease_return.ok_or_else(|| invalid::field(path, "is not set"))?;
                let item: ReturnItem = lease::return_item(path, item)?;
                let ends = Some(item.lease);
                let items = vec![item];
                Ok(Doing::One(Command::Return(ReturnLeases { worker, items }), ends))
            }
            Asked::SaveDraft(pb::SaveDraft { worker, lease: name, draft }) => {
                let (worker, _) = self.of_crew(names::worker("save_draft.worker", &worker)?)?;
                let draft = lease::draft("save_draft.", worker, &name, &draft)?;
                Ok(Doing::One(Command::SaveDraft(draft), None))
            }
            Asked::Hello(_) | Asked::Pong(_) | Asked::Bye(_) => Err(status::internal()),
        }
    }

    /// A worker that `Hello` named.
    fn of_crew(&self, name: ClientId) -> Result<(ClientId, WorkerId), Failure> {
        match self.crew.find(&name) {
            Some(worker) => Ok((name, worker)),
            None => Err(status::worker_not_named(&name)),
        }
    }

    /// A claim for each worker who holds some of these leases.
    fn claims(&self, leases: BTreeSet<LeaseId>) -> Result<Doing, Failure> {
        let mut claims: Vec<ClaimLeases> = Vec::new();
        for lease in leases {
            let holder = self.crew.holder(lease).and_then(|worker| self.crew.get(worker));
            let no_lease = || status::refused(&Refusal::NoSuchLease { lease }, "ack.leases");
            let name = &holder.ok_or_else(no_lease)?.name;
            match claims.iter_mut().find(|claim| claim.worker == *name) {
                Some(claim) => claim.leases.push(lease),
                None => claims.push(ClaimLeases { worker: name.clone(), leases: vec![lease] }),
            }
        }
        Ok(Doing::Claim(claims))
    }

    async fn begin(&mut self, op_id: u64, doing: Doing) -> Result<(), End> {
        let mut operation = Operation::default();
        let mut commands = Vec::new();
        match doing {
            Doing::Capacity(worker, wanted) => self.want(worker, wanted),
            Doing::Claim(claims) => commands.extend(claims.into_iter().map(Command::Claim)),
            Doing::One(command, ends) => {
                operation.ends = ends;
                commands.push(command);
            }
            Doing::ShowLife(workers, leases) => {
                operation.extensions = Some(Vec::new());
                commands.extend(self.signs(workers, leases));
            }
        }
        for command in commands {
            self.post(command, Duration::ZERO, Call::Operation(op_id));
            operation.left += 1;
        }
        if operation.left == 0 {
            return self.finish(op_id, operation).await;
        }
        if let Some(worker) = operation.ends.and_then(|lease| self.crew.ends_soon(lease)) {
            self.ask(worker);
        }
        self.operations.insert(op_id, operation);
        Ok(())
    }

    /// So few workers at a time that one command stays short.
    fn signs(
        &self,
        workers: BTreeSet<ClientId>,
        leases: BTreeSet<LeaseId>,
    ) -> impl Iterator<Item = Command> + use<> {
        let of = self.crew.names();
        let workers: Vec<ClientId> = workers.into_iter().collect();
        let mut chunks: Vec<Vec<ClientId>> =
            workers.chunks(SIGNS_A_COMMAND).map(<[_]>::to_vec).collect();
        if chunks.is_empty() && !leases.is_empty() {
            chunks.push(Vec::new());
        }
        let mut leases: Vec<LeaseId> = leases.into_iter().collect();
        chunks.into_iter().map(move |workers| {
            let leases = std::mem::take(&mut leases);
            Command::ShowLife(LifeSigns { workers, leases, of: of.clone() })
        })
    }

    /// One of an operation's commands is answered.
    pub(super) async fn operated(
        &mut self,
        op_id: u64,
        answer: Result<Answer, Unanswered>,
    ) -> Result<(), End> {
        let Some(mut operation) = self.operations.remove(&op_id) else { return Ok(()) };
        operation.left -= 1;
        match answer {
            Ok(Answer { outcome: Ok(outcome), position, now }) => {
                operation.position = operation.position.max(position);
                operation.take(outcome, now.wall);
            }
            Ok(Answer { outcome: Err(refusal), .. }) => {
                operation.failure = Some(status::refused(&refusal, ""));
            }
            Err(why) => operation.failure = Some(status::unanswered(why)),
        }
        if operation.left == 0 {
            return self.finish(op_id, operation).await;
        }
        self.operations.insert(op_id, operation);
        Ok(())
    }

    async fn finish(&mut self, op_id: u64, operation: Operation) -> Result<(), End> {
        let Operation { ends, told, extensions, failure, position, .. } = operation;
        // Some of the leases named may have been lost: the others are told of.
        let extended = extensions.filter(|extended| !extended.is_empty() || failure.is_none());
        let outcome = match (extended, failure) {
            (Some(extensions), _) => reply::Outcome::Extensions(Extensions { extensions }),
            (None, Some(failure)) => {
                if let Some(worker) = ends.and_then(|lease| self.crew.goes_on(lease)) {
                    self.room_changed(worker);
                }
                return self.reply(op_id, failed(failure), None).await;
            }
            (None, None) => told.unwrap_or(reply::Outcome::Ok(())),
        };
        let position = Some(position).filter(|position| *position > Position(0));
        self.reply(op_id, outcome, position).await?;
        // Its end is told by this reply: what the mail still says of it is known.
        if let Some(worker) = ends.and_then(|lease| self.crew.drop_lease(lease)) {
            self.ask(worker);
        }
        Ok(())
    }

    async fn reply(
        &mut self,
        op_id: u64,
        outcome: reply::Outcome,
        position: Option<Position>,
    ) -> Result<(), End> {
        let position = position.map(tokens::position).unwrap_or_default();
        // The client may be slow to read; what it sent before does not wait for that.
        self.post_all();
        self.out.send(Frame::Reply(Reply { op_id, outcome: Some(outcome), position })).await
    }
}

impl Operation {
    fn take(&mut self, outcome: Outcome, now: WallTime) {
        let told = match outcome {
            Outcome::Claimed(items) => {
                let lost = items.into_iter().find_map(Result::err);
                lost.map_or(Ok(None), |refusal| Err(status::refused(&refusal, "ack.leases")))
            }
            Outcome::Alive(alive) => {
                let mut lost = None;
                let mut extended = self.extensions.take().unwrap_or_default();
                for item in alive.named.into_iter().chain(alive.held.into_iter().map(Ok)) {
                    match item {
                        Ok(grant) => extended.push(to_wire::lease::extension(&grant, now)),
                        Err(refusal) => lost = Some(refusal),
                    }
                }
                self.extensions = Some(extended);
                lost.map_or(Ok(None), |refusal| Err(status::refused(&refusal, "life_signs.leases")))
            }
            Outcome::Submitted(items) => single(items, "submit.answer").map(|receipt| {
                Some(reply::Outcome::Receipt(to_wire::submission::receipt(&receipt)))
            }),
            Outcome::Returned(items) => single(items, "return_lease").map(|_| None),
            Outcome::DraftSaved(_) => Ok(None),
            other => Err(unexpected(&other)),
        };
        match told {
            Ok(told) => self.told = told,
            Err(failure) => self.failure = Some(failure),
        }
    }
}

fn single<T>(items: Vec<Result<T, Refusal>>, path: &str) -> Result<T, Failure> {
    match items.into_iter().next() {
        Some(item) => item.map_err(|refusal| status::refused(&refusal, path)),
        // The engine owes an answer per item.
        None => Err(status::internal()),
    }
}

fn failed(failure: Failure) -> reply::Outcome {
    reply::Outcome::Error(failure.into_item())
}
