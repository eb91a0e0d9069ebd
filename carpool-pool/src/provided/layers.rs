use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use carpool_bloom::{Filter, Limits, Params};

use super::{MAX_FILL_PERCENT, MAX_LAYERS};
use crate::Error;

/// Hashes of a fingerprint in a layer: at half its bits it errs in one of a million.
const HASHES: u32 = 20;

/// Filters of growing size, each of one shape for everybody, so that they are joined bit by bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layers(BTreeMap<u8, Filter>);

impl Layers {
    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        self.0.values().any(|filter| filter.contains(&fingerprint.to_le_bytes()))
    }

    pub(super) fn insert(&mut self, layer: u8, fingerprint: u64) {
        let filter = self.0.entry(layer).or_insert_with(|| Filter::new(params(layer)));
        filter.insert(&fingerprint.to_le_bytes());
    }

    /// Those of these numbers.
    pub(super) fn only(&self, layers: &BTreeSet<u8>) -> Self {
        let some = self.0.iter().filter(|(layer, _)| layers.contains(layer));
        Self(some.map(|(layer, filter)| (*layer, filter.clone())).collect())
    }

    pub(super) fn has(&self, layer: u8) -> bool {
        self.0.contains_key(&layer)
    }

    pub(super) fn union(&mut self, other: &Self) {
        for (layer, filter) in &other.0 {
            let ours = self.0.entry(*layer).or_insert_with(|| Filter::new(params(*layer)));
            ours.union(filter).expect("a layer has one shape");
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.keys().map(|layer| bytes(*layer)).sum()
    }

    /// What they would take together with `other`.
    pub(super) fn bytes_with(&self, other: &Self) -> usize {
        let new = other.0.keys().filter(|layer| !self.0.contains_key(layer));
        self.bytes() + new.map(|layer| bytes(*layer)).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (u8, &[u8])> {
        self.0.iter().map(|(layer, filter)| (*layer, filter.as_bytes()))
    }

    /// A layer as it travels.
    pub(super) fn add(&mut self, layer: u8, bits: &[u8]) -> Result<(), Error> {
        let limits = Limits { max_bytes: bytes(layer), ..Limits::default() };
        let filter = Filter::from_wire(Vec::from(bits), HASHES, &limits).ok().flatten();
        let filter = filter.ok_or(Error::Gossip { expected: "the bits of a layer" })?;
        self.0.insert(layer, filter);
        self.check()
    }

    /// # Errors
    /// [`Error::Saturated`] where more bits are set than in any honest filter.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.0.values().try_for_each(|filter| {
            let (ones, bits) = (filter.ones(), filter.bits());
            if ones * 100 > bits * MAX_FILL_PERCENT {
                return Err(Error::Saturated { ones, bits });
            }
            Ok(())
        })
    }
}

/// Bytes of a layer.
pub(super) const fn bytes(layer: u8) -> usize {
    1024 << layer
}

/// Fingerprints that fill a layer to half.
pub(super) fn capacity(layer: u8) -> u64 {
    bytes(layer) as u64 * 8 / 29
}

fn params(layer: u8) -> Params {
    debug_assert!(layer < MAX_LAYERS);
    Params::new(bytes(layer), HASHES).expect("a size and a count within their bounds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn of_ones(ones: usize) -> Vec<u8> {
        let mut bits = vec![0; bytes(0)];
        (0..ones).for_each(|bit| bits[bit / 8] |= 1 << (bit % 8));
        bits
    }

    #[test]
    fn fill_at_the_limit_and_one_past_it() {
        let most = bytes(0) * 8 * 60 / 100;
        assert_eq!(Layers::default().add(0, &of_ones(most)), Ok(()));
        let (ones, bits) = (most as u64 + 1, bytes(0) as u64 * 8);
        let refused = Layers::default().add(0, &of_ones(most + 1));
        assert_eq!(refused, Err(Error::Saturated { ones, bits }));
    }

    #[test]
    fn a_full_layer_is_half_full() {
        let mut layers = Layers::default();
        let mut random = 1_u64;
        for _ in 0..capacity(2) {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            layers.insert(2, random);
        }
        let filter = &layers.0[&2];
        assert!((45..=52).contains(&(filter.ones() * 100 / filter.bits())));
        assert_eq!(layers.check(), Ok(()));
    }
}
