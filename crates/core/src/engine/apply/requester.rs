//! `nothing → requester`, and other data for one.

use crate::change::{Change, Parent};
use crate::command::{CreateRequester, UpdateRequester};
use crate::engine::apply::create_keys;
use crate::engine::{Changes, State, Stop};
use crate::requester::Requester;
use crate::{Kind, Outcome, Refusal, RequesterId, TenantId};

/// A create with the name of a requester of the same content finds it again.
pub(super) fn create(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &CreateRequester,
) -> Result<Outcome, Stop> {
    if let Some(name) = &cmd.name
        && let Ok(id) = state.requester(tenant, name)
    {
        let old = &state.requesters[&id];
        if !is_what(old, cmd) {
            return Err(Refusal::NameTaken { kind: Kind::Requester, name: name.clone() }.into());
        }
        return Ok(Outcome::Requester(Box::new(old.clone())));
    }
    let key = cmd.key.as_ref().filter(|_| cmd.name.is_none());
    if let Some(made) = create_keys::made(state, tenant, Parent::Requesters, key)?
        && let Some(old) = made.first().and_then(|n| state.requesters.get(&RequesterId(*n)))
    {
        return Ok(Outcome::Requester(Box::new(old.clone())));
    }
    state.partition.last_requester += 1;
    let id = RequesterId(state.partition.last_requester);
    changes.partition();
    let requester = Requester {
        id,
        tenant,
        name: cmd.name.clone().unwrap_or_else(|| create_keys::own_name(id.0)),
        display_name: cmd.display_name.clone(),
        labels: cmd.labels.clone(),
        weight: cmd.weight,
        tier_ceiling: cmd.tier_ceiling,
        grants_per_minute: cmd.grants_per_minute,
        blocked_workers: cmd.blocked_workers.clone(),
        allowed_workers: cmd.allowed_workers.clone(),
        created: changes.now.wall,
        version: 1,
    };
    state.tenant_mut(tenant).requesters.insert(requester.name.clone(), id);
    state.requesters.insert(id, requester.clone());
    state.requester_changes(tenant, id);
    create_keys::remember(state, changes, tenant, Parent::Requesters, key, vec![id.0]);
    changes.push(tenant, Change::Requester(Box::new(requester.clone())));
    Ok(Outcome::Requester(Box::new(requester)))
}

/// `requester → requester`, unless somebody else changed it first.
pub(super) fn update(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    cmd: &UpdateRequester,
) -> Result<Outcome, Stop> {
    let id = state.requester(tenant, &cmd.requester)?;
    let mut requester = state.requesters[&id].clone();
    if let Some(sent) = cmd.etag.filter(|sent| *sent != requester.version) {
        let (name, is) = (requester.name, requester.version);
        return Err(Refusal::EtagMismatch { kind: Kind::Requester, name, sent, is }.into());
    }
    put(&mut requester.display_name, cmd.display_name.as_ref());
    put(&mut requester.labels, cmd.labels.as_ref());
    put(&mut requester.weight, cmd.weight.as_ref());
    put(&mut requester.tier_ceiling, cmd.tier_ceiling.as_ref());
    put(&mut requester.grants_per_minute, cmd.grants_per_minute.as_ref());
    put(&mut requester.blocked_workers, cmd.blocked_workers.as_ref());
    put(&mut requester.allowed_workers, cmd.allowed_workers.as_ref());
    if requester != state.requesters[&id] {
        requester.version += 1;
        state.requesters.insert(id, requester.clone());
        state.requester_changes(tenant, id);
        state.throttle_all(id, changes);
        // Whom it no longer blocks may have been waiting for its work.
        state.stir_all(id);
        changes.push(tenant, Change::Requester(Box::new(requester.clone())));
    }
    Ok(Outcome::Requester(Box::new(requester)))
}

/// Whether a requester has the content of a create.
fn is_what(old: &Requester, cmd: &CreateRequester) -> bool {
    old.display_name == cmd.display_name
        && old.labels == cmd.labels
        && old.weight == cmd.weight
        && old.tier_ceiling == cmd.tier_ceiling
        && old.grants_per_minute == cmd.grants_per_minute
        && old.blocked_workers == cmd.blocked_workers
        && old.allowed_workers == cmd.allowed_workers
}

fn put<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}
