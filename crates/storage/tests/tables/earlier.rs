//! Samples as the first release would have had them.

use std::sync::Arc;

use piecework_core::EngineTime;
use piecework_core::change::Change;
use piecework_core::event::{Event, Fell, Method, ResultAnswer, ResultValue, TaskResult, What};
use piecework_core::lease::{Judged, Lease, LeaseState};
use piecework_core::limits::{TIER_DEFAULT, WEIGHT_DEFAULT};
use piecework_core::project::{Aggregation, Terms};
use piecework_core::quality::{Basis, Published, Rating, Record, Weighed};
use piecework_core::schema::{FieldKind, Value};

/// Without what the first release did not know: its defaults.
pub(crate) fn earlier(mut change: Change) -> Change {
    answered_earlier(&mut change);
    match &mut change {
        Change::Requester(requester) => {
            requester.weight = WEIGHT_DEFAULT;
            requester.tier_ceiling = 0;
            requester.grants_per_minute = 0;
            requester.blocked_workers.clear();
            requester.allowed_workers.clear();
        }
        Change::Project(project) => {
            project.spec.tier = TIER_DEFAULT;
            project.spec.grants_per_minute = 0;
            project.spec.relaxation.clear();
            project.spec.dynamic = None;
            project.spec.requirements.rating_basis = Basis::Mean;
        }
        Change::ProjectTally(tally) => {
            (tally.requester_time, tally.p75_ms, tally.p50_ms) = (0, 0, 0);
            tally.waiting_since = EngineTime(0);
        }
        Change::Task(task) => {
            (task.order.size_class, task.order.duration_class, task.order.most) = (0, 0, 0);
            (task.said, task.resolved) = (None, false);
        }
        Change::Specs(specs) => {
            specs.iter_mut().for_each(|spec| Arc::make_mut(spec).order.most = 0);
        }
        Change::Event(event) => {
            if let What::Result(result) = &mut event.what {
                result.method = match result.votes.is_empty() {
                    true => Method::First,
                    false => Method::Majority,
                };
            }
        }
        Change::Lease(lease) => lease.claim_by = None,
        Change::WorkerRecord(record) => {
            let Rating { record: evidence, published, .. } = record.rating;
            record.rating = Rating {
                record: Record::of_counts(evidence.judged(), evidence.agreed),
                as_of: if evidence.judged() == 0 { EngineTime(0) } else { record.idle_since },
                published: Published { bulletin: None, ..published },
            };
        }
        Change::WorkTally(tally) => tally.p75_ms = 0,
        _ => {}
    }
    change
}

/// What answers of the kinds that came later say in their place.
fn answered_earlier(change: &mut Change) {
    match change {
        Change::Project(project) => terms_earlier(&mut project.spec.terms),
        Change::Terms(pinned) => terms_earlier(&mut pinned.terms),
        Change::Lease(lease) => lease_earlier(lease),
        Change::Event(event) => event_earlier(event),
        _ => {}
    }
}

fn terms_earlier(terms: &mut Terms) {
    for field in &mut terms.schema.fields {
        if !matches!(field.kind, FieldKind::Choice(_)) {
            field.kind = FieldKind::Free;
        }
    }
    if terms.aggregation == Aggregation::Collect {
        terms.aggregation = Aggregation::Majority;
    }
}

fn lease_earlier(lease: &mut Lease) {
    if let LeaseState::Submitted(submitted) = &mut lease.state {
        submitted.meaning = submitted.answer;
        // Judged for certain, and in no skill area.
        submitted.judged = submitted.judged.take().map(|judged| Judged {
            says: Weighed { weight: 1_000, ..judged.says },
            areas: Vec::new(),
        });
        for value in &mut submitted.values {
            value.take_if(|value| !matches!(value, Value::Choice(_)));
        }
    }
}

fn event_earlier(event: &mut Event) {
    let What::Result(result) = &mut event.what else { return };
    let TaskResult { answer, votes, .. } = &mut **result;
    if let Some(ResultAnswer::Values { values, .. }) = answer {
        for value in values {
            value.take_if(|value| !matches!(value, ResultValue::Choice(_)));
        }
    }
    for votes in votes {
        votes.fell = Fell::Classes(vec![(0, 1), (u16::MAX, u32::MAX)]);
    }
}
