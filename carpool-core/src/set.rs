use alloc::{boxed::Box, vec::Vec};
use cid::Cid;
use core::hash::{BuildHasher, Hasher};
use foldhash::fast::FixedState;
use hashbrown::{HashTable, hash_table::Entry};

use crate::cid_bytes::{self, MAX_CID};

/// Binary CIDs up to this length lie in the key itself; SHA2-256 needs 36.
const INLINE: usize = 38;

/// A CID as a map key: 40 bytes in place of `Cid`'s 96.
#[derive(Clone)]
pub(crate) enum Key {
    Inline(u8, [u8; INLINE]),
    Boxed(Box<[u8]>),
}

impl Key {
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

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline(n, bytes) => &bytes[..usize::from(*n)],
            Self::Boxed(bytes) => bytes,
        }
    }
}

/// Bytes of the CIDs that nearly all blocks have: four of one byte each, and a digest.
const COMMON: u8 = 4 + 32;

/// What is looked for. A common CID is hashed and compared where it lies: a key that is written
/// and read back at once makes the processor wait, longer than all else here takes.
pub(crate) enum Probe<'a> {
    Common([u8; 4], &'a [u8; 32]),
    Other(Key),
}

impl<'a> Probe<'a> {
    #[inline]
    pub(crate) fn of(cid: &'a Cid) -> Self {
        Self::common(cid).unwrap_or_else(|| {
            let mut out = [0; MAX_CID];
            let n = cid_bytes::write(cid, &mut out);
            Self::Other(Key::from_bytes(&out[..n]))
        })
    }

    #[inline]
    fn common(cid: &'a Cid) -> Option<Self> {
        let one_byte = |value: u64| u8::try_from(value).ok().filter(|byte| *byte < 0x80);
        let digest = cid.hash().digest().try_into().ok()?;
        if cid.version() != cid::Version::V1 {
            return None;
        }
        let prefix = [1, one_byte(cid.codec())?, one_byte(cid.hash().code())?, 32];
        Some(Self::Common(prefix, digest))
    }

    #[inline]
    pub(crate) fn of_bytes(cid: &'a [u8]) -> Self {
        let common = cid.split_first_chunk().and_then(|(prefix, digest)| match *prefix {
            [1, 0..0x80, 0..0x80, 32] => Some(Self::Common(*prefix, digest.try_into().ok()?)),
            _ => None,
        });
        common.unwrap_or_else(|| Self::Other(Key::from_bytes(cid)))
    }

    #[inline]
    pub(crate) fn hash(&self, state: &FixedState) -> u64 {
        let mut hasher = state.build_hasher();
        match self {
            Self::Common(prefix, digest) => {
                hasher.write_u32(u32::from_le_bytes(*prefix));
                let (words, _) = digest.as_chunks();
                words.iter().for_each(|word| hasher.write_u64(u64::from_le_bytes(*word)));
            }
            Self::Other(key) => hasher.write(key.as_bytes()),
        }
        hasher.finish()
    }

    #[inline]
    pub(crate) fn is(&self, key: &Key) -> bool {
        match (self, key) {
            (Self::Common(prefix, digest), Key::Inline(COMMON, bytes)) => {
                bytes[4..36] == digest[..] && bytes[..4] == prefix[..]
            }
            (Self::Common(..), _) => false,
            (Self::Other(other), key) => other.as_bytes() == key.as_bytes(),
        }
    }

    pub(crate) fn is_bytes(&self, cid: &[u8]) -> bool {
        match self {
            Self::Common(prefix, digest) => {
                cid.split_first_chunk().is_some_and(|(p, d)| p == prefix && d == &digest[..])
            }
            Self::Other(key) => key.as_bytes() == cid,
        }
    }

    pub(crate) fn into_key(self) -> Key {
        match self {
            Self::Common(prefix, digest) => {
                let mut bytes = [0; INLINE];
                bytes[..4].copy_from_slice(&prefix);
                bytes[4..36].copy_from_slice(digest);
                Key::Inline(COMMON, bytes)
            }
            Self::Other(key) => key,
        }
    }
}

/// A map from CID to `V`.
///
/// Hashing is seeded by the caller: the same seed makes the same table, and a driver that faces
/// strangers gives a random one, so that nobody can prepare CIDs which collide. Nothing that
/// reaches the wire depends on the order inside.
#[derive(Clone)]
pub struct CidMap<V> {
    table: HashTable<(Key, V)>,
    state: FixedState,
}

