//! `ErrorReason` as the `reason` of a `google.rpc.ErrorInfo`, and back.
//!
//! buf wants the enum's name in front of its values, users do not want to read
//! it in every error. Server and client must cut it off in the same way.

use crate::v1::ErrorReason;

/// `ErrorInfo.domain` of every error of ours.
pub const ERROR_DOMAIN: &str = "piecework";

const PREFIX: &str = "ERROR_REASON_";

impl ErrorReason {
    /// The text in `ErrorInfo.reason`, such as `LEASE_SUPERSEDED`.
    pub fn reason(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// The entry for a text in `ErrorInfo.reason`; `None` if it is newer than this build.
    pub fn from_reason(reason: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_prefix_and_reads_back() {
        assert_eq!(ErrorReason::LeaseSuperseded.reason(), "LEASE_SUPERSEDED");
        assert_eq!(
            ErrorReason::from_reason("LEASE_SUPERSEDED"),
            Some(ErrorReason::LeaseSuperseded)
        );
        assert_eq!(ErrorReason::from_reason("OF_A_LATER_VERSION"), None);
    }
}
