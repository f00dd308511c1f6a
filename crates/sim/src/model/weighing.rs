//! What a task's answers say together by methods that know the crowd, when it is sure,
//! and what its requester or a refinement says of it.
//!
//! The crowd's model itself is the library's, which has tests of its own against other
//! people's programs; here is when it is asked, what it learns, and what follows.

use std::sync::Arc;

use piecework_core::command::{FieldOpinion, Learn, Refine, RefinedTask, ResolveTask};
use piecework_core::event::{FieldVotes, Method, ResultAnswer, ResultState};
use piecework_core::lease::Lease;
use piecework_core::outcome::ChangedTask;
use piecework_core::project::Aggregation;
use piecework_core::quality::{Crowd, weighted};
use piecework_core::task::TaskState;
use piecework_core::{
    Fingerprint, Outcome, ProjectId, Refusal, Revision, TaskId, TenantId, WorkerId,
};

use super::Model;
use super::fit::read;
use super::lookup::text;
use super::votes::{agree, facts};

/// What the answers of a task say.
pub(super) struct Weighed {
    pub(super) answer: Option<ResultAnswer>,
    pub(super) content: Fingerprint,
    pub(super) confidence_ppm: u32,
    pub(super) votes: Vec<FieldVotes>,
    pub(super) method: Method,
    pub(super) revision: Revision,
    posteriors: Vec<Posterior>,
}

/// What the crowd's model said of the votes on a field.
struct Posterior {
    field: u16,
    votes: Vec<(WorkerId, u16)>,
    classes: Vec<f64>,
}

impl Model {
    /// By the newest terms among the counted answers. Where a refinement has an opinion
    /// of a field, that holds; else the method of the terms.
    pub(super) fn weigh(&mut self, id: TaskId, given: &[FieldOpinion]) -> Weighed {
        let mut counted: Vec<Lease> =
            self.tasks[&id].leases.iter().filter(|l| l.counted().is_some()).cloned().collect();
        counted.sort_by_key(|l| facts(l).order);
        let counted: Vec<&Lease> = counted.iter().collect();
        let current = self.projects[&id.project].project.revision;
        let revision = counted.iter().map(|l| l.revision).max().unwrap_or(current);
        let terms = self.terms(id.project, revision).clone();
        let right = |who: WorkerId| self.workers[&who].record.rating.record.accuracy();
        let mut posteriors = Vec::new();
        let mut crowds = self.projects[&id.project].crowds.clone();
        let mut opine = |field: u16, classes: u16, votes: &[(WorkerId, u16)]| {
            if let Some(says) = given.iter().find(|says| says.field == field) {
                return Some((says.class, says.confidence_ppm));
            }
            let opinion = match terms.aggregation {
                Aggregation::Weighted => {
                    let by: Vec<(f64, u16)> = votes.iter().map(|(w, c)| (right(*w), *c)).collect();
                    weighted(&by, classes)?
                }
                Aggregation::Online | Aggregation::Refined => {
                    let crowd = crowds.entry(field).or_insert_with(|| Crowd::new(classes));
                    let opinion = crowd.opinion(votes);
                    let (votes, classes) = (votes.to_vec(), opinion.posterior.clone());
                    posteriors.push(Posterior { field, votes, classes });
                    opinion
                }
                _ => return None,
            };
            Some((opinion.answer, opinion.confidence_ppm()))
        };
        let (answer, confidence_ppm, votes, content) =
            agree(&counted, &terms, revision, &mut opine);
        self.projects.get_mut(&id.project).expect("a task's project").crowds = crowds;
        let refined = !given.is_empty();
        let method = match terms.aggregation {
            Aggregation::First => Method::First,
            Aggregation::Collect => Method::Collected,
            Aggregation::Weighted => Method::Weighted,
            Aggregation::Refined if refined => Method::Smoothed,
            Aggregation::Online | Aggregation::Refined => Method::Online,
            Aggregation::DawidSkene if refined => Method::DawidSkene,
            Aggregation::Majority | Aggregation::DawidSkene => Method::Majority,
        };
        Weighed { answer, content, confidence_ppm, votes, method, revision, posteriors }
    }

