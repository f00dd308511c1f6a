//! Submissions as their requester sees them, and receipts.

use piecework_core::ClientId;
use piecework_core::project::{LateExtra, Terms};
use piecework_core::submission::{Receipt, Review, Submission, Verdict};
use piecework_core::worker::WorkerKind;
use piecework_proto::v1;

use crate::wire::names;
use crate::wire::to_wire::{duration, kind, money, timestamp};

/// A submission as it is now. `task`: its task's name. `worker`: who gave it.
/// `terms`: those of its revision.
pub(crate) fn submission(
    submission: Submission,
    task: String,
    worker: &(ClientId, WorkerKind),
    terms: &Terms,
) -> v1::Submission {
    let reason = counted_reason(&submission, terms);
    v1::Submission {
        name: names::of_submission(submission.lease),
        task,
        worker: names::of_worker(&worker.0),
        worker_kind: kind(worker.1).into(),
        lease: names::of_lease(submission.lease),
        answer: submission.answer.bytes.into(),
        content_type: submission.answer.content_type,
        verdict: verdict(submission.verdict).into(),
        review: review(submission.review).into(),
        counted: submission.counted,
        counted_reason: reason.into(),
        payable: money(submission.payable),
        lease_time: Some(timestamp(submission.leased)),
        submit_time: Some(timestamp(submission.submitted)),
        work_duration: Some(duration(submission.took)),
    }
}

/// What the worker gets to keep.
pub(crate) fn receipt(receipt: &Receipt) -> v1::Receipt {
    v1::Receipt {
        submission: names::of_submission(receipt.lease),
        lease: names::of_lease(receipt.lease),
        verdict: verdict(receipt.verdict).into(),
        payable: money(receipt.payable),
        submit_time: Some(timestamp(receipt.submitted)),
    }
}

/// A kept and payable answer came to a task that had ended, unless the project
/// pays for late answers to full ones and this one was longer than a lease.
fn counted_reason(submission: &Submission, terms: &Terms) -> v1::CountedReason {
    let may_be_late =
        terms.lease.late_extra == LateExtra::KeepPayable && submission.took > terms.lease.duration;
    match submission.verdict {
        Verdict::Counted => v1::CountedReason::InTime,
        Verdict::CountedLate => v1::CountedReason::Late,
        Verdict::KeptUnpaid => v1::CountedReason::TaskFull,
        Verdict::KeptPayable if may_be_late => v1::CountedReason::TaskFull,
        Verdict::KeptPayable => v1::CountedReason::TaskEnded,
    }
}

fn verdict(verdict: Verdict) -> v1::Verdict {
    match verdict {
        Verdict::Counted => v1::Verdict::Counted,
        Verdict::CountedLate => v1::Verdict::CountedLate,
        Verdict::KeptPayable => v1::Verdict::KeptPayable,
        Verdict::KeptUnpaid => v1::Verdict::KeptUnpaid,
    }
}

fn review(review: Review) -> v1::Review {
    match review {
        Review::None => v1::Review::None,
        Review::Pending => v1::Review::Pending,
        Review::Accepted => v1::Review::Accepted,
        Review::Rejected => v1::Review::Rejected,
        Review::Revise => v1::Review::Revise,
    }
}
