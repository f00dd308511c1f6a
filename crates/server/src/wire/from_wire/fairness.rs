//! Who gets what: weights, tiers, lists of workers, and how requirements loosen.

use std::collections::BTreeSet;

use piecework_core::project::{ProjectSpec, Requirements};
use piecework_core::relaxation::{self, Relaxation};
use piecework_core::{ClientId, limits};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::from_wire::policy;
use crate::wire::mask::Mask;
use crate::wire::{field, invalid, names};

/// 1 to 10,000; 0 stands for the default.
pub(crate) fn weight(path: &str, weight: u32) -> Result<u32, Failure> {
    match weight {
        0 => Ok(limits::WEIGHT_DEFAULT),
        weight if weight > limits::WEIGHT_MAX => {
            Err(invalid::range(path, weight, 1, limits::WEIGHT_MAX))
        }
        weight => Ok(weight),
    }
}

/// 0 to 4.
pub(crate) fn tier(path: &str, tier: u32) -> Result<u8, Failure> {
    let fits = u8::try_from(tier).ok().filter(|tier| *tier <= limits::TIER_MAX);
    fits.ok_or_else(|| invalid::range(path, tier, 0, limits::TIER_MAX))
}

/// Workers of a list: the order means nothing, nor does repetition.
pub(crate) fn workers(path: &str, workers: &[String]) -> Result<BTreeSet<ClientId>, Failure> {
    field::count(path, workers.len(), limits::WORKERS_LISTED_MAX, "workers")?;
    let read = |(index, name): (usize, &String)| names::worker(&format!("{path}[{index}]"), name);
    workers.iter().enumerate().map(read).collect()
}

/// Merges the masked ones of a project's fields. Last of all: its steps are
/// compared with the requirements that are to be.
pub(super) fn merge(
    spec: &mut ProjectSpec,
    message: &v1::Project,
    mask: &Mask,
) -> Result<(), Failure> {
    const STEPS: &str = "project.relaxation";
    if mask.has("tier") {
        let read = |asked| tier("project.tier", asked);
        spec.tier = message.tier.map_or(Ok(limits::TIER_DEFAULT), read)?;
    }
    if mask.has("grants_per_minute") {
        spec.grants_per_minute = message.grants_per_minute;
    }
    if mask.has("relaxation") {
        spec.relaxation = steps(STEPS, &message.relaxation)?;
    }
    for step in &mut spec.relaxation {
        // They are a field of the project, so no step can say otherwise.
        step.requirements.newcomers = spec.requirements.newcomers;
    }
    relaxation::check(&spec.requirements, &spec.relaxation).map_err(|wrong| {
        let path = format!("{STEPS}[{}].{}", wrong.step, wrong.field);
        invalid::field(&path, wrong.fault)
    })
}

fn steps(path: &str, messages: &[v1::Relaxation]) -> Result<Vec<Relaxation>, Failure> {
    field::count(path, messages.len(), limits::RELAXATION_STEPS_MAX, "steps")?;
    let read = |(index, message)| step(&format!("{path}[{index}]"), message);
    messages.iter().enumerate().map(read).collect()
}

fn step(path: &str, message: &v1::Relaxation) -> Result<Relaxation, Failure> {
    let at = format!("{path}.after");
    let Some(after) = message.after else {
        return Err(invalid::field(&at, "is missing, it must say when the step begins"));
    };
    let after = field::positive(&at, after, limits::RELAXATION_AFTER_MAX)?;
    let path = format!("{path}.requirements");
    let requirements: Requirements = policy::requirements(&path, message.requirements.clone())?;
    Ok(Relaxation { after, requirements })
}

#[cfg(test)]
mod tests {
    use piecework_core::Millis;
    use piecework_core::project::Newcomers;
    use piecework_core::quality::Basis;
    use piecework_proto::v1::ErrorReason;

    use super::*;

    fn after(seconds: i64, min_rating: u32) -> v1::Relaxation {
        v1::Relaxation {
            after: Some(prost_types::Duration { seconds, nanos: 0 }),
            requirements: Some(v1::Requirements { min_rating, ..v1::Requirements::default() }),
        }
    }

    /// What comes of a project with a least rating of 80 and these fields.
    fn merged(change: impl FnOnce(&mut v1::Project)) -> Result<ProjectSpec, Failure> {
        let strict = v1::Requirements { min_rating: 80, ..v1::Requirements::default() };
        let mut project = v1::Project {
            requester: "requesters/acme".to_owned(),
            title: "Cats".to_owned(),
            requirements: Some(strict),
            ..v1::Project::default()
        };
        change(&mut project);
        let request = v1::CreateProjectRequest {
            project: Some(project),
            project_id: "cats".to_owned(),
            request_id: String::new(),
        };
        super::super::project::create(request).map(|create| create.spec)
    }

