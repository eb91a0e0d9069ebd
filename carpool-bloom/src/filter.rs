use alloc::{vec, vec::Vec};
use core::fmt;

use crate::hash::Key;
use crate::index::bucket;
use crate::{Error, Indices, Limits, Params, Rejection};

/// Bits a lookup asks for first. They settle most misses of a filter up to half full.
const FIRST: usize = 2;

/// Bits a lookup asks for next. They settle nearly all other misses.
const NEXT: usize = 4;

/// Hashes computed before memory is touched. In a filter larger than the cache every index is a
/// miss; sixteen waiting together cost little more than one.
const AHEAD: usize = 16;

/// Hashes [`Filter::insert_all`] computes ahead, across keys.
const BATCH: usize = 512;

/// A set of keys that may claim a key too many but never denies one it holds (specification
/// section 3.4).
///
/// Any bytes can be a key; CAR Mirror inserts binary CIDs. There is always at least one byte and
/// one hash, so a filter without keys contains nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter {
    bytes: Vec<u8>,
    k: u32,
    rule: Rejection,
}

impl Filter {
    /// A filter without keys. Allocates `params.bytes()`.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self { bytes: vec![0; params.bytes()], k: params.k(), rule: Rejection::default() }
    }

    /// A peer's filter, or `None` where the peer sent no bytes and so no filter, whatever its k.
    ///
    /// Checks costs, not sense: a filter with all bits set is accepted, see
    /// [`Filter::is_saturated`].
    ///
    /// # Errors
    /// [`Error::PeerBytes`] and [`Error::PeerHashes`] above the limits,
    /// [`Error::PeerZeroHashes`] where k = 0. All are the peer's fault.
    pub fn from_wire<B>(bytes: B, k: u32, limits: &Limits) -> Result<Option<Self>, Error>
    where
        B: AsRef<[u8]> + Into<Vec<u8>>,
    {
        let length = bytes.as_ref().len();
        if length == 0 {
            return Ok(None);
        }
        limits.check(length, k)?;
        Ok(Some(Self { bytes: bytes.into(), k, rule: Rejection::default() }))
    }

    /// The same bits under another rejection rule. Choose before the first key goes in or is
    /// looked up. Without effect where the size is a power of two.
    #[must_use]
    pub fn with_rejection(mut self, rule: Rejection) -> Self {
        self.rule = rule;
        self
    }

    /// Adds a key. Adding it again changes nothing.
    #[inline]
    pub fn insert(&mut self, key: &[u8]) {
        match self.mask() {
            Some(mask) => self.insert_masked(&Key::new(key), mask),
            None => self.insert_sampled(key),
        }
    }

    /// Adds many keys: the same as [`Filter::insert`] for each, faster where the filter is larger
    /// than the processor's cache.
    pub fn insert_all<K: AsRef<[u8]>>(&mut self, keys: impl IntoIterator<Item = K>) {
        let mut batch = self.batch();
        keys.into_iter().for_each(|key| batch.insert(key.as_ref()));
    }

    /// Adds keys as [`Filter::insert_all`] does, for a caller that has no iterator. Keys are in the
    /// filter when the batch is dropped.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch { mask: self.mask(), filter: self, hashes: [0; BATCH], used: 0 }
    }

    /// Whether the key is held: `false` is certain, `true` is wrong at the false positive rate.
    #[inline]
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match self.mask() {
            Some(mask) => self.contains_masked(&Key::new(key), mask),
            None => self.indices(key).all(|index| self.bit(index)),
        }
    }

    /// Adds all keys of `other`, which must have the same size, k and, where it matters, rejection
    /// rule.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where it has not; `self` is then unchanged.
    pub fn union(&mut self, other: &Self) -> Result<(), Error> {
        let shape = |filter: &Self| (filter.bytes.len(), filter.k);
        let (left, right) = (shape(self), shape(other));
        let same_rule = self.rule == other.rule || self.mask().is_some();
        if left != right || !same_rule {
            return Err(Error::Mismatch { left, right });
        }
        self.bytes.iter_mut().zip(&other.bytes).for_each(|(ours, theirs)| *ours |= theirs);
        Ok(())
    }

    /// The bits as they travel: index i is bit i % 8, from the least significant, of byte i / 8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bits as they travel, see [`Filter::as_bytes`].
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The number of hashes a key, k, from 1 to [`MAX_K`](crate::MAX_K).
    #[must_use]
    pub fn k(&self) -> u32 {
        self.k
    }

    /// The size in bits, m.
    #[must_use]
    pub fn bits(&self) -> u64 {
        self.bytes.len() as u64 * 8
    }

    /// The number of bits that are set. Reads the whole filter.
    #[must_use]
    pub fn ones(&self) -> u64 {
        let (words, rest) = self.bytes.as_chunks();
        let words = words.iter().map(|word| u64::from_le_bytes(*word).count_ones());
        let rest = rest.iter().map(|byte| byte.count_ones());
        words.chain(rest).map(u64::from).sum()
    }

    /// The fraction of bits that are set, from 0 to 1. Reads the whole filter.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.ones() as f64 / self.bits() as f64
    }

    /// The rate at which absent keys are claimed, fill^k, from 0 to 1. Reads the whole filter.
    #[must_use]
    pub fn predicted_fpr(&self) -> f64 {
        libm::pow(self.fill(), f64::from(self.k))
    }

    /// Whether more than three quarters of the bits are set. Reads the whole filter.
    ///
    /// A filter is best half full, and three quarters full with twice the keys it was made for:
    /// past this point our own must be remade larger (section 3.2) and a peer's tells too little
    /// to be believed.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.ones() > self.bits() / 4 * 3
    }

    /// What turns a hash into an index, where the size is a power of two.
    #[inline(always)]
    fn mask(&self) -> Option<u64> {
        self.bytes.len().is_power_of_two().then(|| self.bits() - 1)
    }

    #[inline(always)]
    fn insert_masked(&mut self, key: &Key<'_>, mask: u64) {
        let (mut buffer, k) = ([0; AHEAD], self.k as usize);
        for first in (0..k).step_by(AHEAD) {
            let hashes = &mut buffer[..AHEAD.min(k - first)];
            key.hash(first, hashes);
            self.set_all(hashes, mask);
        }
    }

    #[inline(always)]
    fn set_all(&mut self, hashes: &[u64], mask: u64) {
        for hash in hashes {
            self.set(hash & mask);
        }
    }

    /// A miss should hash little and a hit branch rarely, so bits are asked for in growing groups,
    /// one branch each.
    #[inline(always)]
    fn contains_masked(&self, key: &Key<'_>, mask: u64) -> bool {
        let (k, held) = (self.k as usize, |hash| self.bit(hash & mask));
        if k < FIRST {
            return key.all(0..k, held);
        }
        key.all(0..FIRST, held)
            && key.all(FIRST..k.min(FIRST + NEXT), held)
            && (FIRST + NEXT..k).step_by(AHEAD).all(|first| self.all_ahead(key, first, mask))
    }

    #[inline(always)]
    fn all_ahead(&self, key: &Key<'_>, first: usize, mask: u64) -> bool {
        let mut buffer = [0; AHEAD];
        let hashes = &mut buffer[..AHEAD.min(self.k as usize - first)];
        key.hash(first, hashes);
        hashes.iter().fold(true, |all, hash| all & self.bit(hash & mask))
    }

    fn insert_sampled(&mut self, key: &[u8]) {
        let (bits, k, rule) = (self.bits(), self.k as usize, self.rule);
        Indices::new(key, bits, rule).take(k).for_each(|index| self.set(index));
    }

    fn indices<'a>(&self, key: &'a [u8]) -> impl Iterator<Item = u64> + use<'a> {
        Indices::new(key, self.bits(), self.rule).take(self.k as usize)
    }

    #[inline(always)]
    fn set(&mut self, index: u64) {
        let (byte, bit) = bucket(index);
        self.bytes[byte] |= bit;
    }

    #[inline(always)]
    fn bit(&self, index: u64) -> bool {
        let (byte, bit) = bucket(index);
        self.bytes[byte] & bit != 0
    }
}

/// Keys on their way into a [`Filter`]; see [`Filter::batch`].
pub struct Batch<'a> {
    filter: &'a mut Filter,
    mask: Option<u64>,
    hashes: [u64; BATCH],
    used: usize,
}

impl Batch<'_> {
    /// Adds a key.
    #[inline]
    pub fn insert(&mut self, key: &[u8]) {
        let k = self.filter.k as usize;
        if self.mask.is_none() {
            return self.filter.insert_sampled(key);
        }
        if self.used + k > BATCH {
            self.flush();
        }
        Key::new(key).hash(0, &mut self.hashes[self.used..self.used + k]);
        self.used += k;
    }

    #[inline]
    fn flush(&mut self) {
        if let Some(mask) = self.mask {
            self.filter.set_all(&self.hashes[..self.used], mask);
        }
        self.used = 0;
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("filter", &self.filter).finish_non_exhaustive()
    }
}

/// Megabytes of bits tell a reader nothing; their number does.
impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("bits", &self.bits())
            .field("ones", &self.ones())
            .field("k", &self.k)
            .field("rule", &self.rule)
            .finish()
    }
}

impl<K: AsRef<[u8]>> Extend<K> for Filter {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        self.insert_all(keys);
    }
}
