//! DAG-CBOR that was made to hurt: the work is bounded by its bytes, and what is wrong is named
//! with its place.

mod samples;

use carpool_core::{Error, Limits, codec, for_each_link};
use samples::{cbor_links, hex};

fn refused(text: &str) -> (u64, &'static str) {
    match cbor_links(&hex(text)) {
        Err(Error::Malformed { offset, expected, .. }) => (offset, expected),
        other => unreachable!("{text}: {other:?}"),
    }
}

#[test]
fn a_million_levels_cost_no_stack() {
    let arrays = [&vec![0x81; 1_000_000][..], &[0x80]].concat();
    assert_eq!(cbor_links(&arrays), Ok(vec![]));
    let maps = [&hex("a160").repeat(1_000_000)[..], &[0xa0]].concat();
    assert_eq!(cbor_links(&maps), Ok(vec![]));
    assert!(cbor_links(&vec![0x81; 1_000_000]).is_err());
}

#[test]
fn claims_beyond_the_bytes_are_refused_at_once() {
    let items = "as many items as the container claims";
    assert_eq!(refused("9bffffffffffffffff").1, items);
    assert_eq!(refused("bbffffffffffffffff").1, items);
    assert_eq!(refused("bb8000000000000000").1, items);
    assert_eq!(refused("9a7fffffff 00").1, items);
    assert_eq!(refused("82 9bffffffffffffffff 00"), (10, items));
    assert_eq!(refused("82 00").1, items);
    let bytes = "as many bytes as the string claims";
    assert_eq!(refused("5bffffffffffffffff").1, bytes);
    assert_eq!(refused("7bffffffffffffffff 61").1, bytes);
    assert_eq!(refused("42 00").1, bytes);
}

#[test]
fn indefinite_lengths_are_refused() {
    for text in ["9fff", "bfff", "5fff", "7fff", "8 19fff", "ff", "1c", "fc"] {
        assert_eq!(refused(text).1, "a definite length", "{text}");
    }
}

#[test]
fn tags_other_than_42_are_refused() {
    for text in ["c000", "d8 2b 40", "d9d9f7 80", "db000000010000002a 40"] {
        assert_eq!(refused(text).1, "tag 42", "{text}");
    }
}

#[test]
fn a_tag_42_that_holds_no_link_is_refused() {
    let wrong = "a CID with prefix 0x00 in bytes";
    let cid = "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(cbor_links(&hex(&format!("d82a582500{cid}"))).map(|links| links.len()), Ok(1));
    for payload in [
        "00",
        "f6",
        "40",
        "4100",
        "4400015500",
        "d82a4100",
        &format!("5824{cid}"),
        &format!("582501{cid}"),
        &format!("782500{cid}"),
        &format!("582600{cid}00"),
        // A version, a codec, a code and a length of ten bytes each.
        "4b00 80808080808080808001",
        "4c0001 80808080808080808001",
        "4d000155 80808080808080808001",
        "4e00015512 80808080808080808001",
    ] {
        assert_eq!(refused(&format!("d82a{payload}")), (2, wrong), "{payload}");
    }
}

#[test]
fn what_is_cut_short_or_goes_on_is_refused() {
    assert_eq!(refused(""), (0, "an item"));
    assert_eq!(refused("18"), (0, "the rest of an item's head"));
    assert_eq!(refused("1b00000000000000"), (0, "the rest of an item's head"));
    assert_eq!(refused("d82a").1, "an item");
    assert_eq!(refused("0000"), (1, "the end of the block"));
    assert_eq!(refused("80f6"), (1, "the end of the block"));
}

#[test]
fn simple_values_and_short_floats_are_refused() {
    for text in ["f7", "e0", "f820", "f8ff", "f93e00", "fa3fc00000"] {
        assert_eq!(refused(text).1, "false, true, null or a 64-bit float", "{text}");
    }
    assert_eq!(cbor_links(&hex("84f4f5f6fb3ff8000000000000")), Ok(vec![]));
}

#[test]
fn links_at_the_limit_and_one_past_it() {
    let link =
        hex("d82a582500 01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let data = [&hex("83")[..], &link.repeat(3)].concat();
    let cid = samples::cid_of(codec::DAG_CBOR);
    let count = |max_links| {
        let mut limits = Limits::default();
        limits.max_links = max_links;
        let mut seen = 0;
        let ended = for_each_link(&cid, &data, &limits, |_| seen += 1);
        (seen, ended)
    };
    assert_eq!(count(3), (3, Ok(())));
    assert_eq!(count(2), (2, Err(Error::TooManyLinks { cid, max: 2 })));
    assert_eq!(count(0), (0, Err(Error::TooManyLinks { cid, max: 0 })));
}
