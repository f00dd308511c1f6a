//! One file per command, each with its arrow in the first line.
//!
//! A transition finishes every check before its first mutation, so that a
//! refusal leaves no trace.

mod cancel_tasks;
mod claim;
mod create_keys;
mod create_tasks;
mod draft;
mod explain;
mod explain_rating;
mod extend;
mod finish;
mod inspect;
mod lease;
mod project;
mod rate;
mod refine;
mod requester;
mod requeue_tasks;
mod resolve_task;
mod restarted;
mod return_leases;
mod submit;
mod suspend;
mod sweep;
mod tick;
mod update_tasks;
mod weigh;
mod worker;

use crate::engine::{Changes, State, Stop};
use crate::{Command, Outcome, Request};

pub(super) fn apply(
    state: &mut State,
    changes: &mut Changes,
    request: &Request,
) -> Result<Outcome, Stop> {
    let tenant = request.tenant;
    match &request.command {
        Command::CreateRequester(c) => requester::create(state, changes, tenant, c),
        Command::UpdateRequester(c) => requester::update(state, changes, tenant, c),
        Command::CreateProject(c) => project::create(state, changes, tenant, c),
        Command::UpdateProject(c) => project::update(state, changes, tenant, c),
        Command::SteerProject(c) => project::steer(state, changes, tenant, c),
        Command::InspectProject { project } => {
            inspect::project(state, changes.now, tenant, project)
        }
        Command::InspectTask(task) => inspect::task(state, tenant, task),
        Command::InspectWorker { worker } => inspect::worker(state, changes.now, tenant, worker),
        Command::CreateTasks(c) => create_tasks::create(state, changes, tenant, c),
        Command::UpdateTasks(c) => update_tasks::update(state, changes, tenant, c),
        Command::CancelTasks(c) => cancel_tasks::cancel(state, changes, tenant, c),
        Command::RequeueTasks(c) => requeue_tasks::requeue(state, changes, tenant, c),
        Command::ResolveTask(c) => resolve_task::resolve(state, changes, tenant, c),
        Command::Learn(c) => refine::learn(state, tenant, c),
        Command::Refine(c) => refine::refine(state, changes, tenant, c),
        Command::CreateWorker(c) => worker::create(state, changes, tenant, c),
        Command::UpdateWorker(c) => worker::update(state, changes, tenant, c),
        Command::GrantSkill(c) => worker::grant_skill(state, changes, tenant, c),
        Command::RevokeSkill { worker, skill } => {
            worker::revoke_skill(state, changes, tenant, worker, skill)
        }
        Command::SuspendWorker { worker, reason } => {
            suspend::suspend(state, changes, tenant, worker, reason)
        }
        Command::ReinstateWorker { worker } => suspend::reinstate(state, changes, tenant, worker),
        Command::Explain(question) => explain::explain(state, changes.now, tenant, question),
        Command::Lease(c) => lease::lease(state, changes, tenant, c),
        Command::Extend(c) => extend::extend(state, changes, tenant, c),
        Command::Submit(c) => submit::submit(state, changes, tenant, c),
        Command::Return(c) => return_leases::give_back(state, changes, tenant, c),
        Command::Claim(c) => claim::claim(state, changes, tenant, c),
        Command::ShowLife(c) => extend::show_life(state, changes, tenant, c),
        Command::SaveDraft(c) => draft::save(state, changes, tenant, c),
        Command::Tick => tick::tick(state, changes),
        Command::Sweep { project } => sweep::sweep(state, changes, *project),
        Command::Restarted => restarted::restarted(state, changes),
    }
}