    /// A task that became final teaches what its answers were worth, unless a refinement
    /// has counted them.
    pub(super) fn learn_of(&mut self, id: TaskId, weighed: &Weighed) {
        let venture = self.projects.get_mut(&id.project).expect("a task's project");
        for Posterior { field, votes, classes } in &weighed.posteriors {
            let is_new = |who: WorkerId| {
                let own = self.tasks[&id]
                    .leases
                    .iter()
                    .find(|l| l.worker == who && l.counted().is_some());
                let own = own.expect("a vote has its answer");
                own.granted + facts(own).took > venture.refined_through
            };
            let votes: Vec<(WorkerId, u16)> =
                votes.iter().copied().filter(|(who, _)| is_new(*who)).collect();
            let crowd = venture.crowds.get_mut(field).expect("it was asked");
            crowd.learn(&votes, classes);
        }
    }

    /// The fewest and most answers a task buys and its target, where it buys while it is
    /// unsure.
    pub(super) fn buys(&self, id: TaskId) -> Option<(usize, usize, u32)> {
        let spec = &self.projects[&id.project].project.spec;
        let order = self.tasks[&id].record.order;
        let target = spec.dynamic?.target_ppm;
        let least = usize::from(spec.overlap.min(order.wanted));
        (order.most > 0).then(|| (least, usize::from(order.most), target))
    }

    /// With its fewest answers and a confidence at the target a task is done, and wants
    /// what is out; so with its most. Else it wants one more than it has, or waits for
    /// what is out, and tells what is likely so far.
    pub(super) fn buy(&mut self, id: TaskId, weighed: &Weighed) {
        let (least, most, target) = self.buys(id).expect("only such tasks are bought for");
        let (counted, live) = (self.tasks[&id].counted(), self.tasks[&id].live());
        let sure = counted >= most || counted >= least && weighed.confidence_ppm >= target;
        let more = if sure || live > 0 { 0 } else { 1 };
        let wanted = (counted + live + more).max(if sure { 0 } else { least });
        self.edit(id).record.order.wanted = u16::try_from(wanted).expect("few places");
        if sure {
            self.done(id, weighed, false);
        } else if self.says_otherwise(id, weighed) {
            self.tell_result(id, ResultState::Provisional, weighed);
        }
    }

    fn says_otherwise(&self, id: TaskId, weighed: &Weighed) -> bool {
        let said = self.tasks[&id].record.said;
        said.is_none_or(|said| said.answer != weighed.content)
    }

    /// A task that was sure wants no more than it has and what is out; an answer that
    /// came since may revise its result.
    pub(super) fn follow_up(&mut self, id: TaskId) {
        if self.buys(id).is_none() || self.tasks[&id].record.resolved {
            return;
        }
        let wanted = self.tasks[&id].counted() + self.tasks[&id].live();
        let wanted = u16::try_from(wanted).expect("few places");
        if self.tasks[&id].record.order.wanted != wanted {
            self.edit(id).record.order.wanted = wanted;
        }
        let record = &self.tasks[&id].record;
        if record.said.is_none_or(|said| said.answers != record.last_answer) {
            let weighed = self.weigh(id, &[]);
            self.revise(id, &weighed);
        }
    }

    /// A result that stands is told anew where its answer is another one, or where its
    /// confidence lies on the other side of the target.
    fn revise(&mut self, id: TaskId, weighed: &Weighed) {
        let TaskState::Done { incomplete } = self.tasks[&id].record.state else { return };
        let target = self.buys(id).map(|(_, _, target)| target);
        let sure = |ppm: u32| target.is_some_and(|target| ppm >= target);
        let said = self.tasks[&id].record.said;
        let was = said.is_some_and(|said| sure(said.confidence_ppm));
        let answers = self.tasks[&id].record.last_answer;
        if self.says_otherwise(id, weighed) || was != sure(weighed.confidence_ppm) {
            self.tell_result(id, ResultState::Final { incomplete }, weighed);
        } else if let Some(said) = &mut self.edit(id).record.said {
            said.answers = answers;
        }
        self.rate(id);
    }

