//! Etags: an object's version number as text; empty means unchecked.

use crate::wire::failure::Failure;
use crate::wire::invalid;

/// The version that the caller saw.
pub(crate) fn read(path: &str, etag: &str) -> Result<Option<u32>, Failure> {
    if etag.is_empty() {
        return Ok(None);
    }
    let version = etag.parse().ok().filter(|version: &u32| version.to_string() == etag);
    match version {
        Some(version) => Ok(Some(version)),
        None => Err(invalid::field(path, format!("is {etag:.40?}, which is no etag of ours"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_a_version_or_nothing() {
        assert_eq!(read("project.etag", "").unwrap(), None);
        assert_eq!(read("project.etag", "12").unwrap(), Some(12));
        for wrong in ["012", "+1", "x", "4294967296"] {
            assert!(read("project.etag", wrong).is_err(), "{wrong}");
        }
    }
}
