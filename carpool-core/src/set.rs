use alloc::boxed::Box;
use cid::Cid;
use core::hash::{Hash, Hasher};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::cid_bytes::{self, MAX_CID};

/// Binary CIDs up to this length lie in the key itself; SHA2-256 needs 36.
const INLINE: usize = 38;

/// A CID as a map key: 40 bytes in place of `Cid`'s 96, and hashed in one pass.
#[derive(Clone, PartialEq, Eq)]
enum Key {
    Inline(u8, [u8; INLINE]),
    Boxed(Box<[u8]>),
}

impl Key {
    fn new(cid: &Cid) -> Self {
        let mut out = [0; MAX_CID];
        let n = cid_bytes::write(cid, &mut out);
        Self::from_bytes(&out[..n])
    }

    #[expect(clippy::cast_possible_truncation, reason = "INLINE fits into a byte")]
    fn from_bytes(cid: &[u8]) -> Self {
        let n = cid.len();
        if n > INLINE {
            return Self::Boxed(cid.into());
        }
        let mut bytes = [0; INLINE];
        bytes[..n].copy_from_slice(cid);
        Self::Inline(n as u8, bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline(n, bytes) => &bytes[..usize::from(*n)],
            Self::Boxed(bytes) => bytes,
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

/// A map from CID to `V`.
///
/// Hashing is seeded by the caller: the same seed makes the same table, and a driver that faces
/// strangers gives a random one, so that nobody can prepare CIDs which collide. Nothing that
/// reaches the wire depends on the order inside.
#[derive(Clone)]
pub struct CidMap<V> {
    map: HashMap<Key, V, FixedState>,
}

impl<V> CidMap<V> {
    /// An empty map whose hashing is seeded with `seed`.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { map: HashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// Puts `value` under `cid` and returns what was there before.
    pub fn insert(&mut self, cid: &Cid, value: V) -> Option<V> {
        self.map.insert(Key::new(cid), value)
    }

    /// What lies under `cid`.
    #[must_use]
    pub fn get(&self, cid: &Cid) -> Option<&V> {
        self.map.get(&Key::new(cid))
    }

    /// What lies under `cid`, to be changed.
    pub fn get_mut(&mut self, cid: &Cid) -> Option<&mut V> {
        self.map.get_mut(&Key::new(cid))
    }

    /// Takes out what lies under `cid`.
    pub fn remove(&mut self, cid: &Cid) -> Option<V> {
        self.map.remove(&Key::new(cid))
    }

    /// Whether something lies under `cid`.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.map.contains_key(&Key::new(cid))
    }

    /// Whether something lies under the CID with these bytes.
    #[must_use]
    pub fn contains_bytes(&self, cid: &[u8]) -> bool {
        self.map.contains_key(&Key::from_bytes(cid))
    }

    /// How many CIDs have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether no CID has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Calls `each` with every binary CID and its value, in no order that means anything.
    pub fn for_each(&self, mut each: impl FnMut(&[u8], &V)) {
        for (key, value) in &self.map {
            each(key.as_bytes(), value);
        }
    }
}

impl<V> core::fmt::Debug for CidMap<V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CidMap").field("len", &self.map.len()).finish_non_exhaustive()
    }
}

/// A set of CIDs; see [`CidMap`] for what `seed` is.
#[derive(Clone, Debug)]
pub struct CidSet {
    map: CidMap<()>,
}

impl CidSet {
    /// An empty set whose hashing is seeded with `seed`.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { map: CidMap::with_seed(seed) }
    }

    /// Adds `cid`; `false` when it was there already.
    pub fn insert(&mut self, cid: &Cid) -> bool {
        self.map.insert(cid, ()).is_none()
    }

    /// Removes `cid`; `false` when it was not there.
    pub fn remove(&mut self, cid: &Cid) -> bool {
        self.map.remove(cid).is_some()
    }

    /// Whether `cid` is in the set.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.map.contains(cid)
    }

    /// Whether the CID with these bytes is in the set.
    #[must_use]
    pub fn contains_bytes(&self, cid: &[u8]) -> bool {
        self.map.contains_bytes(cid)
    }

    /// How many CIDs are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Calls `each` with every binary CID, in no order that means anything.
    pub fn for_each(&self, mut each: impl FnMut(&[u8])) {
        self.map.for_each(|key, ()| each(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Multihash, codec};
    use core::hash::BuildHasher;

    #[test]
    fn holds_every_kind_of_cid() {
        let long = Multihash::wrap(0x13, &[9; 64]).unwrap();
        let cids = [
            *Block::new(codec::RAW, "a".into()).cid(),
            *Block::new(codec::DAG_CBOR, "a".into()).cid(),
            *Block::new_v0("a".into()).cid(),
            Cid::new_v1(codec::RAW, long),
        ];
        let mut set = CidSet::with_seed(1);
        for cid in &cids {
            assert!(set.insert(cid) && !set.insert(cid) && set.contains(cid));
        }
        assert_eq!(set.len(), cids.len());
        assert!(set.remove(&cids[3]) && !set.contains(&cids[3]));
    }

    #[test]
    fn the_seed_decides_the_hash() {
        let key = Key::new(Block::new(codec::RAW, "a".into()).cid());
        let hash = |seed| FixedState::with_seed(seed).hash_one(&key);
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
        assert_eq!(size_of::<Key>(), 40);
    }
}