impl<V> CidMap<V> {
    /// An empty map whose hashing is seeded with `seed`.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { table: HashTable::new(), state: FixedState::with_seed(seed) }
    }

    fn reserve(&mut self, more: usize) {
        let state = &self.state;
        self.table.reserve(more, |(key, _)| Probe::of_bytes(key.as_bytes()).hash(state));
    }

    fn entry(&mut self, probe: &Probe<'_>) -> Entry<'_, (Key, V)> {
        self.entry_hashed(probe.hash(&self.state), probe)
    }

    fn entry_hashed(&mut self, hash: u64, probe: &Probe<'_>) -> Entry<'_, (Key, V)> {
        let state = &self.state;
        let again = |(key, _): &(Key, V)| Probe::of_bytes(key.as_bytes()).hash(state);
        self.table.entry(hash, |(key, _)| probe.is(key), again)
    }

    fn find(&self, probe: &Probe<'_>) -> Option<&V> {
        self.find_hashed(probe.hash(&self.state), probe)
    }

    fn find_hashed(&self, hash: u64, probe: &Probe<'_>) -> Option<&V> {
        self.table.find(hash, |(key, _)| probe.is(key)).map(|(_, value)| value)
    }

    /// Puts `value` under `cid` and returns what was there before.
    pub fn insert(&mut self, cid: &Cid, value: V) -> Option<V> {
        self.put(Probe::of(cid), value)
    }

    fn put(&mut self, probe: Probe<'_>, value: V) -> Option<V> {
        self.put_hashed(probe.hash(&self.state), probe, value)
    }

    fn put_hashed(&mut self, hash: u64, probe: Probe<'_>, value: V) -> Option<V> {
        match self.entry_hashed(hash, &probe) {
            Entry::Occupied(mut there) => Some(core::mem::replace(&mut there.get_mut().1, value)),
            Entry::Vacant(vacant) => {
                vacant.insert((probe.into_key(), value));
                None
            }
        }
    }

    /// Puts what `value` makes under `cid` if nothing lies there; `false` when something does.
    pub fn insert_absent(&mut self, cid: &Cid, value: impl FnOnce() -> V) -> bool {
        let probe = Probe::of(cid);
        let Entry::Vacant(vacant) = self.entry(&probe) else { return false };
        vacant.insert((probe.into_key(), value()));
        true
    }

    /// What lies under `cid`.
    #[must_use]
    pub fn get(&self, cid: &Cid) -> Option<&V> {
        if self.table.is_empty() { None } else { self.find(&Probe::of(cid)) }
    }

    /// What lies under each of `cids`, in their order.
    ///
    /// Faster than as many [`get`](Self::get) in a map larger than the processor's cache: all
    /// hashes are made first, so that several memory accesses are on their way at once.
    pub fn get_many(&self, cids: impl Iterator<Item = Cid> + Clone) -> Vec<Option<&V>> {
        let hashes: Vec<u64> = cids.clone().map(|cid| Probe::of(&cid).hash(&self.state)).collect();
        let find = |(hash, cid): (u64, Cid)| self.find_hashed(hash, &Probe::of(&cid));
        hashes.into_iter().zip(cids).map(find).collect()
    }

    /// What lies under `cid`, to be changed.
    pub fn get_mut(&mut self, cid: &Cid) -> Option<&mut V> {
        let probe = Probe::of(cid);
        let found = self.table.find_mut(probe.hash(&self.state), |(key, _)| probe.is(key));
        found.map(|(_, value)| value)
    }

    /// Takes out what lies under `cid`.
    pub fn remove(&mut self, cid: &Cid) -> Option<V> {
        self.take(&Probe::of(cid))
    }

    fn take(&mut self, probe: &Probe<'_>) -> Option<V> {
        let found = self.table.find_entry(probe.hash(&self.state), |(key, _)| probe.is(key));
        found.ok().map(|there| there.remove().0.1)
    }

    /// Whether something lies under `cid`.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.get(cid).is_some()
    }

    /// Whether something lies under the CID with these bytes.
    #[must_use]
    pub fn contains_bytes(&self, cid: &[u8]) -> bool {
        !self.table.is_empty() && self.find(&Probe::of_bytes(cid)).is_some()
    }

    /// How many CIDs have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no CID has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Calls `each` with every binary CID and its value, in no order that means anything.
    pub fn for_each(&self, mut each: impl FnMut(&[u8], &V)) {
        for (key, value) in &self.table {
            each(key.as_bytes(), value);
        }
    }

    /// Calls `each` with every value, to be changed, in no order that means anything.
    pub fn for_each_mut(&mut self, mut each: impl FnMut(&mut V)) {
        self.table.iter_mut().for_each(|(_, value)| each(value));
    }
}

