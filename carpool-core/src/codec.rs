//! The [multicodec](https://github.com/multiformats/multicodec) numbers that carpool acts on.
//! A block of any other codec is a leaf: it is moved and verified, and not looked into.

/// `raw`: bytes without links.
pub const RAW: u64 = 0x55;
/// `dag-pb`: protobuf nodes, the carrier of UnixFS.
pub const DAG_PB: u64 = 0x70;
/// `dag-cbor`: CBOR with links in tag 42.
pub const DAG_CBOR: u64 = 0x71;
