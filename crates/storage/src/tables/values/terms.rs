//! What a lease is granted under: aggregation, reward, lease policy.
//!
//! Not here: the fields of the schema (`schema.rs`).

use piecework_core::project::{Aggregation, Late, LateExtra, LeasePolicy, Terms};
use piecework_core::schema::Schema;
use piecework_core::{Currency, Millis, Money};
use piecework_proto::storage::v1 as pb;

use super::requester::{read_pairs, write_pairs};
use super::schema::{read_field, write_field};
use super::{Misread, have};

pub(crate) fn write_terms(terms: &Terms) -> pb::Terms {
    let aggregation = match terms.aggregation {
        Aggregation::First => pb::Aggregation::First,
        Aggregation::Majority => pb::Aggregation::Majority,
        Aggregation::Weighted => pb::Aggregation::Weighted,
        Aggregation::Online => pb::Aggregation::Online,
        Aggregation::Refined => pb::Aggregation::Refined,
        Aggregation::DawidSkene => pb::Aggregation::DawidSkene,
        Aggregation::Collect => pb::Aggregation::Collect,
    };
    pb::Terms {
        instructions: write_pairs(&terms.instructions),
        schema: terms.schema.fields.iter().map(write_field).collect(),
        aggregation: aggregation.into(),
        reward: Some(write_money(terms.reward)),
        lease: Some(write_policy(terms.lease)),
        expected_ms: terms.expected.map(|expected| expected.0),
    }
}

pub(crate) fn read_terms(message: pb::Terms) -> Result<Terms, Misread> {
    let aggregation = match message.aggregation() {
        pb::Aggregation::First => Some(Aggregation::First),
        pb::Aggregation::Majority => Some(Aggregation::Majority),
        pb::Aggregation::Weighted => Some(Aggregation::Weighted),
        pb::Aggregation::Online => Some(Aggregation::Online),
        pb::Aggregation::Refined => Some(Aggregation::Refined),
        pb::Aggregation::DawidSkene => Some(Aggregation::DawidSkene),
        pb::Aggregation::Collect => Some(Aggregation::Collect),
        pb::Aggregation::Unspecified => None,
    };
    let fields = message.schema.into_iter().map(read_field).collect::<Result<_, _>>()?;
    Ok(Terms {
        instructions: read_pairs(message.instructions),
        schema: Schema { fields },
        aggregation: have("aggregation", aggregation)?,
        reward: read_money("reward", message.reward)?,
        lease: read_policy(&have("lease", message.lease)?)?,
        expected: message.expected_ms.map(Millis),
    })
}

pub(super) fn write_money(money: Money) -> pb::Money {
    pb::Money { micros: money.micros, currency: money.currency.as_str().to_owned() }
}

pub(super) fn read_money(
    field: &'static str,
    message: Option<pb::Money>,
) -> Result<Money, Misread> {
    let message = have(field, message)?;
    let currency = have(field, Currency::new(&message.currency))?;
    Ok(Money { micros: message.micros, currency })
}

fn write_policy(policy: LeasePolicy) -> pb::LeasePolicy {
    let late = match policy.late {
        Late::UntilReplaced => pb::LatePolicy::UntilReplaced,
        Late::Refuse => pb::LatePolicy::Refuse,
    };
    let late_extra = match policy.late_extra {
        LateExtra::Refuse => pb::LateExtraPolicy::Refuse,
        LateExtra::KeepPayable => pb::LateExtraPolicy::KeepPayable,
        LateExtra::KeepUnpaid => pb::LateExtraPolicy::KeepUnpaid,
    };
    pb::LeasePolicy {
        duration_ms: policy.duration.0,
        max_hold_ms: policy.max_hold.0,
        max_attempts: policy.max_attempts,
        late: late.into(),
        late_extra: late_extra.into(),
        late_grace_ms: policy.late_grace.0,
        late_window_ms: policy.late_window.0,
    }
}

fn read_policy(message: &pb::LeasePolicy) -> Result<LeasePolicy, Misread> {
    let late = match message.late() {
        pb::LatePolicy::UntilReplaced => Some(Late::UntilReplaced),
        pb::LatePolicy::Refuse => Some(Late::Refuse),
        pb::LatePolicy::Unspecified => None,
    };
    let late_extra = match message.late_extra() {
        pb::LateExtraPolicy::Refuse => Some(LateExtra::Refuse),
        pb::LateExtraPolicy::KeepPayable => Some(LateExtra::KeepPayable),
        pb::LateExtraPolicy::KeepUnpaid => Some(LateExtra::KeepUnpaid),
        pb::LateExtraPolicy::Unspecified => None,
    };
    Ok(LeasePolicy {
        duration: Millis(message.duration_ms),
        max_hold: Millis(message.max_hold_ms),
        max_attempts: message.max_attempts,
        late: have("lease.late", late)?,
        late_extra: have("lease.late_extra", late_extra)?,
        late_grace: Millis(message.late_grace_ms),
        late_window: Millis(message.late_window_ms),
    })
}