impl<V> core::fmt::Debug for CidMap<V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CidMap").field("len", &self.table.len()).finish_non_exhaustive()
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

    /// Makes room for `cids` more CIDs.
    pub fn reserve(&mut self, cids: usize) {
        self.map.reserve(cids);
    }

    /// Adds `cid`; `false` when it was there already.
    pub fn insert(&mut self, cid: &Cid) -> bool {
        self.map.insert(cid, ()).is_none()
    }

    /// The hash of `cid` in this set, for the functions that take one: whoever looks at a CID twice
    /// hashes it once.
    #[must_use]
    pub fn hash(&self, cid: &Cid) -> u64 {
        Probe::of(cid).hash(&self.map.state)
    }

    /// As [`hash`](Self::hash), of the CID with these bytes.
    #[must_use]
    pub fn hash_bytes(&self, cid: &[u8]) -> u64 {
        Probe::of_bytes(cid).hash(&self.map.state)
    }

    /// As [`insert`](Self::insert), with the CID's [`hash`](Self::hash).
    pub fn insert_hashed(&mut self, hash: u64, cid: &Cid) -> bool {
        self.map.put_hashed(hash, Probe::of(cid), ()).is_none()
    }

    /// As [`contains`](Self::contains), with the CID's [`hash`](Self::hash).
    #[must_use]
    pub fn contains_hashed(&self, hash: u64, cid: &Cid) -> bool {
        self.map.find_hashed(hash, &Probe::of(cid)).is_some()
    }

    /// Adds the CID with these bytes; `false` when it was there already.
    pub fn insert_bytes(&mut self, cid: &[u8]) -> bool {
        self.map.put(Probe::of_bytes(cid), ()).is_none()
    }

    /// Removes the CID with these bytes; `false` when it was not there.
    pub fn remove_bytes(&mut self, cid: &[u8]) -> bool {
        self.map.take(&Probe::of_bytes(cid)).is_some()
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
    fn a_cid_and_its_bytes_are_one_key() {
        for cid in [
            *Block::new(codec::RAW, "a".into()).cid(),
            *Block::new_v0("a".into()).cid(),
            Cid::new_v1(0x7f, Multihash::wrap(0x7f, &[1; 32]).unwrap()),
            Cid::new_v1(0x80, Multihash::wrap(0x12, &[1; 32]).unwrap()),
            Cid::new_v1(codec::RAW, Multihash::wrap(0x80, &[1; 32]).unwrap()),
            Cid::new_v1(codec::RAW, Multihash::wrap(0x12, &[1; 31]).unwrap()),
        ] {
            let bytes = cid.to_bytes();
            let (made, read) = (Probe::of(&cid), Probe::of_bytes(&bytes));
            let state = &FixedState::with_seed(1);
            assert_eq!(made.hash(state), read.hash(state), "{cid}");
            let key = made.into_key();
            assert!(read.is(&key) && Probe::of(&cid).is(&key), "{cid}");
            assert_eq!(key.as_bytes(), bytes);
        }
    }

    #[test]
    fn cids_that_share_a_digest_are_told_apart() {
        let cid = *Block::new(codec::RAW, "a".into()).cid();
        let mut set = CidSet::with_seed(1);
        set.insert(&cid);
        assert!(!set.contains(&Cid::new_v1(codec::DAG_CBOR, *cid.hash())));
        assert!(!set.contains(&Cid::new_v0(*cid.hash()).unwrap()));
        assert!(set.contains_bytes(&cid.to_bytes()) && !set.contains_bytes(&[1]));
        assert!(!set.insert_bytes(&cid.to_bytes()) && set.remove_bytes(&cid.to_bytes()));
        assert!(set.insert_bytes(&cid.to_bytes()) && set.contains(&cid));
    }

    #[test]
    fn what_lies_there_is_not_replaced() {
        let cid = *Block::new(codec::RAW, "a".into()).cid();
        let mut map = CidMap::with_seed(1);
        assert!(map.insert_absent(&cid, || 1) && !map.insert_absent(&cid, || 2));
        assert_eq!(map.get(&cid), Some(&1));
    }

    #[test]
    fn the_seed_decides_the_hash() {
        let cid = *Block::new(codec::RAW, "a".into()).cid();
        let hash = |seed| Probe::of(&cid).hash(&FixedState::with_seed(seed));
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
        assert_eq!(size_of::<(Key, ())>(), 40);
    }
}
