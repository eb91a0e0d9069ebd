//! What several tests need.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_core::{Block, Bytes, Cid, Error, Limits, Multihash, codec, links};
use std::path::PathBuf;

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

/// Bytes written as hex.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let text = |pair| std::str::from_utf8(pair).expect("filtered");
    digits.chunks(2).map(|pair| u8::from_str_radix(text(pair), 16).expect("filtered")).collect()
}

/// A file or folder of the public fixtures; `None`, and a word about it, where there are none.
pub(crate) fn fixture(path: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let folder = std::env::var("CARPOOL_FIXTURES").unwrap_or_else(|_| default.to_owned());
    let path = PathBuf::from(folder).join(path);
    if !path.exists() {
        println!("skipped: no fixtures");
        return None;
    }
    Some(path)
}
