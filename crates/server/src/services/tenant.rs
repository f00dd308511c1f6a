//! On whose behalf a call is made.
//!
//! One place, because credentials will decide it: never a request's body.

use piecework_core::TenantId;

/// The one tenant, until credentials exist.
pub(crate) fn current() -> TenantId {
    TenantId::DEFAULT
}
