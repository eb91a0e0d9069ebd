//! Batches of every small size, and mixes of lengths, against `sha2`.

mod common;

use common::{bytes, check};
use proptest::{collection::vec, prelude::*};

#[test]
fn every_size_of_a_batch() {
    for count in 0..=40 {
        let equal: Vec<_> = (0..count).map(|n| bytes(200, n as u64)).collect();
        check(&equal);
        let growing: Vec<_> = (0..count).map(|n| bytes(37 * n, 5)).collect();
        check(&growing);
        let shrinking: Vec<_> = growing.into_iter().rev().collect();
        check(&shrinking);
    }
}

#[test]
fn one_long_message_anywhere_in_a_batch() {
    for count in 1..=9 {
        for long in 0..count {
            let length = |n| if n == long { 70_000 } else { 90 };
            let messages: Vec<_> = (0..count).map(|n| bytes(length(n), n as u64)).collect();
            check(&messages);
        }
    }
}

#[test]
#[should_panic(expected = "a digest for each message")]
fn digests_for_other_messages() {
    carpool_hash::sha2_256_into(&[b"a", b"b"], &mut [[0; 32]]);
}

/// Lengths of all sizes up to 256 KiB, small ones and edges of blocks more often.
fn length() -> impl Strategy<Value = usize> {
    let edge = (0_usize..70, 0_usize..20).prop_map(|(n, off)| (64 * n + 10).saturating_sub(off));
    prop_oneof![8 => 0_usize..300, 8 => edge, 4 => 0_usize..9000, 1 => 0_usize..=256 << 10]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_mix(lengths in vec(length(), 0..40), seed: u64) {
        let of = |(n, len): (usize, &usize)| bytes(*len, seed.wrapping_add(n as u64));
        let messages: Vec<_> = lengths.iter().enumerate().map(of).collect();
        check(&messages);
    }

    /// Messages may lie anywhere and overlap.
    #[test]
    fn any_slices_of_one_buffer(
        ranges in vec((0_usize..5000, 0_usize..3000), 0..40),
        seed: u64,
    ) {
        let buffer = bytes(8000, seed);
        let messages: Vec<_> = ranges.iter().map(|(at, len)| &buffer[*at..at + len]).collect();
        check(&messages);
    }
}
