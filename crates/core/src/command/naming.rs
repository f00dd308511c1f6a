//! What a command is called, and whose it is, for the journal, logs and metrics.
//!
//! Not here: what it asks (`command.rs`).

use crate::{ClientId, Command};

impl Command {
    /// The command's name in the journal, in logs and in metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Command::CreateRequester(_) => "create_requester",
            Command::UpdateRequester(_) => "update_requester",
            Command::CreateProject(_) => "create_project",
            Command::UpdateProject(_) => "update_project",
            Command::SteerProject(_) => "steer_project",
            Command::InspectProject { .. } => "inspect_project",
            Command::InspectTask(_) => "inspect_task",
            Command::CreateTasks(_) => "create_tasks",
            Command::UpdateTasks(_) => "update_tasks",
            Command::CancelTasks(_) => "cancel_tasks",
            Command::RequeueTasks(_) => "requeue_tasks",
            Command::ResolveTask(_) => "resolve_task",
            Command::CreateWorker(_) => "create_worker",
            Command::UpdateWorker(_) => "update_worker",
            Command::GrantSkill(_) => "grant_skill",
            Command::RevokeSkill { .. } => "revoke_skill",
            Command::SuspendWorker { .. } => "suspend_worker",
            Command::ReinstateWorker { .. } => "reinstate_worker",
            Command::InspectWorker { .. } => "inspect_worker",
            Command::Explain(_) => "explain",
            Command::Lease(_) => "lease",
            Command::Extend(_) => "extend",
            Command::Submit(_) => "submit",
            Command::Return(_) => "return",
            Command::Claim(_) => "claim",
            Command::ShowLife(_) => "show_life",
            Command::SaveDraft(_) => "save_draft",
            Command::Tick => "tick",
            Command::Sweep { .. } => "sweep",
            Command::Learn(_) => "learn",
            Command::Refine(_) => "refine",
            Command::Restarted => "restarted",
        }
    }

    /// The worker or requester in whose name it comes, where it names one.
    #[must_use]
    pub fn actor(&self) -> Option<&ClientId> {
        match self {
            Command::Lease(c) => Some(&c.worker),
            Command::Extend(c) => Some(&c.worker),
            Command::Submit(c) => Some(&c.worker),
            Command::Return(c) => Some(&c.worker),
            Command::Claim(c) => Some(&c.worker),
            Command::SaveDraft(c) => Some(&c.worker),
            Command::CreateProject(c) => Some(&c.requester),
            _ => None,
        }
    }

    /// The client's own id of the call, where it gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&ClientId> {
        match self {
            Command::CreateRequester(c) => c.key.as_ref().map(|k| &k.request_id),
            Command::CreateProject(c) => c.key.as_ref().map(|k| &k.request_id),
            Command::CreateTasks(c) => c.key.as_ref().map(|k| &k.request_id),
            Command::CreateWorker(c) => c.key.as_ref().map(|k| &k.request_id),
            Command::Lease(c) => c.request_id.as_ref(),
            _ => None,
        }
    }
}
