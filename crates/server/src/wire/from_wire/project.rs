//! Requests about projects.
//!
//! A create is an update of a blank spec with every field in its mask, so both
//! check alike.

use std::collections::BTreeMap;
use std::mem::take;

use piecework_core::command::CreateProject;
use piecework_core::project::{
    Aggregation, Assignment, DynamicOverlap, LeasePolicy, ProjectSpec, Requirements, Terms,
};
use piecework_core::schema::Schema;
use piecework_core::{ClientId, Money, limits, quality};
use piecework_proto::v1;

use crate::wire::failure::Failure;
use crate::wire::from_wire::{create_key, etag, fairness, policy, schema};
use crate::wire::mask::Mask;
use crate::wire::{field, invalid, names};

const FIELDS: [&str; 17] = [
    "title",
    "instructions",
    "schema",
    "requirements",
    "newcomers",
    "overlap",
    "aggregation",
    "lease_policy",
    "assignment",
    "reward",
    "payload_bytes_max",
    "expected_duration",
    "labels",
    "tier",
    "grants_per_minute",
    "relaxation",
    "dynamic_overlap",
];
const FIXED: [&str; 7] =
    ["name", "requester", "state", "revision", "create_time", "update_time", "etag"];
/// The confidence at which a task stops buying, unless its project says another.
const TARGET_DEFAULT: f64 = 0.95;
/// Languages of a project's instructions.
const LANGUAGES_MAX: usize = 64;

/// An update before it is merged: the spec to merge into comes from the tables.
#[derive(Debug, Clone)]
pub(crate) struct ProjectUpdate {
    /// Which project.
    pub(crate) project: ClientId,
    /// The version that the caller saw.
    pub(crate) etag: Option<u32>,
    message: v1::Project,
    mask: Mask,
}

/// A project to be.
pub(crate) fn create(request: v1::CreateProjectRequest) -> Result<CreateProject, Failure> {
    let key = create_key(&request.request_id, &request)?;
    let name = names::new_id("project_id", &request.project_id)?;
    let project = request.project.unwrap_or_default();
    let requester = names::requester("project.requester", &project.requester)?;
    let all = Mask::new("update_mask", None, &FIELDS, &FIXED)?;
    Ok(CreateProject { name, requester, spec: merge(blank(), project, &all)?, key })
}

/// What to change in a project.
pub(crate) fn update(request: v1::UpdateProjectRequest) -> Result<ProjectUpdate, Failure> {
    let mask = Mask::new("update_mask", request.update_mask, &FIELDS, &FIXED)?;
    let message = request.project.unwrap_or_default();
    let project = names::project("project.name", &message.name)?;
    let etag = etag::read("project.etag", &message.etag)?;
    Ok(ProjectUpdate { project, etag, message, mask })
}

impl ProjectUpdate {
    /// The spec with the masked fields replaced.
    pub(crate) fn merged(&self, spec: ProjectSpec) -> Result<ProjectSpec, Failure> {
        merge(spec, self.message.clone(), &self.mask)
    }
}

