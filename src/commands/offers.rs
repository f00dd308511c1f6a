//! `offers --worker W`: what is open to a worker, before it commits itself.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use piecework_client::proto::v1::{ListOffersRequest, Money};
use piecework_client::to_proto;

use crate::names;
use crate::quantities::{duration, hourly, size};
use crate::session::{Session, answer};

/// Show what is open to a worker: pay, pay an hour, how much waits, or what it lacks
#[derive(Debug, Args)]
pub(crate) struct Offers {
    /// For whom
    #[arg(long)]
    worker: String,
    #[command(flatten)]
    wishes: Wishes,
    /// Only of this project; several times
    #[arg(long = "project", value_name = "PROJECT")]
    projects: Vec<String>,
}

/// What a worker asks of the work it gets.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Wishes {
    /// Never from this project; several times
    #[arg(long = "not", value_name = "PROJECT")]
    pub(crate) not: Vec<String>,
    /// No payload larger than this, such as `20k`
    #[arg(long, value_name = "BYTES", value_parser = size)]
    pub(crate) max_payload: Option<u32>,
    /// At least so much an hour, such as `9.50`, in the currency that is paid
    #[arg(long, value_name = "AMOUNT", value_parser = hourly)]
    pub(crate) min_hourly: Option<i64>,
    /// Only what can be finished in so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) within: Option<Duration>,
}

impl Wishes {
    /// Full names of the projects left out.
    pub(crate) fn except(&self) -> Result<Vec<String>> {
        self.not.iter().map(|project| names::project(project)).collect()
    }

    /// The least pay an hour.
    pub(crate) fn min_hourly(&self) -> Option<Money> {
        self.min_hourly.map(|micros| Money { micros, currency: String::new() })
    }
}

impl Offers {
    /// Prints them all.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let projects: Result<Vec<_>> = self.projects.iter().map(|p| names::project(p)).collect();
        let mut request = ListOffersRequest {
            worker: names::worker(&self.worker)?,
            projects: projects?,
            except_projects: self.wishes.except()?,
            max_payload_bytes: self.wishes.max_payload.unwrap_or_default(),
            min_hourly: self.wishes.min_hourly(),
            within: self.wishes.within.map(to_proto),
            page_size: 1_000,
            ..ListOffersRequest::default()
        };
        let mut offers = Vec::new();
        loop {
            let page = answer(session.client.dispatch().list_offers(request.clone()).await)?;
            offers.extend(page.offers);
            if page.truncated {
                eprintln!("more than 10,000 projects: not all were looked at");
            }
            if page.next_page_token.is_empty() {
                return session.output().list(&offers);
            }
            request.page_token = page.next_page_token;
        }
    }
}
