//! What several tests need.
#![allow(dead_code, unused_imports, reason = "no test needs all of it")]

mod inputs;
mod ipld;

use carpool_core::{Block, Bytes, Cid, Error, Limits, Multihash, codec, links};
pub(crate) use inputs::{fixture, hex};
pub(crate) use ipld::ipld;

/// The links of DAG-CBOR bytes.
pub(crate) fn cbor_links(data: &[u8]) -> Result<Vec<Cid>, Error> {
    links(&cid_of(codec::DAG_CBOR), data, &Limits::default())
}

/// The links of DAG-PB bytes.
pub(crate) fn pb_links(data: &[u8]) -> Result<Vec<Cid>, Error> {
    links(&cid_of(codec::DAG_PB), data, &Limits::default())
}

/// Some CID of this codec.
pub(crate) fn cid_of(codec: u64) -> Cid {
    *Block::new(codec, Bytes::new()).cid()
}

/// CIDs of both versions, of several lengths, and identity CIDs.
pub(crate) fn cid(kind: u8, digest: &[u8]) -> Cid {
    match kind % 4 {
        0 => *Block::new_v0(digest.to_vec().into()).cid(),
        1 => Cid::new_v1(codec::RAW, wrap(0, digest)),
        2 => Cid::new_v1(0x0129, wrap(0x13, digest)),
        _ => *Block::new(codec::DAG_CBOR, digest.to_vec().into()).cid(),
    }
}

fn wrap(code: u64, digest: &[u8]) -> Multihash<64> {
    Multihash::wrap(code, digest).expect("at most 64 bytes")
}
