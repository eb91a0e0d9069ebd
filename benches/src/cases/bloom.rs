//! The filter against the bare cost of its hashes, and against the crate of the existing peer.

use carpool_bloom::{Filter, Params};
use deterministic_bloom::runtime_size::BloomFilter;
use std::hint::black_box;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{
    clock::{by_turns, timed_thread},
    report::{Goal, Row},
};

/// A binary CID of 36 bytes.
pub type Key = [u8; 36];

// Transfers put their keys in as a batch, so that is what `insert` means here.

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// Keys that are asked for and not held, at every size. Of fewer, asked for again and again, a
/// processor learns the answers by heart, which in a transfer come once each.
const ABSENT: u64 = 1_000_000;
/// Keys handled in one measurement at least, so that it takes milliseconds.
const AT_LEAST: u64 = 200_000;
const RUNS: usize = 11;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    for n in SIZES {
        let held: Vec<Key> = (0..n).map(key).collect();
        let absent: Vec<Key> = (n..n + ABSENT).map(key).collect();
        let params = Params::for_items(n);
        let mut filter = Filter::new(params);
        let mut theirs = BloomFilter::new_from_fpr_po2(n, f64::min(1e-3, 0.1 / n as f64));
        assert_eq!(filter.as_bytes().len(), theirs.as_bytes().len(), "of the same size");
        insert(n, &held, &mut filter, params.k(), &mut theirs, each);
        let both = format!("{n} keys, k = {} and {}", params.k(), theirs.hash_count());
        for (what, keys, goal) in [("hit", &held, 3.5), ("miss", &absent, 2.3)] {
            let (ours, theirs) = by_turns(
                RUNS,
                || per_key(keys, |key| filter.contains(key)),
                || per_key(keys, |key| theirs.contains(key)),
            );
            each(compared(&format!("{what}, {both}"), ours, theirs, goal));
        }
    }
}

fn insert(
    n: u64,
    keys: &[Key],
    filter: &mut Filter,
    k: u32,
    theirs: &mut BloomFilter,
    each: &mut dyn FnMut(Row),
) {
    let hashes = |key: &Key| (0..u64::from(k)).fold(0, |x, seed| x ^ xxh3_64_with_seed(key, seed));
    let (one, bare) =
        by_turns(RUNS, || per_key(keys, |key| filter.insert(key)), || per_key(keys, hashes));
    let row = Row::new("bloom", format!("insert one by one, {n} keys, k = {k}"), one, "ns");
    each(row.beside("its bare hashes", bare));
    let (ours, bare) =
        by_turns(RUNS, || batches(keys, |keys| filter.insert_all(keys)), || per_key(keys, hashes));
    let row = Row::new("bloom", format!("insert, {n} keys, k = {k}"), ours, "ns");
    each(row.beside("its bare hashes", bare).goal(Goal::RatioAtMost(1.35)));
    let (ours, peers) = by_turns(
        RUNS,
        || batches(keys, |keys| filter.insert_all(keys)),
        || per_key(keys, |key| theirs.insert(key)),
    );
    each(compared(
        &format!("insert, {n} keys, k = {k} and {}", theirs.hash_count()),
        ours,
        peers,
        4.0,
    ));
}

fn compared(what: &str, ours: f64, theirs: f64, goal: f64) -> Row {
    let row = Row::new("bloom", what, ours, "ns");
    row.against("deterministic-bloom", theirs).goal(Goal::RatioAtLeast(goal))
}

/// Nanoseconds a key.
fn per_key<T>(keys: &[Key], mut work: impl FnMut(&Key) -> T) -> f64 {
    batches(keys, |keys| {
        for key in keys {
            black_box(work(black_box(key)));
        }
    })
}

fn batches(keys: &[Key], mut work: impl FnMut(&[Key])) -> f64 {
    let times = AT_LEAST.div_ceil(keys.len() as u64);
    let (seconds, ()) = timed_thread(|| (0..times).for_each(|_| work(keys)));
    seconds * 1e9 / (times * keys.len() as u64) as f64
}

/// A CIDv1 of sha2-256 as far as a filter can tell: four words of XXH3 stand in for a digest.
#[must_use]
pub fn key(i: u64) -> Key {
    let mut key = [0; 36];
    key[..4].copy_from_slice(&[0x01, 0x55, 0x12, 0x20]);
    for (word, chunk) in (0_u64..).zip(key[4..].chunks_exact_mut(8)) {
        let input = [i.to_le_bytes(), word.to_le_bytes()].concat();
        chunk.copy_from_slice(&xxh3_64(&input).to_le_bytes());
    }
    key
}
