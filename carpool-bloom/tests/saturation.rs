//! A filter that claims too much is recognised, one that holds nothing claims nothing.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use carpool_bloom::{Filter, Limits, Params};

fn filter(bytes: &[u8]) -> Filter {
    Filter::from_wire(bytes, 3, &Limits::default()).unwrap().unwrap()
}

#[test]
fn three_quarters_are_the_limit() {
    let table = [
        (&[0x00, 0x00][..], 0, false),
        (&[0xff, 0x0f], 12, false),
        (&[0xff, 0x1f], 13, true),
        (&[0xff, 0xff], 16, true),
        // Sizes that are no power of two, counted past the last whole word.
        (&[0xff, 0xff, 0x03], 18, false),
        (&[0xff; 13], 104, true),
    ];
    for (bytes, ones, saturated) in table {
        assert_eq!((filter(bytes).ones(), filter(bytes).is_saturated()), (ones, saturated));
    }
}

#[test]
fn rates_follow_from_the_fill() {
    let table =
        [(&[0x00, 0x00][..], 0.0, 0.0), (&[0xff, 0x00], 0.5, 0.125), (&[0xff, 0xff], 1.0, 1.0)];
    for (bytes, fill, fpr) in table {
        assert_eq!((filter(bytes).fill(), filter(bytes).predicted_fpr()), (fill, fpr));
    }
}

#[test]
fn an_empty_filter_contains_nothing() {
    for bytes in [1, 2, 13, 4096] {
        let filter = Filter::new(Params::new(bytes, 1).unwrap());
        assert!((0..1_000_u32).all(|key| !filter.contains(&key.to_le_bytes())));
    }
}

#[test]
fn no_filter_is_saturated_by_the_keys_it_was_made_for() {
    for n in [1, 3, 10, 100, 1_000, 10_000] {
        let mut filter = Filter::new(Params::for_items(n));
        filter.insert_all((0..n).map(u64::to_le_bytes));
        assert!(!filter.is_saturated(), "n = {n}, fill {}", filter.fill());
    }
}
