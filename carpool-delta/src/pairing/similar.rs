use alloc::{collections::BTreeMap, vec::Vec};

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

/// Sketches of new blocks by feature, and the old block that each is most like up to now.
#[derive(Debug)]
pub(super) struct Sketches<T> {
    blocks: Vec<New<T>>,
    /// Features and the blocks that have them, in order once they are looked for.
    features: Vec<(u64, u32)>,
    sorted: bool,
}

#[derive(Debug)]
struct New<T> {
    block: T,
    features: usize,
    best: Option<(usize, T)>,
}

impl<T> Default for Sketches<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), features: Vec::new(), sorted: true }
    }
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

impl<T: Copy> Sketches<T> {
    /// Adds a new block.
    pub(super) fn add(&mut self, sketch: Sketch, block: T) {
        let Ok(at) = u32::try_from(self.blocks.len()) else { return };
        self.blocks.push(New { block, features: sketch.0.len(), best: None });
        self.features.extend(sketch.0.into_iter().map(|feature| (feature, at)));
        self.sorted = false;
    }

    /// Holds an old block against the new ones; of several that are as like, the first counts.
    pub(super) fn compare(&mut self, sketch: &Sketch, old: T) {
        if !core::mem::replace(&mut self.sorted, true) {
            self.features.sort_unstable();
        }
        let mut common = BTreeMap::<u32, usize>::new();
        for feature in &sketch.0 {
            let first = self.features.partition_point(|(known, _)| known < feature);
            let same = self.features[first..].iter().take_while(|(known, _)| known == feature);
            same.for_each(|(_, at)| *common.entry(*at).or_default() += 1);
        }
        for (at, count) in common {
            let Some(new) = self.blocks.get_mut(at as usize) else { continue };
            let enough = count >= MIN_COMMON.max(new.features / MIN_SHARE);
            if enough && new.best.is_none_or(|(best, _)| count > best) {
                new.best = Some((count, old));
            }
        }
    }

    /// The new blocks that are like old ones, with these.
    pub(super) fn into_pairs(self) -> impl Iterator<Item = (T, T)> {
        self.blocks.into_iter().filter_map(|new| Some((new.block, new.best?.1)))
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
        let mut changed = words(7, 1_000);
        changed.splice(100..100, *b"something new");
        changed.drain(3_000..4_000);
        let mut sketches = Sketches::default();
        for (n, bytes) in [changed, words(99, 1_000), Vec::new()].iter().enumerate() {
            sketches.add(Sketch::of(bytes), 100 + n);
        }
        for n in 0..20 {
            sketches.compare(&Sketch::of(&words(n, 1_000)), usize::try_from(n).expect("small"));
        }
        assert_eq!(sketches.into_pairs().collect::<Vec<_>>(), [(100, 7)]);
    }
}
