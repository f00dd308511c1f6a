//! `requester create | update | get | list`.

use anyhow::Result;
use clap::{Args, Subcommand};
use piecework_client::proto::v1::{
    CreateRequesterRequest, GetRequesterRequest, ListRequestersRequest, Requester,
    UpdateRequesterRequest,
};
use prost_types::FieldMask;

use crate::failure::input;
use crate::names;
use crate::quantities::pair;
use crate::session::{Session, answer};

/// Those who have work done
#[derive(Debug, Subcommand)]
pub(crate) enum Requesters {
    /// Create a requester
    Create(Create),
    /// Change its share of the grants, or who gets its work
    Update(Update),
    /// Show one requester
    Get {
        /// Its id
        requester: String,
    },
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
    #[command(flatten)]
    share: Share,
}

/// Change its share of the grants, or who gets its work
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its id
    requester: String,
    /// Name shown to operators
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    share: Share,
    /// A worker to block no more; several times
    #[arg(long, value_name = "WORKER")]
    unblock: Vec<String>,
    /// A worker to take off the list of those allowed; several times
    #[arg(long, value_name = "WORKER")]
    disallow: Vec<String>,
}

/// How much it gets, and who gets its work.
#[derive(Debug, Args)]
struct Share {
    /// Its share of the grants among the requesters of one tier, 1 to 10,000; by default 100
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u32).range(1..))]
    weight: Option<u32>,
    /// The best (smallest) tier its projects may use, 0 to 4; by default 0
    #[arg(long, value_name = "TIER")]
    tier_ceiling: Option<u32>,
    /// Grants a minute of all its projects, evenly spaced; 0 and by default: no limit
    #[arg(long, value_name = "N")]
    grants_per_minute: Option<u32>,
    /// A worker who gets none of its work, known yet or not; several times
    #[arg(long, value_name = "WORKER")]
    block: Vec<String>,
    /// A worker who gets its work, and from then on only such workers; several times
    #[arg(long, value_name = "WORKER")]
    allow: Vec<String>,
}

impl Requesters {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::Update(update) => update.run(session).await,
            Self::Get { requester } => {
                session.output().one(&get(session, names::requester(&requester)?).await?)
            }
            Self::List => session.output().list(&all(session).await?),
        }
    }
}

impl Create {
    async fn run(self, session: &Session) -> Result<()> {
        let requester_id = names::id(&names::requester(&self.requester)?).to_owned();
        let mut requester = Requester {
            display_name: self.display_name.unwrap_or_default(),
            labels: self.labels.into_iter().collect(),
            ..Requester::default()
        };
        self.share.put(&mut requester)?;
        let request = CreateRequesterRequest {
            requester: Some(requester),
            requester_id,
            request_id: String::new(),
        };
        let reply = answer(session.client.requesters().create_requester(request).await)?;
        session.output().one(&reply.requester.unwrap_or_default())
    }
}

impl Update {
    /// Reads the requester first, since its lists go as a whole, and changes it
    /// unless somebody else did in between.
    async fn run(self, session: &Session) -> Result<()> {
        let mut requester = get(session, names::requester(&self.requester)?).await?;
        let mut said = self.share.put(&mut requester)?;
        if let Some(display_name) = self.display_name {
            requester.display_name = display_name;
            said.push("display_name");
        }
        if !self.unblock.is_empty() {
            remove(&mut requester.blocked_workers, &self.unblock)?;
            said.push("blocked_workers");
        }
        if !self.disallow.is_empty() {
            remove(&mut requester.allowed_workers, &self.disallow)?;
            said.push("allowed_workers");
        }
        if said.is_empty() {
            return Err(input("nothing to change; say --weight, --block, or another flag"));
        }
        let paths = said.into_iter().map(str::to_owned).collect();
        let request = UpdateRequesterRequest {
            requester: Some(requester),
            update_mask: Some(FieldMask { paths }),
        };
        let reply = answer(session.client.requesters().update_requester(request).await)?;
        session.output().one(&reply.requester.unwrap_or_default())
    }
}

impl Share {
    /// Puts what was said into a requester, and adds to its lists. Returns the
    /// fields that were said.
    fn put(&self, requester: &mut Requester) -> Result<Vec<&'static str>> {
        let mut said = Vec::new();
        if let Some(weight) = self.weight {
            requester.weight = weight;
            said.push("weight");
        }
        if let Some(ceiling) = self.tier_ceiling {
            requester.tier_ceiling = ceiling;
            said.push("tier_ceiling");
        }
        if let Some(grants) = self.grants_per_minute {
            requester.grants_per_minute = grants;
            said.push("grants_per_minute");
        }
        if !self.block.is_empty() {
            add(&mut requester.blocked_workers, &self.block)?;
            said.push("blocked_workers");
        }
        if !self.allow.is_empty() {
            add(&mut requester.allowed_workers, &self.allow)?;
            said.push("allowed_workers");
        }
        Ok(said)
    }
}

fn add(list: &mut Vec<String>, workers: &[String]) -> Result<()> {
    for worker in workers {
        let name = names::worker(worker)?;
        if !list.contains(&name) {
            list.push(name);
        }
    }
    Ok(())
}

fn remove(list: &mut Vec<String>, workers: &[String]) -> Result<()> {
    for worker in workers {
        let name = names::worker(worker)?;
        list.retain(|listed| *listed != name);
    }
    Ok(())
}

async fn get(session: &Session, name: String) -> Result<Requester> {
    let request = GetRequesterRequest { name, min_position: String::new() };
    let reply = answer(session.client.requesters().get_requester(request).await)?;
    Ok(reply.requester.unwrap_or_default())
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
