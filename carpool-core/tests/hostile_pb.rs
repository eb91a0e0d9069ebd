//! DAG-PB that was made to hurt.

mod samples;

use carpool_core::{Error, Limits, codec, for_each_link};
use samples::{hex, pb_links};

const CID: &str = "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn refused(text: &str) -> (u64, &'static str) {
    match pb_links(&hex(text)) {
        Err(Error::Malformed { offset, expected, .. }) => (offset, expected),
        other => unreachable!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_read() {
    assert_eq!(pb_links(&[]), Ok(vec![]));
    assert_eq!(pb_links(&hex("0a00")), Ok(vec![]));
    for text in [
        format!("1224 0a22{CID}"),
        format!("1228 0a22{CID} 1200 1800"),
        format!("1224 0a22{CID} 0a0100"),
        // Before links or after them.
        format!("0a0100 1224 0a22{CID}"),
        // A size of 2^64 - 1 takes ten bytes.
        format!("122f 0a22{CID} 18ffffffffffffffffff01"),
    ] {
        assert_eq!(pb_links(&hex(&text)).map(|links| links.len()), Ok(1), "{text}");
    }
}

#[test]
fn claims_beyond_the_bytes_are_refused() {
    let expected = "as many bytes as the field claims";
    for text in ["0a01", "0a ffffffffffffffff7f", "0a ffffffffffffffffff01", "1202 0a01"] {
        assert_eq!(refused(text).1, expected, "{text}");
    }
    // A field must not reach beyond the link that it lies in.
    assert_eq!(refused(&format!("1223 0a22{CID} 00")).1, expected);
}

#[test]
fn links_without_a_hash_are_refused() {
    for text in ["1200", "1202 1200", "1202 1800", "1204 1200 1800"] {
        assert_eq!(refused(text).1, "Hash", "{text}");
    }
    assert_eq!(refused("1202 0a00").1, "a CID in Hash");
    assert_eq!(refused("1204 0a020155").1, "a CID in Hash");
    assert_eq!(refused(&format!("1225 0a23{CID}00")).1, "a CID in Hash");
}

#[test]
fn other_fields_and_wire_types_are_refused() {
    for text in ["08 00", "0d 00000000", "1a 00", "00", "12 02 20 00", "0b"] {
        let (_, expected) = refused(text);
        assert!(expected == "Data or Links" || expected == "Hash, Name or Tsize", "{text}");
    }
    assert_eq!(refused(&format!("1248 0a22{CID} 0a22{CID}")).1, "Hash, Name or Tsize");
}

#[test]
fn malformed_varints_are_refused() {
    for text in ["80", "8000", "ffffffffffffffffffff", "0a ffffffffffffffffff02", "0a 80"] {
        assert_eq!(refused(text).1, "a varint", "{text}");
    }
}

#[test]
fn links_at_the_limit_and_one_past_it() {
    let data = hex(&format!("1224 0a22{CID}")).repeat(3);
    let cid = samples::cid_of(codec::DAG_PB);
    let count = |max_links| {
        let mut limits = Limits::default();
        limits.max_links = max_links;
        let mut seen = 0;
        let ended = for_each_link(&cid, &data, &limits, |_| seen += 1);
        (seen, ended)
    };
    assert_eq!(count(3), (3, Ok(())));
    assert_eq!(count(2), (2, Err(Error::TooManyLinks { cid, max: 2 })));
}
