//! Submissions: answers and the facts about them.
//!
//! An answer's content is not kept: it is its bytes, taken apart by the edge for the
//! engine, which keeps values and meaning in the lease. Keeping it would double every
//! answer on disk and in the journal; a reader gets none, and the fingerprint for both.

use bytes::Bytes;
use piecework_core::schema::{Answer, Content};
use piecework_core::submission::{Review, Submission, Verdict};
use piecework_core::{LeaseId, Millis, Revision, WallTime, WorkerId};
use piecework_proto::storage::v1 as pb;

use super::super::together::GivenAnswer;
use super::terms::{read_money, write_money};
use super::{Misread, halves, have, parse, whole};

pub(crate) fn write_submission(submission: &Submission) -> pb::Submission {
    let (answer_low, answer_high) = halves(submission.answer.fingerprint);
    let review = match submission.review {
        Review::None => pb::Review::None,
        Review::Pending => pb::Review::Pending,
        Review::Accepted => pb::Review::Accepted,
        Review::Rejected => pb::Review::Rejected,
        Review::Revise => pb::Review::Revise,
    };
    pb::Submission {
        worker: submission.worker.0,
        revision: submission.revision.0,
        answer: submission.answer.bytes.clone().into(),
        content_type: submission.answer.content_type.clone(),
        answer_low,
        answer_high,
        verdict: write_verdict(submission.verdict).into(),
        review: review.into(),
        counted: submission.counted,
        payable: Some(write_money(submission.payable)),
        leased_wall_ms: submission.leased.0,
        submitted_wall_ms: submission.submitted.0,
        took_ms: submission.took.0,
        nth: submission.nth,
    }
}

pub(crate) fn read_submission(
    lease: LeaseId,
    message: pb::Submission,
) -> Result<Submission, Misread> {
    let review = match message.review() {
        pb::Review::None => Some(Review::None),
        pb::Review::Pending => Some(Review::Pending),
        pb::Review::Accepted => Some(Review::Accepted),
        pb::Review::Rejected => Some(Review::Rejected),
        pb::Review::Revise => Some(Review::Revise),
        pb::Review::Unspecified => None,
    };
    Ok(Submission {
        lease,
        worker: WorkerId(message.worker),
        revision: Revision(message.revision),
        verdict: read_verdict("verdict", message.verdict())?,
        review: have("review", review)?,
        counted: message.counted,
        leased: WallTime(message.leased_wall_ms),
        submitted: WallTime(message.submitted_wall_ms),
        took: Millis(message.took_ms),
        nth: message.nth,
        answer: Answer {
            bytes: message.answer.into(),
            content_type: message.content_type,
            content: Content::Other,
            fingerprint: whole(message.answer_low, message.answer_high),
            meaning: whole(message.answer_low, message.answer_high),
        },
        payable: read_money("payable", message.payable)?,
    })
}

/// What a submission says, without the facts about it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Given {
    #[prost(uint32, tag = "2")]
    revision: u32,
    #[prost(bytes = "vec", tag = "3")]
    answer: Vec<u8>,
    #[prost(string, tag = "4")]
    content_type: String,
}

pub(crate) fn read_given(message: Given) -> GivenAnswer {
    GivenAnswer {
        revision: Revision(message.revision),
        bytes: message.answer,
        content_type: message.content_type,
    }
}

/// Whose answer a submission is, and the how-manieth: its derived row.
pub(crate) fn read_answer_of(key: &[u8], value: &Bytes) -> Result<(WorkerId, u32), Misread> {
    let message: pb::Submission = parse(key, value)?;
    Ok((WorkerId(message.worker), message.nth))
}

pub(super) fn write_verdict(verdict: Verdict) -> pb::Verdict {
    match verdict {
        Verdict::Counted => pb::Verdict::Counted,
        Verdict::CountedLate => pb::Verdict::CountedLate,
        Verdict::KeptPayable => pb::Verdict::KeptPayable,
        Verdict::KeptUnpaid => pb::Verdict::KeptUnpaid,
    }
}

pub(super) fn read_verdict(field: &'static str, verdict: pb::Verdict) -> Result<Verdict, Misread> {
    match verdict {
        pb::Verdict::Counted => Ok(Verdict::Counted),
        pb::Verdict::CountedLate => Ok(Verdict::CountedLate),
        pb::Verdict::KeptPayable => Ok(Verdict::KeptPayable),
        pb::Verdict::KeptUnpaid => Ok(Verdict::KeptUnpaid),
        pb::Verdict::Unspecified => Err(Misread::Field { field }),
    }
}