fn merge(
    mut spec: ProjectSpec,
    mut message: v1::Project,
    mask: &Mask,
) -> Result<ProjectSpec, Failure> {
    if mask.has("title") {
        spec.title = field::required_text("project.title", take(&mut message.title))?;
    }
    if mask.has("requirements") {
        let newcomers = spec.requirements.newcomers;
        spec.requirements =
            policy::requirements("project.requirements", message.requirements.take())?;
        spec.requirements.newcomers = newcomers;
    }
    if mask.has("newcomers") {
        spec.requirements.newcomers = policy::newcomers("project.newcomers", message.newcomers)?;
    }
    fairness::merge(&mut spec, &message, mask)?;
    if mask.has("overlap") {
        spec.overlap = field::optional_overlap("project.overlap", message.overlap)?.unwrap_or(1);
    }
    if mask.has("dynamic_overlap") {
        spec.dynamic = dynamic_overlap(message.dynamic_overlap)?;
    }
    overlaps_fit(&spec, mask)?;
    if mask.has("assignment") {
        spec.assignment = assignment(message.assignment)?;
    }
    if mask.has("payload_bytes_max") {
        spec.payload_bytes_max = payload_bytes_max(message.payload_bytes_max)?;
    }
    if mask.has("labels") {
        spec.labels = field::labels("project.labels", message.labels)?;
    }
    let terms = &mut spec.terms;
    if mask.has("instructions") {
        terms.instructions = instructions(message.instructions)?;
    }
    if mask.has("schema") {
        terms.schema = schema::schema("project.schema", message.schema)?;
    }
    if mask.has("aggregation") {
        terms.aggregation = aggregation(message.aggregation, &terms.schema)?;
    }
    if mask.has("lease_policy") {
        terms.lease = policy::lease("project.lease_policy", message.lease_policy)?;
    }
    if mask.has("reward") {
        terms.reward = field::money("project.reward", message.reward)?;
    }
    if mask.has("expected_duration") {
        let expected = message.expected_duration;
        let read = |time| field::positive("project.expected_duration", time, limits::LEASE_MAX);
        terms.expected = expected.map(read).transpose()?;
    }
    Ok(spec)
}

/// Whoever changes one of the two is told of that one.
fn overlaps_fit(spec: &ProjectSpec, mask: &Mask) -> Result<(), Failure> {
    let (overlap, most) = (spec.overlap, spec.dynamic.map(|dynamic| dynamic.max));
    let Some(max) = most.filter(|max| *max < overlap) else { return Ok(()) };
    let (field, problem) = match mask.has("dynamic_overlap") {
        true => (
            "project.dynamic_overlap.max",
            format!("is {max}, less than the project's overlap of {overlap}"),
        ),
        false => {
            ("project.overlap", format!("is {overlap}, more than the {max} of its dynamic_overlap"))
        }
    };
    Err(invalid::field(field, problem))
}

