//! The DAG-PB scanner finds the links that a full decoder finds, in the same order.

mod samples;

use carpool_core::{Bytes, Cid};
use ipld_dagpb::{PbLink, PbNode};
use proptest::prelude::*;

fn oracle(data: &[u8]) -> Option<Vec<Cid>> {
    let node = PbNode::from_bytes(Bytes::copy_from_slice(data)).ok()?;
    Some(node.links.into_iter().map(|link| link.cid).collect())
}

fn link() -> impl Strategy<Value = PbLink> {
    let digest = prop::collection::vec(any::<u8>(), 0..=64);
    (any::<u8>(), digest, prop::option::of(".{0,20}"), prop::option::of(any::<u64>())).prop_map(
        |(kind, digest, name, size)| PbLink { cid: samples::cid(kind, &digest), name, size },
    )
}

fn node() -> impl Strategy<Value = PbNode> {
    let data = prop::option::of(prop::collection::vec(any::<u8>(), 0..200));
    (prop::collection::vec(link(), 0..20), data)
        .prop_map(|(links, data)| PbNode { links, data: data.map(Bytes::from) })
}

proptest! {
    #[test]
    fn of_any_node(node in node()) {
        let data = node.into_bytes();
        prop_assert_eq!(samples::pb_links(&data).ok(), oracle(&data));
    }

    /// The other decoder skips fields that DAG-PB does not have, which the scanner refuses.
    #[test]
    fn of_any_damaged_node(
        node in node(),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..3),
    ) {
        let mut data = node.into_bytes();
        for (at, byte) in damage {
            let at = at % data.len().max(1);
            data.splice(at..(at + 1).min(data.len()), [byte]);
        }
        if let (Ok(links), Some(expected)) = (samples::pb_links(&data), oracle(&data)) {
            prop_assert_eq!(links, expected);
        }
    }
}
