//! A worker that answers what it holds and gets the next in the same call.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use piecework_client::Client;
use piecework_client::proto::v1::dispatch_service_client::DispatchServiceClient;
use piecework_client::proto::v1::submit_answer_result::Outcome;
use piecework_client::proto::v1::{
    Answer, Lease, LeaseRequest, NextLease, Receipt, SubmitAnswersRequest, Verdict,
};
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::session::answer;

/// Two answers, made once for all.
const ANSWERS: [Bytes; 2] =
    [Bytes::from_static(br#"{"label":"a"}"#), Bytes::from_static(br#"{"label":"b"}"#)];
/// One answer in so many is another than the rest.
const OTHER_EVERY: u64 = 8;

/// The answer under the how-manieth lease.
pub(super) fn answer_to(number: u64, lease: String) -> Answer {
    let which = usize::from(number % OTHER_EVERY == OTHER_EVERY - 1);
    Answer { lease, answer: ANSWERS[which].clone(), content_type: String::new() }
}

/// Whether an answer counted.
pub(super) fn counts(receipt: &Receipt) -> bool {
    matches!(receipt.verdict(), Verdict::Counted | Verdict::CountedLate)
}

/// One worker and what it holds.
#[derive(Debug)]
pub(super) struct Submitter {
    dispatch: DispatchServiceClient<Channel>,
    worker: String,
    leases: Vec<String>,
    /// Leases it asks for at a time.
    size: u32,
    answered: u64,
    /// Why it holds nothing.
    empty: String,
}

/// What came of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    /// Answers that count.
    pub(super) counted: u64,
    /// Answers that do not.
    pub(super) refused: u64,
    /// From the call to its reply.
    pub(super) took: Duration,
}

impl Submitter {
    /// Leases the first. `number`: which one of the workers it is.
    pub(super) async fn begin(
        client: &Client,
        worker: String,
        size: u32,
        number: u64,
    ) -> Result<Self> {
        let (dispatch, answered) = (client.dispatch(), number);
        let (leases, empty) = (Vec::new(), String::new());
        let mut begun = Self { dispatch, worker, leases, size, answered, empty };
        begun.ask().await?;
        Ok(begun)
    }

    /// Leases, while it holds nothing.
    pub(super) async fn ask(&mut self) -> Result<()> {
        let (worker, count) = (self.worker.clone(), self.size);
        let request = LeaseRequest { worker, count, ..LeaseRequest::default() };
        let reply = answer(self.dispatch.lease(request).await)?;
        (self.leases, self.empty) = (names(reply.leases), reply.empty_reason);
        Ok(())
    }

    /// Why it holds nothing; none while it does.
    pub(super) fn is_empty(&self) -> Option<&str> {
        self.leases.is_empty().then_some(self.empty.as_str())
    }

    /// Answers all it holds and takes the next.
    pub(super) async fn round(&mut self) -> Result<Round> {
        let answers = self.leases.drain(..).zip(self.answered..);
        let answers: Vec<Answer> = answers.map(|(lease, n)| answer_to(n, lease)).collect();
        self.answered += answers.len() as u64;
        let next = NextLease { count: self.size, ..NextLease::default() };
        let request =
            SubmitAnswersRequest { worker: self.worker.clone(), answers, next: Some(next) };
        let begun = Instant::now();
        let reply = answer(self.dispatch.submit_answers(request).await)?;
        let took = begun.elapsed();
        let mut round = Round { counted: 0, refused: 0, took };
        for result in &reply.results {
            match &result.outcome {
                Some(Outcome::Receipt(receipt)) if counts(receipt) => round.counted += 1,
                _ => round.refused += 1,
            }
        }
        let next = reply.next.context("a reply does not tell of the next leases")?;
        if let Some(refused) = next.error {
            bail!("the next leases were refused: {}", refused.message);
        }
        (self.leases, self.empty) = (names(next.leases), next.empty_reason);
        Ok(round)
    }
}

fn names(leases: Vec<Lease>) -> Vec<String> {
    leases.into_iter().map(|lease| lease.name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::setup::CHOICES;
    use super::*;

    #[test]
    fn every_answer_is_one_of_the_choices_and_some_are_the_other() {
        let answers: Vec<Answer> = (0..16).map(|n| answer_to(n, String::new())).collect();
        let said = |answer: &Answer| {
            let said: serde_json::Value = serde_json::from_slice(&answer.answer).unwrap();
            said["label"].as_str().unwrap().to_owned()
        };
        let said: Vec<String> = answers.iter().map(said).collect();
        assert!(said.iter().all(|said| CHOICES.contains(&said.as_str())));
        assert_eq!(said.iter().filter(|said| *said == "b").count(), 2);
    }
}