    #[test]
    fn a_weight_left_out_is_a_hundred_and_ten_thousand_is_the_most() {
        assert_eq!(weight("weight", 0).unwrap(), 100);
        assert_eq!(weight("weight", 10_000).unwrap(), 10_000);
        assert_eq!(weight("weight", 10_001).unwrap_err().field(), Some("weight"));
    }

    #[test]
    fn tier_zero_is_said_and_no_tier_is_the_middle() {
        assert_eq!(merged(|p| p.tier = Some(0)).unwrap().tier, 0);
        assert_eq!(merged(|_| {}).unwrap().tier, 2);
        let failure = merged(|p| p.tier = Some(5)).unwrap_err();
        assert_eq!(failure.field(), Some("project.tier"));
    }

    #[test]
    fn a_list_names_the_worker_that_is_none_and_its_own_limit() {
        let list = ["workers/a", "workers/a", "workers/b"].map(str::to_owned);
        assert_eq!(workers("blocked_workers", &list).unwrap().len(), 2);
        let list = ["workers/a", "bob"].map(str::to_owned);
        let failure = workers("blocked_workers", &list).unwrap_err();
        assert_eq!(failure.field(), Some("blocked_workers[1]"));
        let list = vec!["workers/a".to_owned(); limits::WORKERS_LISTED_MAX + 1];
        let failure = workers("blocked_workers", &list).unwrap_err();
        assert_eq!(failure.reason(), ErrorReason::LimitExceeded);
    }

    #[test]
    fn steps_are_read_with_the_projects_own_newcomers() {
        let newcomers = v1::Newcomers { mode: v1::NewcomerMode::Refuse.into(), max_live: 0 };
        let spec = merged(|p| {
            p.newcomers = Some(newcomers);
            p.relaxation = vec![after(60, 70), after(3_600, 0)];
        });
        let spec = spec.unwrap();
        assert_eq!(spec.relaxation[1].after, Millis::from_mins(60));
        assert_eq!(spec.relaxation[0].requirements.min_rating, 70);
        assert_eq!(spec.relaxation[1].requirements.newcomers, Newcomers::Refuse);
    }

    #[test]
    fn a_rating_is_compared_with_the_mean_unless_the_lower_bound_is_said() {
        let with = |basis: i32| {
            merged(|p| p.requirements.get_or_insert_default().rating_basis = basis)
                .map(|spec| spec.requirements.rating_basis)
        };
        assert_eq!([with(0).unwrap(), with(1).unwrap()], [Basis::Mean, Basis::Mean]);
        assert_eq!(with(2).unwrap(), Basis::LowerBound);
        let failure = with(3).unwrap_err();
        assert_eq!(failure.field(), Some("project.requirements.rating_basis"));
    }

    #[test]
    fn a_wrong_step_is_named_with_its_field() {
        let wrong = |steps: Vec<v1::Relaxation>| {
            let failure = merged(|p| p.relaxation = steps).unwrap_err();
            failure.field().unwrap_or_default().to_owned()
        };
        let never = v1::Relaxation { after: None, ..after(1, 0) };
        assert_eq!(wrong(vec![never]), "project.relaxation[0].after");
        assert_eq!(wrong(vec![after(0, 0)]), "project.relaxation[0].after");
        assert_eq!(wrong(vec![after(9, 70), after(9, 0)]), "project.relaxation[1].after");
        let month = 30 * 24 * 3_600;
        assert_eq!(wrong(vec![after(month + 1, 0)]), "project.relaxation[0].after");
        let rating = "project.relaxation[1].requirements.min_rating";
        assert_eq!(wrong(vec![after(1, 70), after(2, 71)]), rating);
        assert_eq!(wrong(vec![after(1, 70), after(2, 101)]), rating);
        let mut quota = after(1, 70);
        quota.requirements.as_mut().unwrap().quota_per_worker = 3;
        assert_eq!(wrong(vec![quota]), "project.relaxation[0].requirements.quota_per_worker");
        assert_eq!(wrong(vec![after(1, 0); 9]), "project.relaxation");
    }

    #[test]
    fn new_requirements_are_compared_with_the_steps_that_stay() {
        let before = merged(|p| p.relaxation = vec![after(60, 70)]).unwrap();
        let update = |min_rating| {
            let requirements = v1::Requirements { min_rating, ..v1::Requirements::default() };
            let project = v1::Project {
                name: "projects/cats".to_owned(),
                requirements: Some(requirements),
                ..v1::Project::default()
            };
            let paths = vec!["requirements".to_owned()];
            let request = v1::UpdateProjectRequest {
                project: Some(project),
                update_mask: Some(prost_types::FieldMask { paths }),
            };
            super::super::project::update(request).and_then(|u| u.merged(before.clone()))
        };
        assert_eq!(update(75).unwrap().relaxation, before.relaxation);
        let failure = update(60).unwrap_err();
        assert_eq!(failure.field(), Some("project.relaxation[0].requirements.min_rating"));
    }
}
