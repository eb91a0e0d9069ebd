use alloc::vec::Vec;
use blake2::digest::consts::U32;
use carpool_hash::sha2_256;
use cid::Cid;
use sha2::Digest;

/// Multihash code of the identity "hash": the digest is the data.
pub const IDENTITY: u64 = 0x00;
/// Multihash code of SHA2-256.
pub const SHA2_256: u64 = 0x12;
const SHA2_512: u64 = 0x13;
const BLAKE3: u64 = 0x1e;
const BLAKE2B_256: u64 = 0xb220;

/// A digest of up to 64 bytes.
pub(crate) struct Digested {
    bytes: [u8; 64],
    len: usize,
}

impl Digested {
    fn new(digest: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..digest.len()].copy_from_slice(digest);
        Self { bytes, len: digest.len() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The digest of `data` by the multihash `code`; `None` where this build has no such function.
///
/// Known are SHA2-256, SHA2-512, BLAKE3 and BLAKE2b-256. The identity code is not a hash and is
/// answered by the caller.
pub(crate) fn hash(code: u64, data: &[u8]) -> Option<Digested> {
    match code {
        SHA2_256 => Some(Digested::new(&sha2_256(data))),
        SHA2_512 => Some(Digested::new(&sha2::Sha512::digest(data))),
        BLAKE3 => Some(Digested::new(blake3::hash(data).as_bytes())),
        BLAKE2B_256 => Some(Digested::new(&blake2::Blake2b::<U32>::digest(data))),
        _ => None,
    }
}

/// The digest of `data` by the multihash `code`, as bytes; `None` for an unknown code.
#[must_use]
pub fn digest(code: u64, data: &[u8]) -> Option<Vec<u8>> {
    if code == IDENTITY {
        return Some(data.to_vec());
    }
    hash(code, data).map(|d| d.as_bytes().to_vec())
}

/// Whether `cid` carries its data in place of a digest. Such a CID is never asked for, sent,
/// stored or put into a filter.
#[must_use]
pub fn is_identity(cid: &Cid) -> bool {
    cid.hash().code() == IDENTITY
}
