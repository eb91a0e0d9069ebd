//! A look-up makes few reads, of a page each: as few as its documentation says.

mod index_samples;

use carpool_car::index::{Codec, Entry, IndexLimits, Key, Lookup, encode};
use carpool_core::sha2_256;

const ENTRIES: u32 = 100_000;

fn reads(index: &[u8], digest: &[u8]) -> (usize, usize, usize) {
    let key = Key::digest(digest).expect("short");
    let lookup = Lookup::new(key, 0, &IndexLimits::default());
    let (found, ended) = index_samples::look_up(lookup, index);
    let (reads, bytes) = ended.expect("a good index");
    (found.len(), reads, bytes)
}

fn index(digest: impl Fn(u32) -> [u8; 32]) -> Vec<u8> {
    let entry = |n: u32| Entry::new(Some(0x12), &digest(n), n.into()).expect("short");
    encode(Codec::MultihashSorted, (0..ENTRIES).map(entry), &IndexLimits::default())
        .expect("one bucket")
}

#[test]
fn of_digests_that_are_spread_evenly() {
    let digest = |n: u32| sha2_256(&n.to_le_bytes());
    let index = index(digest);
    let (mut all, mut most) = (0, 0);
    for n in (0..ENTRIES).step_by(97) {
        let (found, reads, bytes) = reads(&index, &digest(n));
        assert!(found == 1 && bytes <= reads * 4096);
        (all, most) = (all + reads, most.max(reads));
    }
    let mean = all as f64 / f64::from(ENTRIES.div_ceil(97));
    println!("{mean:.2} reads in the mean, {most} at most");
    assert!(mean < 4.0 && most < 9, "{mean:.2} reads in the mean, {most} at most");
    assert_eq!(reads(&index, &[0x55; 32]).0, 0);
}

/// 977 pages: `4 + 2 × log2(977)` and one for the head.
#[test]
fn of_digests_that_are_not() {
    let near = |n: u32| {
        let mut digest = [0; 32];
        digest[28..].copy_from_slice(&n.to_be_bytes());
        digest
    };
    let skewed = |n: u32| {
        let mut digest = [0; 32];
        let n = u64::from(n);
        digest[..8].copy_from_slice(&(n * n * n).to_be_bytes());
        digest
    };
    let (near_index, skewed_index) = (index(near), index(skewed));
    for n in (0..ENTRIES).step_by(97) {
        for (name, index, digest) in
            [("near", &near_index, near(n)), ("skewed", &skewed_index, skewed(n))]
        {
            let (found, reads, _) = reads(index, &digest);
            assert!(found == 1 && reads <= 25, "{name}: {reads} reads");
        }
    }
}

#[test]
fn of_entries_that_repeat() {
    let index = index(|n| [u8::from(n >= 50_000); 32]);
    let (found, reads, bytes) = reads(&index, &[1; 32]);
    assert_eq!(found, 50_000);
    assert!(reads < 25 + 500 && bytes < 2 << 20, "{reads} reads of {bytes} bytes");
}
