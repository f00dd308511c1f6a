//! The demo's crowd: who answers well, badly, late or not at all.
//!
//! Each worker is a task of its own that talks to the daemon like any client:
//! it draws a bundle of leases, takes its time and submits.

use std::time::Duration;

use anyhow::{Context, Result};
use piecework_client::proto::v1::submit_answer_result::Outcome;
use piecework_client::proto::v1::{
    Answer, Lease, LeaseRequest, LeaseState, SubmitAnswersRequest, Verdict, WorkerKind,
};
use piecework_client::{Client, Retry, from_proto, request_id, to_proto};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::images;

/// How workers behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Careful,
    Sloppy,
    Spammer,
    Model,
    /// Answers well, but only when its time is over.
    Late,
    /// Takes leases and is never heard of again.
    Vanishing,
}

/// One worker.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// `workers/{worker}`.
    pub(super) name: String,
    pub(super) manner: Manner,
    number: u32,
}

/// What one worker did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Answers that counted.
    pub(super) counted: u64,
    /// Of those, the right ones.
    pub(super) correct: u64,
    /// Late answers that were refused, since others had been faster.
    pub(super) refused_late: u64,
}

impl Manner {
    pub(super) const ALL: [Self; 6] =
        [Self::Careful, Self::Sloppy, Self::Spammer, Self::Model, Self::Late, Self::Vanishing];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Careful => "careful",
            Self::Sloppy => "sloppy",
            Self::Spammer => "spammer",
            Self::Model => "ai-model",
            Self::Late => "late",
            Self::Vanishing => "vanishing",
        }
    }

    pub(super) fn kind(self) -> WorkerKind {
        if self == Self::Model { WorkerKind::Ai } else { WorkerKind::Human }
    }

    fn members(self) -> u32 {
        match self {
            Self::Careful => 4,
            Self::Sloppy => 3,
            Self::Vanishing => 2,
            Self::Spammer | Self::Model | Self::Late => 1,
        }
    }

    fn right_of_1000(self) -> u64 {
        match self {
            Self::Careful => 970,
            Self::Model => 930,
            Self::Late => 950,
            Self::Sloppy => 820,
            // Says anything.
            Self::Spammer | Self::Vanishing => 250,
        }
    }

    fn bundle(self) -> u32 {
        if self == Self::Late { 10 } else { 20 }
    }

    /// How long a bundle takes; for the late one, counted from the end of its leases.
    fn pace(self) -> Duration {
        Duration::from_millis(match self {
            Self::Careful => 180,
            Self::Sloppy => 120,
            Self::Spammer => 90,
            Self::Model => 60,
            Self::Late => 60,
            Self::Vanishing => 0,
        })
    }
}

/// Everybody, the vanishing first, so that their leases run out while others work.
pub(super) fn members() -> Vec<Member> {
    let mut members = Vec::new();
    for manner in Manner::ALL.into_iter().rev() {
        for index in 1..=manner.members() {
            let number = u32::try_from(members.len()).unwrap_or(u32::MAX);
            let name = format!("workers/{}-{index}", manner.name());
            members.push(Member { name, manner, number });
        }
    }
    members
}

/// Works in `project` until `done` says true.
///
/// # Errors
/// The daemon is gone, or refuses what it should not.
pub(super) async fn work(
    member: Member,
    client: Client,
    project: String,
    mut done: watch::Receiver<bool>,
) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        let turn = turn(&member, &client, &project, &mut tally);
        tokio::select! {
            turned = turn => turned.with_context(|| format!("{} cannot go on", member.name))?,
            _ = done.wait_for(|done| *done) => return Ok(tally),
        }
    }
}

async fn turn(member: &Member, client: &Client, project: &str, tally: &mut Tally) -> Result<()> {
    let request = LeaseRequest {
        worker: member.name.clone(),
        count: member.manner.bundle(),
        wait: Some(to_proto(Duration::from_secs(1))),
        request_id: request_id(),
        projects: vec![project.to_owned()],
        ..LeaseRequest::default()
    };
    let retry = Retry::within(Duration::from_secs(5));
    let reply = retry
        .send(&client.dispatch(), &request, |mut s, r| async move { s.lease(r).await })
        .await?;
    let received = Instant::now();
    let leases: Vec<Lease> =
        reply.leases.into_iter().filter(|lease| lease.state() == LeaseState::Live).collect();
    let Some(first) = leases.first() else { return Ok(()) };
    let until = received + from_proto(first.remaining);
    match member.manner {
        Manner::Vanishing => {
            sleep_until(until + Duration::from_millis(500)).await;
            return Ok(());
        }
        Manner::Late => sleep_until(until + member.manner.pace()).await,
        _ => sleep(member.manner.pace()).await,
    }
    submit(member, client, &leases, tally).await
}

async fn submit(
    member: &Member,
    client: &Client,
    leases: &[Lease],
    tally: &mut Tally,
) -> Result<()> {
    let mut said = Vec::new();
    let mut answers = Vec::new();
    for lease in leases {
        let image = images::image_of(&lease.payload).context("a payload that is not ours")?;
        let seen = images::seen_by(member.number, member.manner.right_of_1000(), image);
        said.push(seen == images::truth(image));
        let answer = images::answer(seen);
        answers.push(Answer { lease: lease.name.clone(), answer, content_type: String::new() });
    }
    let request = SubmitAnswersRequest { worker: member.name.clone(), answers, next: None };
    let reply = Retry::within(Duration::from_secs(5))
        .send(&client.dispatch(), &request, |mut s, r| async move { s.submit_answers(r).await })
        .await?;
    for (result, is_right) in reply.results.into_iter().zip(said) {
        match result.outcome {
            Some(Outcome::Receipt(receipt)) => {
                let counted = matches!(receipt.verdict(), Verdict::Counted | Verdict::CountedLate);
                tally.counted += u64::from(counted);
                tally.correct += u64::from(counted && is_right);
            }
            Some(Outcome::Error(_)) => tally.refused_late += 1,
            None => {}
        }
    }
    Ok(())
}
