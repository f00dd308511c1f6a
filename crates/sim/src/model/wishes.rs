//! What a worker asks of its work.

use piecework_core::{ClientId, ProjectId, Refusal, TenantId};

use super::Model;

/// Wishes with their names looked up.
pub(super) struct Wanted {
    only: Vec<ProjectId>,
}

impl Wanted {
    /// Whether anything of this project is wanted.
    pub(super) fn names(&self, project: ProjectId) -> bool {
        self.only.is_empty() || self.only.contains(&project)
    }
}

impl Model {
    pub(super) fn wanted(&self, tenant: TenantId, only: &[ClientId]) -> Result<Wanted, Refusal> {
        let find = |name| self.find_project(tenant, name);
        Ok(Wanted { only: only.iter().map(find).collect::<Result<_, _>>()? })
    }
}
