//! The generated types: the public API and the values on disk.
//!
//! `build.rs` makes them from `proto/`, which is where their documentation is
//! written. Bytes fields are `bytes::Bytes`, maps are `BTreeMap`,
//! `google.rpc.Status` is `tonic_types::pb::Status`, and the well-known types
//! are those of `prost-types`.
//!
//! Beside them what both ends do to bytes on their way: the codec and the gathering of
//! writes.
//!
//! Not here: any conversion. The server's are in its `wire` module, those of
//! rows in `storage`, and nothing else should need one.

mod codec;
mod error_reason;
mod gathered;

pub use codec::Codec;
pub use error_reason::ERROR_DOMAIN;
pub use gathered::Gathered;

/// The public API, package `piecework.v1`: messages, clients and servers.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    reason = "generated; the style is the generator's"
)]
pub mod v1 {
    tonic::include_proto!("piecework.v1");
}

/// Values on disk; never seen by clients.
pub mod storage {
    /// Package `piecework.storage.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::too_many_lines,
        clippy::allow_attributes_without_reason,
        reason = "generated; the style is the generator's"
    )]
    pub mod v1 {
        tonic::include_proto!("piecework.storage.v1");
    }
}

/// The descriptors of `piecework.v1`, its imports and google's error details,
/// encoded, for reflection and for JSON. Without comments and without the values on disk.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("piecework.v1");

#[cfg(test)]
mod tests {
    use prost::Message;

    #[test]
    fn descriptor_set_has_the_public_api_and_no_values_on_disk() {
        let set = prost_types::FileDescriptorSet::decode(super::FILE_DESCRIPTOR_SET).unwrap();
        let packages: Vec<&str> = set.file.iter().map(|f| f.package()).collect();
        let services = set.file.iter().map(|f| f.service.len()).sum::<usize>();
        assert_eq!(services, 9);
        assert!(!packages.iter().any(|p| p.contains("storage")));
    }
}
