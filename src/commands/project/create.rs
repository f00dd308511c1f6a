//! `project create`: from flags, or from a file with the API's JSON.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::CreateProjectRequest;
use prost::Message;

use super::fairness::Fairness;
use super::fields::Fields;
use super::rules::Rules;
use crate::failure::input;
use crate::names;
use crate::proto_json;

/// Create a project
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its id, such as `cats`
    project: String,
    /// Who owns it; with --file, instead of the file's
    #[arg(long, required_unless_present = "file")]
    requester: Option<String>,
    /// A file with the whole project as JSON, in place of the flags below
    #[arg(long, value_name = "PROJECT.json", conflicts_with_all = ["Fields", "Rules", "Fairness"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    fields: Fields,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    fairness: Fairness,
}

impl Create {
    /// What to ask the daemon for.
    pub(super) fn into_request(self) -> Result<CreateProjectRequest> {
        let id = names::id(&names::project(&self.project)?).to_owned();
        let mut project = match &self.file {
            Some(file) => from_file("Project", file)?,
            None => {
                let mut project = self.rules.into_project(&id, self.fields.schema()?)?;
                self.fairness.put(&mut project);
                project
            }
        };
        if let Some(requester) = &self.requester {
            project.requester = names::requester(requester)?;
        }
        Ok(CreateProjectRequest {
            project: Some(project),
            project_id: id,
            request_id: String::new(),
        })
    }
}

/// A message from a file with its JSON. `name`: its name in package `piecework.v1`.
pub(super) fn from_file<M: Message + Default>(name: &str, file: &Path) -> Result<M> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| input(format!("{shown}: {e}")))?;
    proto_json::from_str(name, &text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        input(format!("{shown}:{}:{}: {message}", error.line(), error.column()))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use piecework_client::proto::v1::{
        Aggregation, AnswerFieldKind, Assignment, LatePolicy, NewcomerMode,
    };

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn request(line: &str) -> Result<CreateProjectRequest> {
        let words = std::iter::once("create").chain(line.split_whitespace());
        Line::try_parse_from(words)?.create.into_request()
    }

    #[test]
    fn flags_become_a_project() {
        let request = request(
            "cats --requester acme --choices label=cat,dog --overlap 3 --lease 10m --late refuse \
             --assignment worker-picks --min-rating 70 --skill lang:fi=50 --reward 0.05USD \
             --newcomers 2 --free notes --label batch=7 --quota 9 --tier 0 --grants-per-minute 90 \
             --relax 10m:lang:fi=20,rating=60 --relax 1h",
        )
        .unwrap();
        let project = request.project.unwrap();
        assert_eq!(request.project_id, "cats");
        assert_eq!(
            (project.requester.as_str(), project.title.as_str()),
            ("requesters/acme", "cats")
        );
        let fields = &project.schema.as_ref().unwrap().fields;
        assert_eq!(fields[0].choices, ["cat", "dog"]);
        assert!(fields[0].required && !fields[1].required);
        assert_eq!(fields[1].kind(), AnswerFieldKind::Free);
        assert_eq!(project.aggregation(), Aggregation::Unspecified);
        let policy = project.lease_policy.as_ref().unwrap();
        assert_eq!(policy.duration.unwrap().seconds, 600);
        assert_eq!(policy.late(), LatePolicy::Refuse);
        assert_eq!(project.assignment(), Assignment::WorkerPicks);
        let requirements = project.requirements.as_ref().unwrap();
        assert_eq!((requirements.min_rating, requirements.skills[0].min_level), (70, 50));
        assert_eq!(project.newcomers.as_ref().unwrap().mode(), NewcomerMode::Limit);
        assert_eq!(project.reward.as_ref().unwrap().micros, 50_000);
        assert_eq!(project.labels["batch"], "7");
        assert_eq!((project.tier, project.grants_per_minute), (Some(0), 90));
        let steps: Vec<_> = project.relaxation.iter().map(|s| s.requirements.as_ref()).collect();
        let [Some(first), Some(second)] = steps[..] else { panic!("{steps:?}") };
        assert_eq!((first.min_rating, first.skills[0].min_level), (60, 20));
        assert_eq!((first.quota_per_worker, second.quota_per_worker), (9, 9));
        assert_eq!((second.min_rating, second.skills.len()), (0, 0));
    }

    #[test]
    fn every_kind_of_field_has_its_flag() {
        use AnswerFieldKind::{Boolean, Choice, Free, MultiChoice, Number, Text};
        let project = request(
            "cats --requester acme --choices label=cat,dog --some seen=tail,ears --boolean sure \
             --number age=0..30~0.5 --text name --free notes --aggregation collect",
        );
        let project = project.unwrap().project.unwrap();
        let fields = project.schema.as_ref().unwrap().fields.iter();
        let fields: Vec<_> = fields.map(|f| (f.name.as_str(), f.kind(), f.required)).collect();
        let expected = [
            ("label", Choice, true),
            ("seen", MultiChoice, true),
            ("sure", Boolean, true),
            ("age", Number, true),
            ("name", Text, true),
            ("notes", Free, false),
        ];
        assert_eq!(fields, expected);
        assert_eq!(project.aggregation(), Aggregation::Collect);
    }

    #[test]
    fn a_schema_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let schema = r#"{"fields":[{"name":"age","kind":"ANSWER_FIELD_KIND_NUMBER","least":0}]}"#;
        std::fs::write(path, schema).unwrap();
        let line = format!("cats --requester acme --schema {path}");
        let project = request(&line).unwrap().project.unwrap();
        let field = &project.schema.unwrap().fields[0];
        assert_eq!((field.kind(), field.least), (AnswerFieldKind::Number, Some(0.0)));
        assert!(request(&format!("{line} --free notes")).is_err());
        std::fs::write(path, r#"{"field":[]}"#).unwrap();
        let error = request(&line).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{path}:1:")), "{error}");
    }

    #[test]
    fn what_is_not_said_is_left_to_the_daemon() {
        let project = request("projects/cats --requester acme").unwrap().project.unwrap();
        assert!(project.schema.is_none() && project.lease_policy.is_none());
        assert!(project.requirements.is_none() && project.newcomers.is_none());
        assert_eq!((project.overlap, project.assignment, project.tier), (0, 0, None));
    }

    #[test]
    fn a_file_replaces_the_flags() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(path, r#"{"requester":"requesters/a","title":"T","overlap":5}"#).unwrap();
        let project = request(&format!("cats --file {path}")).unwrap().project.unwrap();
        assert_eq!((project.requester.as_str(), project.overlap), ("requesters/a", 5));
        assert!(request(&format!("cats --file {path} --overlap 3")).is_err());
        assert!(request(&format!("cats --file {path} --tier 3")).is_err());
        assert!(request(&format!("cats --file {path} --text name")).is_err());
        std::fs::write(path, "{\n \"overlapp\": 5}").unwrap();
        let error = request(&format!("cats --file {path}")).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{path}:2:")) && error.contains("overlapp"), "{error}");
    }
}
