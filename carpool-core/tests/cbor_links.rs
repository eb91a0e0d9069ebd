//! The DAG-CBOR scanner finds the links that a full decoder finds, in the same order.

mod samples;

use carpool_core::Cid;
use ipld_core::{codec::Links, ipld::Ipld};
use proptest::prelude::*;
use serde_ipld_dagcbor::codec::DagCborCodec;

fn oracle(data: &[u8]) -> Vec<Cid> {
    DagCborCodec::links(data).expect("decoded before").collect()
}

/// The other decoder reads more than it writes, such as CIDs with bytes after them.
fn canonical(data: &[u8]) -> bool {
    let value: Result<Ipld, _> = serde_ipld_dagcbor::from_slice(data);
    value.is_ok_and(|value| serde_ipld_dagcbor::to_vec(&value).is_ok_and(|out| out == data))
}

proptest! {
    #[test]
    fn of_any_value(value in samples::ipld()) {
        let data = serde_ipld_dagcbor::to_vec(&value).expect("any value has a form");
        prop_assert_eq!(samples::cbor_links(&data), Ok(oracle(&data)));
    }

    /// The scanner may read what is not canonical, and never refuses what is.
    #[test]
    fn of_any_damaged_value_that_is_still_canonical(
        value in samples::ipld(),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..3),
    ) {
        let mut data = serde_ipld_dagcbor::to_vec(&value).expect("any value has a form");
        for (at, byte) in damage {
            let at = at % data.len();
            data[at] = byte;
        }
        let scanned = samples::cbor_links(&data);
        if canonical(&data) {
            prop_assert_eq!(scanned, Ok(oracle(&data)));
        }
    }
}
