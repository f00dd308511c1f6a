//! `project update`: other rules of who gets what, for grants from now on.

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::{GetProjectRequest, Project, UpdateProjectRequest};
use prost_types::FieldMask;

use super::fairness::Fairness;
use super::rules::Basis;
use crate::failure::input;
use crate::names;
use crate::session::{Session, answer};

/// Change which work goes first, how fast, and how requirements loosen
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its id
    project: String,
    #[command(flatten)]
    fairness: Fairness,
    /// The least rating of a worker from now on, 0 to 100; 0 asks for none
    #[arg(long, value_name = "RATING")]
    min_rating: Option<u32>,
    /// Which accuracy the least rating is compared with from now on
    #[arg(long, value_enum)]
    rating_basis: Option<Basis>,
    /// A region in which workers may be from now on, too; several times
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Loosen nothing any more
    #[arg(long, conflicts_with = "relax")]
    no_relax: bool,
}

/// Adds regions to what is asked at first and at every step that asks for regions: no
/// step may be stricter than the one before. False: nothing asks for any.
fn widen(project: &mut Project, regions: &[String]) -> bool {
    let first = project.requirements.as_mut();
    let steps = project.relaxation.iter_mut().filter_map(|step| step.requirements.as_mut());
    let mut asks = false;
    for needs in first.into_iter().chain(steps).filter(|needs| !needs.regions.is_empty()) {
        asks = true;
        let new = regions.iter().filter(|region| !needs.regions.contains(region));
        let new: Vec<String> = new.cloned().collect();
        needs.regions.extend(new);
    }
    asks
}

impl Update {
    /// Reads the project, whose kinds and quota each step repeats, and changes it
    /// unless somebody else did in between.
    pub(super) async fn run(self, session: &Session) -> Result<Option<Project>> {
        let mut projects = session.client.projects();
        let name = names::project(&self.project)?;
        let request = GetProjectRequest { name, min_position: String::new() };
        let mut project = answer(projects.get_project(request).await)?.project.unwrap_or_default();
        let mut said = self.fairness.put(&mut project);
        if self.no_relax {
            project.relaxation.clear();
            said.push("relaxation");
        }
        if let Some(rating) = self.min_rating {
            project.requirements.get_or_insert_default().min_rating = rating;
            said.push("requirements");
        }
        if let Some(basis) = self.rating_basis {
            project.requirements.get_or_insert_default().set_rating_basis(basis.to_proto());
            said.push("requirements");
        }
        if !self.regions.is_empty() {
            if !widen(&mut project, &self.regions) {
                return Err(input("every region is allowed already; --region would add nothing"));
            }
            said.extend(["requirements", "relaxation"]);
        }
        said.sort_unstable();
        said.dedup();
        if said.is_empty() {
            let flags =
                "--tier, --grants-per-minute, --min-rating, --rating-basis, --region or --relax";
            return Err(input(format!("nothing to change; say {flags}")));
        }
        let paths = said.into_iter().map(str::to_owned).collect();
        let request =
            UpdateProjectRequest { project: Some(project), update_mask: Some(FieldMask { paths }) };
        Ok(answer(projects.update_project(request).await)?.project)
    }
}
