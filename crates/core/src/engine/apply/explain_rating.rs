//! What a worker's ratings are made of, and which projects they open. Changes nothing.
//!
//! Not here: what a record amounts to (`quality/record.rs`), the other questions
//! (`explain.rs`).

use std::cmp::Reverse;

use crate::engine::{ProjectRoom, State, Stop, WorkerRoom};
use crate::explanation::{AreaExplained, AreaNow, RatedProject, RatingExplained};
use crate::limits::{EXPLAIN_MAX, NEWCOMER_JUDGED, RATING_PROJECTS_MAX};
use crate::project::{Newcomers, ProjectState};
use crate::quality::Rating;
use crate::{ClientId, Now, TenantId};

/// `as_worker`: only what was published.
pub(super) fn rating(
    state: &State,
    now: Now,
    tenant: TenantId,
    worker: &ClientId,
    as_worker: bool,
) -> Result<RatingExplained, Stop> {
    let worker = state.worker(tenant, worker)?;
    let half_life = state.limits.rating_half_life;
    let area = |skill: &str, rating: &Rating| AreaExplained {
        skill: skill.to_owned(),
        published: rating.published,
        now: (!as_worker).then(|| AreaNow {
            record: rating.faded(now.engine, half_life),
            unchanged_for: now.engine - rating.as_of,
        }),
    };
    let mut areas = vec![area("", &worker.record.rating)];
    let own = worker.areas.iter();
    // That there is an area is no secret once something of it was published.
    let seen = own.filter(|(_, rating)| !as_worker || rating.published.judged > 0);
    areas.extend(seen.map(|(skill, rating)| area(skill, rating)));
    let open = state.tenants.get(&tenant).into_iter().flat_map(|room| room.projects.values());
    let mut open = open.filter_map(|id| state.projects.get(id));
    let looked = open.by_ref().take(EXPLAIN_MAX);
    let mut projects: Vec<RatedProject> =
        looked.filter_map(|room| rated(worker, room, as_worker)).collect();
    let truncated = open.next().is_some();
    projects
        .sort_by(|a, b| a.nearness().cmp(&b.nearness()).then_with(|| a.project.cmp(&b.project)));
    let more = projects.len().saturating_sub(RATING_PROJECTS_MAX);
    projects.truncate(RATING_PROJECTS_MAX);
    Ok(RatingExplained { areas, half_life, projects, more, truncated })
}

/// How a worker stands to an active project that asks for a rating.
fn rated(worker: &WorkerRoom, room: &ProjectRoom, as_worker: bool) -> Option<RatedProject> {
    let needs = &room.project.spec.requirements;
    if needs.min_rating == 0 || room.project.state != ProjectState::Active {
        return None;
    }
    let (needed, basis) = (needs.min_rating, needs.rating_basis);
    let (judged, has) = match as_worker {
        true => {
            let published = &worker.record.rating.published;
            (published.judged, published.bulletin().points(basis))
        }
        false => (worker.judged(), worker.points(basis)),
    };
    let newcomer = judged < NEWCOMER_JUDGED;
    let refused = newcomer && needs.newcomers == Newcomers::Refuse;
    Some(RatedProject {
        project: room.project.name.clone(),
        needed,
        basis,
        has,
        newcomer,
        missing_points: if newcomer { 0 } else { needed.saturating_sub(has) },
        missing_answers: if refused { NEWCOMER_JUDGED - judged } else { 0 },
    })
}

impl RatedProject {
    /// What is missed first, the nearest before others; then what asks for most.
    fn nearness(&self) -> (bool, u32, u8, Reverse<u8>) {
        (self.is_unlocked(), self.missing_answers, self.missing_points, Reverse(self.needed))
    }
}
