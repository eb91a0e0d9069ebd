//! Links as checked bytes: what `serde_ipld_dagcbor` refuses is refused, and what is read has the
//! links that it finds.

mod samples;

use carpool_core::{Cid, Limits, MAX_NESTING, codec, for_each_link_bytes};
use ipld_core::{codec::Links, ipld::Ipld};
use proptest::prelude::*;
use serde_ipld_dagcbor::codec::DagCborCodec;

fn strict(data: &[u8]) -> Result<Vec<Vec<u8>>, carpool_core::Error> {
    let (cid, mut links) = (samples::cid_of(codec::DAG_CBOR), Vec::new());
    for_each_link_bytes(&cid, data, &Limits::default(), |link| links.push(link.to_vec()))?;
    Ok(links)
}

/// Links by the other decoder; `None` where it refuses the block.
fn oracle(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    serde_ipld_dagcbor::from_slice::<Ipld>(data).ok()?;
    let links = DagCborCodec::links(data).ok()?;
    Some(links.map(|link| link.to_bytes()).collect())
}

fn check(data: &[u8]) {
    if let Ok(links) = strict(data) {
        assert_eq!(Some(links), oracle(data), "{data:x?}");
    }
}

/// Bytes that mean something, so that what is made of them is nearly good.
fn token() -> impl Strategy<Value = Vec<u8>> {
    let link = (any::<u8>(), any::<[u8; 2]>()).prop_map(|(kind, digest)| {
        let cid = samples::cid(kind, &digest).to_bytes();
        let len = u8::try_from(cid.len() + 1).expect("short");
        [&[0xd8, 0x2a, 0x58, len, 0][..], &cid].concat()
    });
    let heads = prop::sample::select(&b"\x80\x81\x82\xa0\xa1\xa2\x60\x40\x18\x38\x58\x78\x98\xb8\x19\x1a\x1b\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\x9f\xff\xc2\xd8"[..]);
    prop_oneof![
        2 => link,
        4 => heads.prop_map(|byte| vec![byte]),
        2 => "[a-c]{1,2}".prop_map(|key| serde_ipld_dagcbor::to_vec(&key).expect("a string")),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, 1.5])
            .prop_map(|float: f64| [&[0xfb][..], &float.to_be_bytes()].concat()),
    ]
}

proptest! {
    #[test]
    fn every_good_block_is_read(value in samples::ipld()) {
        let data = serde_ipld_dagcbor::to_vec(&value).expect("any value has a form");
        let expected = oracle(&data);
        prop_assert_eq!(strict(&data).ok(), expected);
    }

    #[test]
    fn damaged_blocks(
        value in samples::ipld(),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..3),
    ) {
        let mut data = serde_ipld_dagcbor::to_vec(&value).expect("any value has a form");
        for (at, byte) in damage {
            let at = at % data.len();
            data[at] = byte;
        }
        check(&data);
    }

    #[test]
    fn nearly_good_bytes(tokens in prop::collection::vec(token(), 1..12)) {
        check(&tokens.concat());
    }
}

#[test]
fn every_block_of_up_to_two_bytes_and_three_of_heads() {
    check(&[]);
    for a in 0..=255 {
        check(&[a]);
        for b in 0..=255 {
            check(&[a, b]);
            for c in [0, 0x17, 0x18, 0x20, 0x40, 0x60, 0x61, 0x80, 0xa0, 0xf6, 0xff] {
                check(&[a, b, c]);
            }
        }
    }
}

#[test]
fn what_the_lenient_scan_lets_pass() {
    let bad: [&[u8]; 14] = [
        b"\x18\x17",                             // an integer of one byte too many
        b"\x38\x00",                             // a negative one
        b"\x58\x01a",                            // a length of bytes
        b"\x98\x01\x00",                         // of an array
        b"\xb8\x00",                             // of a map
        b"\xd9\x00\x2a\x41\x00",                 // tag 42 in three bytes
        b"\x61\xff",                             // no UTF-8
        b"\xa1\x00\x00",                         // a key that is a number
        b"\xa2\x61b\x00\x61a\x00",               // keys that descend
        b"\xa2\x61a\x00\x61a\x00",               // a key twice
        b"\xa2\x62aa\x00\x61b\x00",              // a longer key first
        b"\xfb\x80\x00\x00\x00\x00\x00\x00\x00", // negative zero
        b"\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", // infinity
        b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00", // not a number
    ];
    for data in bad {
        assert!(strict(data).is_err() && oracle(data).is_none(), "{data:x?}");
    }
}

#[test]
fn nesting_up_to_the_limit() {
    let nested =
        |front: &[u8], levels: usize, inner: &[u8]| [&front.repeat(levels), inner].concat();
    for front in [&b"\x81"[..], b"\xa1\x61a"] {
        for (inner, at_most) in [(&b"\x00"[..], MAX_NESTING), (b"\x80", MAX_NESTING)] {
            let at_limit = nested(front, at_most, inner);
            assert_eq!((strict(&at_limit), oracle(&at_limit)), (Ok(vec![]), Some(vec![])));
            let beyond = nested(front, at_most + 1, inner);
            assert!(strict(&beyond).is_err() && oracle(&beyond).is_none());
        }
    }
    assert!(strict(&[0x81; 1 << 20]).is_err());
}

/// DAG-PB gives the links of the other form, as bytes.
#[test]
fn of_dag_pb() {
    let cids: Vec<Cid> = (0..4).map(|kind| samples::cid(kind, b"digest")).collect();
    let link = |cid: &Cid| {
        let cid = cid.to_bytes();
        let len = u8::try_from(cid.len()).expect("short");
        [&[0x12, len + 2, 0x0a, len][..], &cid].concat()
    };
    let data: Vec<u8> = cids.iter().flat_map(link).collect();
    let mut found = Vec::new();
    let pb = samples::cid_of(codec::DAG_PB);
    for_each_link_bytes(&pb, &data, &Limits::default(), |link| found.push(link)).expect("good");
    assert!(found.into_iter().eq(cids.iter().map(Cid::to_bytes)));
    assert_eq!(samples::pb_links(&data), Ok(cids));
}
