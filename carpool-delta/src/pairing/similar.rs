use alloc::{collections::BTreeMap, vec::Vec};
use carpool_core::Cid;

/// Features of one sketch.
const FEATURES: usize = 64;
/// Features that two blocks have in common at least, to be alike.
const MIN_COMMON: usize = 4;
/// And at least one of so many.
const MIN_SHARE: usize = 8;

/// The smallest hashes of places in a block that its bytes choose: blocks with the same pieces have the
/// same ones.
#[derive(Clone, Debug)]
pub(super) struct Sketch(Vec<u64>);

/// Sketches of old blocks, by feature.
#[derive(Debug, Default)]
pub(super) struct Sketches {
    blocks: Vec<(u32, Cid)>,
    by_feature: BTreeMap<u64, Vec<u32>>,
}

impl Sketch {
    pub(super) fn of(data: &[u8]) -> Self {
        let mut features: Vec<u64> = Vec::with_capacity(4 * FEATURES);
        let (mut hash, mut most) = (0_u64, u64::MAX);
        for byte in data {
            // Shifted out after 64 bytes, so that it depends on these alone.
            hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            if hash >> 58 != 0 {
                continue;
            }
            let feature = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if feature < most {
                features.push(feature);
                if features.len() == 4 * FEATURES {
                    most = keep_smallest(&mut features);
                }
            }
        }
        keep_smallest(&mut features);
        Self(features)
    }
}

/// Keeps the smallest and returns the largest of them, if there are as many as may be.
fn keep_smallest(features: &mut Vec<u64>) -> u64 {
    features.sort_unstable();
    features.dedup();
    features.truncate(FEATURES);
    if features.len() == FEATURES { features[FEATURES - 1] } else { u64::MAX }
}

impl Sketches {
    pub(super) fn add(&mut self, sketch: &Sketch, block: (u32, Cid)) {
        let Ok(at) = u32::try_from(self.blocks.len()) else { return };
        self.blocks.push(block);
        for feature in &sketch.0 {
            self.by_feature.entry(*feature).or_default().push(at);
        }
    }

    /// The block that has most in common with another, of several the first; `None` where none has enough.
    pub(super) fn most_like(&self, sketch: &Sketch) -> Option<(u32, Cid)> {
        let mut common = BTreeMap::<u32, usize>::new();
        for at in sketch.0.iter().filter_map(|feature| self.by_feature.get(feature)).flatten() {
            *common.entry(*at).or_default() += 1;
        }
        let least = MIN_COMMON.max(sketch.0.len() / MIN_SHARE);
        let enough = common.into_iter().filter(|(_, count)| *count >= least);
        let (best, _) = enough.max_by_key(|(at, count)| (*count, core::cmp::Reverse(*at)))?;
        self.blocks.get(best as usize).copied()
    }
}

/// A random number for each byte.
static GEAR: [u64; 256] = gear();

/// `SplitMix64`.
const fn gear() -> [u64; 256] {
    let (mut table, mut state, mut n) = ([0; 256], 0_u64, 0);
    while n < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[n] = x ^ (x >> 31);
        n += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use carpool_core::{Block, codec};

    fn words(seed: u64, count: usize) -> Vec<u8> {
        let mut state = seed;
        let mut word = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("{:x} ", state >> 44)
        };
        (0..count).flat_map(|_| word().into_bytes()).collect()
    }

    #[test]
    fn what_has_pieces_in_common_is_alike() {
        let mut sketches = Sketches::default();
        let cid = |n: u8| *Block::new(codec::RAW, alloc::vec![n].into()).cid();
        for n in 0..20 {
            sketches.add(&Sketch::of(&words(u64::from(n), 1_000)), (u32::from(n), cid(n)));
        }
        let mut changed = words(7, 1_000);
        changed.splice(100..100, *b"something new");
        changed.drain(3_000..4_000);
        assert_eq!(sketches.most_like(&Sketch::of(&changed)), Some((7, cid(7))));
        assert_eq!(sketches.most_like(&Sketch::of(&words(99, 1_000))), None);
        assert_eq!(sketches.most_like(&Sketch::of(b"")), None);
    }
}
