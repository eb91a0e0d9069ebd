use ipld_core::ipld::Ipld;
use proptest::prelude::*;

/// Any value of the data model that DAG-CBOR writes.
pub(crate) fn ipld() -> impl Strategy<Value = Ipld> {
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        any::<i64>().prop_map(|n| Ipld::Integer(n.into())),
        (-1e300..1e300f64).prop_map(Ipld::Float),
        ".{0,30}".prop_map(Ipld::String),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Ipld::Bytes),
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..=64))
            .prop_map(|(kind, digest)| Ipld::Link(super::cid(kind, &digest))),
    ];
    leaf.prop_recursive(6, 200, 30, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..30).prop_map(Ipld::List),
            prop::collection::btree_map(".{0,8}", inner, 0..30).prop_map(Ipld::Map),
        ]
    })
}
