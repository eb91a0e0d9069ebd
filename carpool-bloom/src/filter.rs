use alloc::{vec, vec::Vec};
use core::{fmt, ops::Range};

use crate::hash::Lanes;
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
        let (Some(mask), Some(lanes)) = (self.mask(), Lanes::load(key)) else {
            return self.insert_other(key);
        };
        self.insert_lanes(&lanes, mask);
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
        match (self.mask(), Lanes::load(key)) {
            (Some(mask), Some(lanes)) if self.k as usize >= FIRST => {
                self.all(&lanes, 0..FIRST, mask) && self.contains_rest(key, mask)
            }
            _ => self.contains_other(key),
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
    fn insert_lanes(&mut self, lanes: &Lanes, mask: u64) {
        let (mut buffer, k) = ([0; AHEAD], self.k as usize);
        for first in (0..k).step_by(AHEAD) {
            let hashes = &mut buffer[..AHEAD.min(k - first)];
            lanes.hash_all(first, hashes);
            self.set_all(hashes, mask);
        }
    }

    #[inline(always)]
    fn set_all(&mut self, hashes: &[u64], mask: u64) {
        let bytes = &mut self.bytes[..];
        for hash in hashes {
            let (byte, bit) = bucket(hash & mask);
            bytes[byte] |= bit;
        }
    }

    /// What [`contains`](Self::contains) asks after the first bits. Kept apart, so that what answers
    /// most misses stays small, and with the key itself, so that its words need not lie in memory.
    #[inline(never)]
    fn contains_rest(&self, key: &[u8], mask: u64) -> bool {
        let (k, Some(lanes)) = (self.k as usize, Lanes::load(key)) else { return false };
        let later = FIRST + NEXT;
        if k < later {
            return self.all(&lanes, FIRST..k, mask);
        }
        self.all(&lanes, FIRST..later, mask)
            && (later..k)
                .step_by(AHEAD)
                .all(|first| self.all(&lanes, first..k.min(first + AHEAD), mask))
    }

    #[inline(always)]
    fn all(&self, lanes: &Lanes, seeds: Range<usize>, mask: u64) -> bool {
        let bytes = &self.bytes[..];
        lanes.all(seeds, |hash| {
            let (byte, bit) = bucket(hash & mask);
            bytes[byte] & bit != 0
        })
    }

    /// Kept apart, because code for all lengths is long.
    #[inline(never)]
    fn insert_other(&mut self, key: &[u8]) {
        let (bits, k, rule) = (self.bits(), self.k as usize, self.rule);
        Indices::new(key, bits, rule).take(k).for_each(|index| self.set(index));
    }

    #[inline(never)]
    fn contains_other(&self, key: &[u8]) -> bool {
        Indices::new(key, self.bits(), self.rule).take(self.k as usize).all(|index| self.bit(index))
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
        let Some(lanes) = self.mask.and_then(|_| Lanes::load(key)) else {
            return self.filter.insert_other(key);
        };
        if self.used + k > BATCH {
            self.flush();
        }
        lanes.hash_all(0, &mut self.hashes[self.used..self.used + k]);
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
