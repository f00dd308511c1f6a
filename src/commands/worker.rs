//! `worker create | update | get | list | grant | revoke | suspend | reinstate | rating`.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use piecework_client::proto::v1::{
    CreateWorkerRequest, GetWorkerRequest, GrantSkillRequest, ListWorkersRequest,
    ReinstateWorkerRequest, RevokeSkillRequest, SuspendWorkerRequest, UpdateWorkerRequest, Worker,
    WorkerKind,
};
use piecework_client::to_proto;
use prost_types::FieldMask;

use crate::commands::rating::Rating;
use crate::failure::input;
use crate::names;
use crate::quantities::{duration, pair, skill};
use crate::session::{Session, answer};

/// Those who answer
#[derive(Debug, Subcommand)]
pub(crate) enum Workers {
    /// Create a worker
    Create(Create),
    /// Change how much a worker may hold, or where it is
    Update(Update),
    /// Show one worker
    Get {
        /// Its id
        worker: String,
    },
    /// List workers
    List(List),
    /// Grant a skill, or change its level
    Grant(Grant),
    /// Take a skill away
    Revoke {
        /// The worker's id
        worker: String,
        /// The skill, such as `lang:fi`
        skill: String,
    },
    /// Give a worker no more work and revoke its leases
    Suspend {
        /// Its id
        worker: String,
        /// Why; shown to the worker
        #[arg(long)]
        reason: String,
    },
    /// Give a suspended worker work again
    Reinstate {
        /// Its id
        worker: String,
    },
    /// Show what its answers are worth, why, and which projects that opens
    Rating(Rating),
}

/// Create a worker
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its id: a pseudonym, not a name
    worker: String,
    /// A person or an AI model
    #[arg(long, value_enum, default_value = "human")]
    kind: Kind,
    /// Leases it may hold at a time; by default 3, or 1 for a newcomer
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    capacity: u32,
    /// Where it is, such as `FI`
    #[arg(long, default_value = "", hide_default_value = true)]
    region: String,
    /// Accounts of one identity share this
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    identity_cluster: String,
    /// The requester that is the same person, whose tasks it is never given
    #[arg(long)]
    requester: Option<String>,
    /// A note on it; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

/// Change how much a worker may hold, or where it is
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its id
    worker: String,
    /// Leases it may hold at a time; 0: 3, or 1 for a newcomer
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// Where it is, such as `FI`
    #[arg(long)]
    region: Option<String>,
}

/// List workers
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only these
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only those that are `active`, or `suspended`
    #[arg(long, value_parser = ["active", "suspended"])]
    state: Option<String>,
}

/// Grant a skill, or change its level
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The worker's id
    worker: String,
    /// The skill and its level, 0 to 100, such as `lang:fi=50`
    #[arg(value_name = "SKILL=LEVEL", value_parser = skill)]
    skill: (String, u32),
    /// For how long it counts; by default for ever
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    expire_in: Option<Duration>,
}

/// What a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A person
    Human,
    /// An AI model
    Ai,
}

impl Kind {
    /// As the API writes it.
    pub(crate) fn to_proto(self) -> WorkerKind {
        match self {
            Self::Human => WorkerKind::Human,
            Self::Ai => WorkerKind::Ai,
        }
    }
}

impl Workers {
    /// Does it and prints what came of it.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let mut workers = session.client.workers();
        let worker = match self {
            Self::List(list) => return list.run(session).await,
            Self::Rating(rating) => return rating.run(session).await,
            Self::Create(create) => {
                answer(workers.create_worker(create.into_request()?).await)?.worker
            }
            Self::Update(update) => {
                answer(workers.update_worker(update.into_request()?).await)?.worker
            }
            Self::Get { worker } => {
                let name = names::worker(&worker)?;
                let request = GetWorkerRequest { name, min_position: String::new() };
                answer(workers.get_worker(request).await)?.worker
            }
            Self::Grant(grant) => answer(workers.grant_skill(grant.into_request()?).await)?.worker,
            Self::Revoke { worker, skill } => {
                let request = RevokeSkillRequest { name: names::worker(&worker)?, skill };
                answer(workers.revoke_skill(request).await)?.worker
            }
            Self::Suspend { worker, reason } => {
                let request = SuspendWorkerRequest { name: names::worker(&worker)?, reason };
                answer(workers.suspend_worker(request).await)?.worker
            }
            Self::Reinstate { worker } => {
                let request = ReinstateWorkerRequest { name: names::worker(&worker)? };
                answer(workers.reinstate_worker(request).await)?.worker
            }
        };
        session.output().one(&worker.unwrap_or_default())
    }
}

impl Create {
    fn into_request(self) -> Result<CreateWorkerRequest> {
        let requester = self.requester.as_deref().map(names::requester).transpose()?;
        Ok(CreateWorkerRequest {
            worker_id: names::id(&names::worker(&self.worker)?).to_owned(),
            request_id: String::new(),
            worker: Some(Worker {
                kind: self.kind.to_proto().into(),
                capacity: self.capacity,
                region: self.region,
                identity_cluster: self.identity_cluster,
                requester: requester.unwrap_or_default(),
                labels: self.labels.into_iter().collect(),
                ..Worker::default()
            }),
        })
    }
}

impl Update {
    fn into_request(self) -> Result<UpdateWorkerRequest> {
        let said = [("capacity", self.capacity.is_some()), ("region", self.region.is_some())];
        let paths = said.into_iter().filter(|(_, said)| *said).map(|(path, _)| path.to_owned());
        let paths: Vec<String> = paths.collect();
        if paths.is_empty() {
            return Err(input("nothing to change; say --capacity or --region"));
        }
        Ok(UpdateWorkerRequest {
            worker: Some(Worker {
                name: names::worker(&self.worker)?,
                capacity: self.capacity.unwrap_or_default(),
                region: self.region.unwrap_or_default(),
                ..Worker::default()
            }),
            update_mask: Some(FieldMask { paths }),
            allow_missing: false,
        })
    }
}

impl Grant {
    fn into_request(self) -> Result<GrantSkillRequest> {
        let (skill, level) = self.skill;
        Ok(GrantSkillRequest {
            name: names::worker(&self.worker)?,
            skill,
            level,
            expire_in: self.expire_in.map(to_proto),
        })
    }
}

impl List {
    async fn run(self, session: &Session) -> Result<()> {
        let mut terms = Vec::new();
        if let Some(kind) = self.kind {
            terms.push(format!("kind = {}", if kind == Kind::Ai { "AI" } else { "HUMAN" }));
        }
        if let Some(state) = &self.state {
            terms.push(format!("state = {}", state.to_ascii_uppercase()));
        }
        let filter = terms.join(" AND ");
        let mut request =
            ListWorkersRequest { page_size: 1_000, filter, ..ListWorkersRequest::default() };
        let mut found = Vec::new();
        loop {
            let page = answer(session.client.workers().list_workers(request.clone()).await)?;
            found.extend(page.workers);
            if page.next_page_token.is_empty() {
                return session.output().list(&found);
            }
            request.page_token = page.next_page_token;
        }
    }
}
