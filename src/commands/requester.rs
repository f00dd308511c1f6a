//! `requester create | list`.

use anyhow::Result;
use clap::{Args, Subcommand};
use piecework_client::proto::v1::{CreateRequesterRequest, ListRequestersRequest, Requester};

use crate::names;
use crate::quantities::pair;
use crate::session::{Session, answer};

/// Those who have work done
#[derive(Debug, Subcommand)]
pub(crate) enum Requesters {
    /// Create a requester
    Create(Create),
    /// List all requesters
    List,
}

/// Create a requester
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its id, such as `acme`
    requester: String,
    /// Name shown to operators
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// A note on it; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

impl Requesters {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::List => session.output().list(&all(session).await?),
        }
    }
}

impl Create {
    async fn run(self, session: &Session) -> Result<()> {
        let requester_id = names::id(&names::requester(&self.requester)?).to_owned();
        let request = CreateRequesterRequest {
            requester: Some(Requester {
                display_name: self.display_name.unwrap_or_default(),
                labels: self.labels.into_iter().collect(),
                ..Requester::default()
            }),
            requester_id,
            request_id: String::new(),
        };
        let reply = answer(session.client.requesters().create_requester(request).await)?;
        session.output().one(&reply.requester.unwrap_or_default())
    }
}

async fn all(session: &Session) -> Result<Vec<Requester>> {
    let mut found = Vec::new();
    let mut request =
        ListRequestersRequest { page_size: 1_000, ..ListRequestersRequest::default() };
    loop {
        let page = answer(session.client.requesters().list_requesters(request.clone()).await)?;
        found.extend(page.requesters);
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}
