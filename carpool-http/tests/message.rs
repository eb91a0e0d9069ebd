//! Messages against a slow and obvious twin, in any order of keys, and at their limits.

use carpool_bloom::{Filter, Params};
use carpool_core::{Block, Cid, Limits, codec};
use carpool_http::message::{self, Dialect, Kind, MessageError};
use carpool_mirror::Status;
use proptest::prelude::*;
use serde_ipld_dagcbor::codec::DagCborCodec;
use std::collections::BTreeMap;

fn encode(kind: Kind, status: &Status) -> carpool_core::Bytes {
    message::encode(Dialect::Spec, kind, status)
}

fn decode(kind: Kind, bytes: &[u8], limits: &Limits) -> Result<Status, MessageError> {
    message::decode(Dialect::Spec, kind, bytes, limits)
}

/// The twin: a map built by a library, in canonical order.
fn reference(key: &str, status: &Status) -> Vec<u8> {
    use ipld_core::{codec::Codec, ipld::Ipld};
    let (bits, k) = status.have.as_ref().map_or((vec![], 0), |f| (f.as_bytes().to_vec(), f.k()));
    let want = status.want.iter().map(|cid| Ipld::Link(*cid)).collect();
    let map = BTreeMap::from([
        (key.to_owned(), Ipld::List(want)),
        ("bb".to_owned(), Ipld::Bytes(bits)),
        ("bk".to_owned(), Ipld::Integer(k.into())),
    ]);
    DagCborCodec::encode_to_vec(&Ipld::Map(map)).expect("a map encodes")
}

fn cid(n: u32) -> Cid {
    *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid()
}

fn filter(bytes: usize, k: u32) -> Filter {
    let mut filter = Filter::new(Params::new(bytes, k).expect("in range"));
    filter.insert(b"something");
    filter
}

proptest! {
    #[test]
    fn written_as_the_twin_writes_and_read_back(
        want in prop::collection::vec(any::<u32>(), 0..300),
        bits in prop::option::of((0u32..14, 1u32..=64)),
    ) {
        let have = bits.map(|(log, k)| filter(1 << log, k));
        let status = Status { want: want.into_iter().map(cid).collect(), have };
        for (kind, key) in [(Kind::PullRequest, "rs"), (Kind::PushResponse, "dr")] {
            let bytes = encode(kind, &status);
            prop_assert_eq!(&bytes[..], &reference(key, &status)[..]);
            prop_assert_eq!(decode(kind, &bytes, &Limits::default()), Ok(status.clone()));
        }
    }

    #[test]
    fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Kind::PullRequest, &bytes, &Limits::default());
    }
}

/// The order that the Rust peer writes, with links: read all the same.
#[test]
fn keys_come_in_any_order_and_once_each() {
    let canonical = encode(Kind::PullRequest, &Status { want: vec![cid(1)], have: None });
    let link = &canonical[canonical.len() - 41..];
    let peer = [b"\xa3\x62rs\x81", link, b"\x62bk\x03\x62bb\x40"].concat();
    let status = decode(Kind::PullRequest, &peer, &Limits::default()).unwrap();
    assert_eq!(status, Status { want: vec![cid(1)], have: None });
    let twice = [b"\xa3\x62rs\x81", link, b"\x62bk\x03\x62bk\x03"].concat();
    let foreign = [b"\xa3\x62rs\x81", link, b"\x62bk\x03\x62xx\x40"].concat();
    let trailing = [&peer[..], b"\x00"].concat();
    for wrong in [twice, foreign, trailing] {
        assert!(decode(Kind::PullRequest, &wrong, &Limits::default()).is_err());
    }
    assert!(decode(Kind::PushResponse, &peer, &Limits::default()).is_err(), "another message");
    for cut in 0..peer.len() {
        assert!(decode(Kind::PullRequest, &peer[..cut], &Limits::default()).is_err(), "{cut}");
    }
}

#[test]
fn limits_hold_at_and_past() {
    let mut limits = Limits::default();
    (limits.max_wanted, limits.max_bloom_bytes, limits.max_bloom_k) = (3, 64, 8);
    let check = |wanted: u32, bytes: usize, k: u32| {
        let want = (0..wanted).map(cid).collect();
        let status = Status { want, have: Some(filter(bytes, k)) };
        decode(Kind::PullRequest, &encode(Kind::PullRequest, &status), &limits).map(drop)
    };
    assert_eq!(check(3, 64, 8), Ok(()));
    assert_eq!(check(4, 64, 8), Err(MessageError::TooManyCids { cids: 4, max: 3 }));
    assert!(matches!(check(3, 128, 8), Err(MessageError::Bloom(_))));
    assert!(matches!(check(3, 64, 9), Err(MessageError::Bloom(_))));
}

/// A length that is a lie allocates nothing: the claim is held against the bytes at hand.
#[test]
fn claims_beyond_the_message_are_refused() {
    for lie in [&b"\xa3\x62bb\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"[..], b"\xa3\x62rs\x99\x27\x10"] {
        assert!(decode(Kind::PullRequest, lie, &Limits::default()).is_err());
    }
}
