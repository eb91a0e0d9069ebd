//! Filters merge only where a bit means the same in both.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use carpool_bloom::{Error, Filter, Params, Rejection};

fn filter(bytes: usize, k: u32) -> Filter {
    Filter::new(Params::new(bytes, k).unwrap())
}

#[test]
fn other_sizes_and_other_k_do_not_merge() {
    for (bytes, k) in [(16, 3), (4, 3), (8, 2)] {
        let mut left = filter(8, 3);
        left.insert(b"key");
        let before = left.clone();
        let error = Error::Mismatch { left: (8, 3), right: (bytes, k) };
        assert_eq!(left.union(&filter(bytes, k)), Err(error));
        assert_eq!(left, before);
    }
}

#[test]
fn rejection_rules_matter_only_where_indices_are_rejected() {
    let go = |bytes| filter(bytes, 3).with_rejection(Rejection::Go);
    assert!(filter(16, 3).union(&go(16)).is_ok());
    assert!(filter(13, 3).union(&go(13)).is_err());
}
