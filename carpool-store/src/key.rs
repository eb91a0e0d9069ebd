//! Blocks are found by multihash, whatever codec and version their CID has.
use carpool_core::{Cid, CidMap, Multihash, Version, codec};
use std::hash::{BuildHasher, RandomState};

/// The one CID that stands for all CIDs with this multihash.
pub(crate) fn canonical(cid: &Cid) -> Cid {
    Cid::new_v1(codec::RAW, *cid.hash())
}

/// The bytes in front of the multihash in every [`canonical`] CID: version and codec.
pub(crate) const CANONICAL_PREFIX: usize = 2;

/// What [`canonical`] forgets: the codec, or `None` for version 0.
pub(crate) fn codec_of(cid: &Cid) -> Option<u64> {
    (cid.version() == Version::V1).then(|| cid.codec())
}

/// The CID with this binary multihash and what [`codec_of`] said of it; `None` if there is none.
pub(crate) fn restore(multihash: &[u8], codec: Option<u64>) -> Option<Cid> {
    let hash = Multihash::from_bytes(multihash).ok()?;
    match codec {
        Some(codec) => Some(Cid::new_v1(codec, hash)),
        None => Cid::new_v0(hash).ok(),
    }
}

/// A map whose hashing strangers cannot predict.
pub(crate) fn map<V>() -> CidMap<V> {
    CidMap::with_seed(RandomState::new().hash_one(0))
}