fn blank() -> ProjectSpec {
    ProjectSpec {
        title: String::new(),
        terms: Terms {
            instructions: BTreeMap::new(),
            schema: Schema::default(),
            aggregation: Aggregation::First,
            reward: Money::NONE,
            lease: LeasePolicy::of(limits::LEASE_DEFAULT),
            expected: None,
        },
        requirements: Requirements::default(),
        overlap: 1,
        dynamic: None,
        assignment: Assignment::ServerPicks,
        payload_bytes_max: 0,
        tier: limits::TIER_DEFAULT,
        grants_per_minute: 0,
        relaxation: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn instructions(texts: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Failure> {
    const PATH: &str = "project.instructions";
    field::count(PATH, texts.len(), LANGUAGES_MAX, "languages")?;
    for tag in texts.keys() {
        let fits = (1..=35).contains(&tag.len())
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !fits {
            let problem = format!("has the key {tag:.40?}, which is no language tag such as pt-BR");
            return Err(invalid::field(PATH, problem));
        }
    }
    let bytes = texts.values().map(String::len).sum();
    field::count(PATH, bytes, limits::INSTRUCTIONS_BYTES_MAX, "bytes")?;
    Ok(texts)
}

fn aggregation(value: i32, schema: &Schema) -> Result<Aggregation, Failure> {
    Ok(match field::known("project.aggregation", value)? {
        Some(v1::Aggregation::First) => Aggregation::First,
        Some(v1::Aggregation::Majority) => Aggregation::Majority,
        Some(v1::Aggregation::Weighted) => Aggregation::Weighted,
        Some(v1::Aggregation::Online) => Aggregation::Online,
        Some(v1::Aggregation::Refined) => Aggregation::Refined,
        Some(v1::Aggregation::DawidSkene) => Aggregation::DawidSkene,
        Some(v1::Aggregation::Collect) => Aggregation::Collect,
        Some(v1::Aggregation::Unspecified) | None if schema.is_compared() => Aggregation::Refined,
        Some(v1::Aggregation::Unspecified) | None => Aggregation::First,
    })
}

fn dynamic_overlap(message: Option<v1::DynamicOverlap>) -> Result<Option<DynamicOverlap>, Failure> {
    let Some(message) = message else { return Ok(None) };
    let max = field::overlap("project.dynamic_overlap.max", message.max)?;
    let target = message.target_confidence.unwrap_or(TARGET_DEFAULT);
    let target_ppm = quality::ppm(target);
    if !(target > 0.0 && target <= 1.0) || target_ppm == 0 {
        let problem = format!("is {target}, not a confidence above 0 and at most 1");
        return Err(invalid::field("project.dynamic_overlap.target_confidence", problem));
    }
    Ok(Some(DynamicOverlap { max, target_ppm }))
}

fn assignment(value: i32) -> Result<Assignment, Failure> {
    Ok(match field::known("project.assignment", value)? {
        Some(v1::Assignment::WorkerPicks) => Assignment::WorkerPicks,
        Some(v1::Assignment::ServerPicks | v1::Assignment::Unspecified) | None => {
            Assignment::ServerPicks
        }
    })
}

fn payload_bytes_max(value: u32) -> Result<u32, Failure> {
    let max = u32::try_from(limits::PAYLOAD_BYTES_MAX).unwrap_or(u32::MAX);
    match value {
        0 => Ok(max),
        value if value > max => Err(invalid::range("project.payload_bytes_max", value, 1, max)),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cats() -> v1::Project {
        v1::Project {
            name: "projects/cats".to_owned(),
            requester: "requesters/acme".to_owned(),
            title: "Cats".to_owned(),
            ..v1::Project::default()
        }
    }

    fn created(project: v1::Project) -> Result<CreateProject, Failure> {
        create(v1::CreateProjectRequest {
            project: Some(project),
            project_id: "cats".to_owned(),
            request_id: String::new(),
        })
    }

    fn with_choices() -> v1::Project {
        let field = v1::AnswerField {
            name: "breed".to_owned(),
            kind: v1::AnswerFieldKind::Choice.into(),
            choices: vec!["manx".to_owned()],
            required: true,
            ..v1::AnswerField::default()
        };
        v1::Project { schema: Some(v1::AnswerSchema { fields: vec![field] }), ..cats() }
    }

    #[test]
    fn defaults_are_filled_in() {
        let spec = created(cats()).unwrap().spec;
        assert_eq!((spec.overlap, spec.payload_bytes_max), (1, 65_536));
        assert_eq!(spec.terms.aggregation, Aggregation::First);
        assert_eq!(created(with_choices()).unwrap().spec.terms.aggregation, Aggregation::Refined);
    }

    #[test]
    fn the_wrong_field_is_named() {
        let wrong = |project| created(project).unwrap_err().field().unwrap_or_default().to_owned();
        assert_eq!(wrong(v1::Project { title: " ".to_owned(), ..cats() }), "project.title");
        assert_eq!(wrong(v1::Project { overlap: 1001, ..cats() }), "project.overlap");
        assert_eq!(wrong(v1::Project { requester: String::new(), ..cats() }), "project.requester");
        let project = v1::Project { payload_bytes_max: 65_537, ..cats() };
        assert_eq!(wrong(project), "project.payload_bytes_max");
        let instructions = BTreeMap::from([("e n".to_owned(), String::new())]);
        assert_eq!(wrong(v1::Project { instructions, ..cats() }), "project.instructions");
    }

    #[test]
    fn an_update_changes_what_its_mask_names_and_no_more() {
        let before = created(with_choices()).unwrap().spec;
        let update = |paths: &[&str]| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            let project = v1::Project { title: "Dogs".to_owned(), overlap: 3, ..cats() };
            let request = v1::UpdateProjectRequest {
                project: Some(project),
                update_mask: Some(prost_types::FieldMask { paths }),
            };
            super::update(request).and_then(|update| update.merged(before.clone()))
        };
        let after = update(&["title"]).unwrap();
        assert_eq!((after.title.as_str(), after.overlap), ("Dogs", 1));
        assert_eq!(after.terms, before.terms);
        let after = update(&[]).unwrap();
        assert_eq!(after.overlap, 3);
        assert!(after.terms.schema.fields.is_empty());
        assert!(update(&["requester"]).is_err());
    }
}