    pub(super) fn learn(&mut self, tenant: TenantId, cmd: &Learn) -> Outcome {
        let classes = cmd.evidence.classes();
        let found = self.projects.get_mut(&cmd.project);
        if let Some(venture) = found.filter(|venture| venture.project.tenant == tenant) {
            let count = u16::try_from(classes).expect("few classes");
            let crowd = venture.crowds.entry(cmd.field).or_insert_with(|| Crowd::new(count));
            if crowd.classes() == classes {
                crowd.adopt(&Arc::clone(&cmd.evidence));
                venture.refined_through = cmd.through;
            }
        }
        Outcome::Refined { changed: 0 }
    }

    /// A refinement changes tasks that are as it saw them, and that it may change: open
    /// ones that buy while they are unsure, and done ones that nobody has resolved.
    pub(super) fn refine(&mut self, tenant: TenantId, cmd: &Refine) -> Outcome {
        let found = self.projects.get(&cmd.project);
        let own = found.is_some_and(|venture| venture.project.tenant == tenant);
        let there = own && !self.is_cancelled(cmd.project);
        let mut changed = 0;
        for says in cmd.tasks.iter().filter(|_| there) {
            changed += u32::from(self.refine_one(cmd.project, says));
        }
        Outcome::Refined { changed }
    }

    fn refine_one(&mut self, project: ProjectId, says: &RefinedTask) -> bool {
        let id = TaskId { project, number: says.task };
        let Some(task) = self.tasks.get(&id) else { return false };
        let (record, counted) = (&task.record, task.counted());
        let as_seen = record.last_answer == says.answers && record.result_revision == says.revision;
        if !as_seen || record.resolved || counted == 0 {
            return false;
        }
        let (was, state) = (record.result_revision, record.state);
        let weighed = self.weigh(id, &says.fields);
        match state {
            TaskState::Open if self.buys(id).is_some_and(|(least, ..)| counted >= least.max(1)) => {
                self.buy(id, &weighed);
            }
            TaskState::Done { .. } => self.revise(id, &weighed),
            _ => {}
        }
        self.look_at_rota(project);
        self.tasks[&id].record.result_revision != was
    }

    /// The requester's word is the result of an open or done task: certain, and for good
    /// as long as nobody asks for more answers. Said again it changes nothing.
    pub(super) fn resolve(
        &mut self,
        tenant: TenantId,
        cmd: &ResolveTask,
    ) -> Result<Outcome, Refusal> {
        let id = self.find_task(tenant, &cmd.task)?;
        let project = self.projects[&id.project].project.clone();
        let (name, task) = (project.name.clone(), text(&cmd.task.task));
        if self.is_cancelled(id.project) {
            return Err(Refusal::ProjectCancelled { project: name });
        }
        match self.tasks[&id].record.state {
            TaskState::Failed { .. } => return Err(Refusal::TaskFailed { project: name, task }),
            TaskState::Cancelled => return Err(Refusal::TaskCancelled { project: name, task }),
            TaskState::Open | TaskState::Done { .. } => {}
        }
        let revision = project.revision;
        read(&project.spec.terms.schema, &cmd.answer).map_err(|misfit| Refusal::ResultInvalid {
            project: name,
            task: id.number,
            revision,
            misfit: Box::new(misfit),
        })?;
        let record = &self.tasks[&id].record;
        let said = record.said.map(|said| said.answer);
        if !(record.resolved && said == Some(cmd.answer.meaning)) {
            let (bytes, content_type) = (cmd.answer.bytes.clone(), cmd.answer.content_type.clone());
            let weighed = Weighed {
                answer: Some(ResultAnswer::Given { bytes, content_type, revision }),
                content: cmd.answer.meaning,
                confidence_ppm: 1_000_000,
                method: Method::Requester,
                ..self.weigh(id, &[])
            };
            let record = &mut self.edit(id).record;
            record.state = TaskState::Done { incomplete: false };
            record.resolved = true;
            self.tell_result(id, ResultState::Final { incomplete: false }, &weighed);
            self.release(id);
            self.look_at_rota(id.project);
        }
        let state = TaskState::Done { incomplete: false };
        Ok(Outcome::TasksChanged(vec![Ok(ChangedTask { task: id, state })]))
    }
}
