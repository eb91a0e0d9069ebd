use alloc::vec::Vec;
use bytes::Bytes;
use carpool_hash::{sha2_256, sha2_256_each};
use cid::Cid;
use multihash::Multihash;

use crate::{
    Error,
    hash::{self, IDENTITY, SHA2_256},
};

/// Bytes that hash to their CID.
///
/// There are three ways to have one: [`verify`] what a peer sent, [`Block::new`] hashes what is
/// one's own, and [`Block::new_unchecked`] takes the word of a store that verified it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    data: Bytes,
}

impl Block {
    /// Hashes `data` with SHA2-256 into a block with a CID of version 1.
    #[must_use]
    pub fn new(codec: u64, data: Bytes) -> Self {
        Self { cid: Cid::new_v1(codec, sha2_256_multihash(&data)), data }
    }

    /// Hashes `data` with SHA2-256 into a DAG-PB block with a CID of version 0.
    #[must_use]
    pub fn new_v0(data: Bytes) -> Self {
        let cid = Cid::new_v0(sha2_256_multihash(&data)).expect("SHA2-256 makes version 0");
        Self { cid, data }
    }

    /// A block whose bytes were verified before, such as one that our own store holds.
    #[must_use]
    pub const fn new_unchecked(cid: Cid, data: Bytes) -> Self {
        Self { cid, data }
    }

    /// The block's CID.
    #[must_use]
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The block's bytes.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// CID and bytes.
    #[must_use]
    pub fn into_parts(self) -> (Cid, Bytes) {
        (self.cid, self.data)
    }
}

fn sha2_256_multihash(data: &[u8]) -> Multihash<64> {
    Multihash::wrap(SHA2_256, &sha2_256(data)).expect("32 bytes fit into 64")
}

/// A CID and the bytes that a peer claims for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// The CID that was claimed.
    pub cid: Cid,
    /// The bytes that came with it.
    pub data: Bytes,
}

/// Hashes every block of a batch: verdicts in order, and one bad block spoils no other.
///
/// This is the only way from a peer's bytes to a [`Block`]. It takes a batch because several
/// messages hashed together go twice as fast as one after another: hand over all that has arrived
/// and never wait for one verdict before taking the next block. Blocks named by SHA2-256 share the
/// lanes of [`carpool_hash`]; those of other hash functions are hashed one by one.
///
/// # Errors
/// Per block: [`Error::DigestMismatch`], [`Error::DigestLength`], [`Error::UnsupportedHash`].
#[must_use]
pub fn verify(batch: Vec<Unverified>) -> Vec<Result<Block, Error>> {
    let messages: Vec<&[u8]> = batch.iter().filter(|claim| in_lanes(claim)).map(data).collect();
    let mut digests = sha2_256_each(&messages).into_iter();
    let verdict = |claim| {
        let digest = if in_lanes(&claim) { digests.next() } else { None };
        digest.map_or_else(|| verify_one(&claim), |digest| held_to(&claim, &digest))?;
        Ok(Block { cid: claim.cid, data: claim.data })
    };
    batch.into_iter().map(verdict).collect()
}

fn in_lanes(Unverified { cid, .. }: &Unverified) -> bool {
    cid.hash().code() == SHA2_256
}

fn data(Unverified { data, .. }: &Unverified) -> &[u8] {
    data
}

fn verify_one(claim @ Unverified { cid, data }: &Unverified) -> Result<(), Error> {
    match cid.hash().code() {
        IDENTITY if cid.hash().digest() == data => Ok(()),
        IDENTITY => Err(Error::DigestMismatch { cid: *cid }),
        code => {
            let actual = hash::hash(code, data);
            let actual = actual.ok_or(Error::UnsupportedHash { cid: *cid, code })?;
            held_to(claim, actual.as_bytes())
        }
    }
}

fn held_to(Unverified { cid, .. }: &Unverified, digest: &[u8]) -> Result<(), Error> {
    let claimed = cid.hash().digest();
    if claimed == digest {
        Ok(())
    } else if claimed.len() == digest.len() {
        Err(Error::DigestMismatch { cid: *cid })
    } else {
        Err(Error::DigestLength { cid: *cid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use alloc::vec;

    fn claim(code: u64, digest: &[u8], data: &'static str) -> Unverified {
        let hash = Multihash::wrap(code, digest).unwrap();
        Unverified { cid: Cid::new_v1(codec::RAW, hash), data: data.into() }
    }

    #[test]
    fn every_known_hash_is_accepted_and_refused() {
        for code in [0x12, 0x13, 0x1e, 0xb220, IDENTITY] {
            let digest = hash::digest(code, b"abc").unwrap();
            assert!(verify(vec![claim(code, &digest, "abc")])[0].is_ok(), "{code:x}");
            let bad = &verify(vec![claim(code, &digest, "abd")])[0];
            assert!(matches!(bad, Err(Error::DigestMismatch { .. })), "{code:x}");
        }
    }

    #[test]
    fn a_short_digest_and_an_unknown_hash_are_named() {
        let digest = sha2_256(b"abc");
        let short = &verify(vec![claim(SHA2_256, &digest[..20], "abc")])[0];
        assert!(matches!(short, Err(Error::DigestLength { .. })));
        let unknown = &verify(vec![claim(0xd5, &digest[..16], "abc")])[0];
        assert!(matches!(unknown, Err(Error::UnsupportedHash { code: 0xd5, .. })));
    }

    #[test]
    fn hashes_of_all_kinds_keep_their_order() {
        let of = |code, claimed| claim(code, &hash::digest(code, b"abc").unwrap(), claimed);
        let kinds = [SHA2_256, 0x1e, SHA2_256, IDENTITY, 0x13, SHA2_256, SHA2_256, 0xb220];
        for bad in 0..kinds.len() {
            let data = |n| if n == bad { "abd" } else { "abc" };
            let batch = kinds.iter().enumerate().map(|(n, code)| of(*code, data(n))).collect();
            let bad_ones = verify(batch).into_iter().map(|verdict| verdict.is_err());
            assert!(bad_ones.eq((0..kinds.len()).map(|n| n == bad)), "{bad}");
        }
    }

    #[test]
    fn one_bad_block_spoils_no_other() {
        let digest = sha2_256(b"abc");
        let verdicts = verify(vec![
            claim(SHA2_256, &digest, "abc"),
            claim(SHA2_256, &digest, "abd"),
            claim(SHA2_256, &digest, "abc"),
        ]);
        let ok: Vec<bool> = verdicts.iter().map(Result::is_ok).collect();
        assert_eq!(ok, [true, false, true]);
    }
}
