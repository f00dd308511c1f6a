//! Creates that a retry finds again: by (parent, the client's request id), for a
//! day, in a bounded table.

use crate::change::{Change, CreateKeyId, CreateKeyRow, Parent};
use crate::command::CreateKey;
use crate::engine::timers::Timer;
use crate::engine::{Changes, State};
use crate::{ClientId, Refusal, TenantId};

/// What an earlier create with this key made.
///
/// # Errors
/// The key was used for another content, or the table is full.
pub(super) fn made(
    state: &State,
    tenant: TenantId,
    parent: Parent,
    key: Option<&CreateKey>,
) -> Result<Option<Vec<u32>>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    let id = CreateKeyId { tenant, parent, request_id: key.request_id.clone() };
    match state.create_keys.get(&id) {
        Some(row) if row.content == key.content => Ok(Some(row.made.clone())),
        Some(_) => Err(Refusal::RequestIdReused { request_id: key.request_id.clone() }),
        None if state.create_keys.len() >= state.limits.create_keys_max => {
            let (keys, limit) = (state.create_keys.len(), state.limits.create_keys_max);
            Err(Refusal::TooManyCreateKeys { keys, limit })
        }
        None => Ok(None),
    }
}

/// Remembers what a create made; again where a retry made more, from its first time.
pub(super) fn remember(
    state: &mut State,
    changes: &mut Changes,
    tenant: TenantId,
    parent: Parent,
    key: Option<&CreateKey>,
    made: Vec<u32>,
) {
    let Some(key) = key else { return };
    let id = CreateKeyId { tenant, parent, request_id: key.request_id.clone() };
    let known = state.create_keys.get(&id).map(|row| row.until);
    let until = known.unwrap_or(changes.now.engine + state.limits.create_keys_kept);
    let row = CreateKeyRow { id: id.clone(), content: key.content, until, made };
    state.timers.set(until, Timer::CreateKey(Box::new(id.clone())));
    state.create_keys.insert(id, row.clone());
    changes.push(tenant, Change::CreateKey(Box::new(row)));
}

/// Its time is over.
pub(super) fn forget(state: &mut State, changes: &mut Changes, id: CreateKeyId) {
    if state.create_keys.remove(&id).is_some() {
        changes.push(id.tenant, Change::CreateKeyGone(id));
    }
}

/// The name that the daemon gives where the client gave none.
pub(super) fn own_name(number: u32) -> ClientId {
    let name = ClientId::new(&format!("~{number}"));
    name.unwrap_or_else(|| panic!("~{number} is a client id"))
}
