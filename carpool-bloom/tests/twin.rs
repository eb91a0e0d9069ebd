//! The filter and its slow twin set the same bits and give the same answers.

mod reference;

use carpool_bloom::{Filter, Params, Rejection};
use proptest::prelude::*;
use reference::Reference;

fn rule() -> impl Strategy<Value = Rejection> {
    prop_oneof![Just(Rejection::Spec), Just(Rejection::Rust), Just(Rejection::Go)]
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![(0..=12_u32).prop_map(|power| 1 << power), 1..=300_usize]
}

/// CIDs mostly, and every length class of XXH3.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 34..=38),
        1 => prop::collection::vec(any::<u8>(), 0..=300),
    ]
}

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(key(), 0..60)
}

proptest! {
    #[test]
    fn same_bits_same_answers(
        (bytes, k, rule) in (size(), 1..=64_u32, rule()), held in keys(), asked in keys()
    ) {
        let mut filter = Filter::new(Params::new(bytes, k).unwrap()).with_rejection(rule);
        let mut twin = Reference::new(bytes, k, rule);
        for key in &held {
            filter.insert(key);
            twin.insert(key);
        }
        prop_assert_eq!(filter.as_bytes(), twin.bytes());
        prop_assert_eq!(filter.ones(), twin.ones());
        prop_assert!(held.iter().all(|key| filter.contains(key)), "never denies what it holds");
        for key in &asked {
            prop_assert_eq!(filter.contains(key), twin.contains(key));
        }
    }

    #[test]
    fn many_at_once_are_one_by_one(
        (bytes, k, rule) in (size(), 1..=64_u32, rule()), held in keys()
    ) {
        let mut one_by_one = Filter::new(Params::new(bytes, k).unwrap()).with_rejection(rule);
        let mut at_once = one_by_one.clone();
        held.iter().for_each(|key| one_by_one.insert(key));
        at_once.insert_all(&held);
        prop_assert_eq!(one_by_one, at_once);
    }

    #[test]
    fn a_union_is_a_filter_of_both(
        (bytes, k, rule) in (size(), 1..=64_u32, rule()), left in keys(), right in keys()
    ) {
        let empty = Filter::new(Params::new(bytes, k).unwrap()).with_rejection(rule);
        let of = |keys: &[&Vec<Vec<u8>>]| {
            let mut filter = empty.clone();
            filter.extend(keys.iter().copied().flatten());
            filter
        };
        let mut union = of(&[&left]);
        union.union(&of(&[&right])).unwrap();
        prop_assert_eq!(union, of(&[&left, &right]));
    }
}
