//! What is read as a header and what is not. Every vector is spelled out.

mod samples;

use carpool_car::{Error, Header, Item, header};
use carpool_core::{Cid, Limits};

const CID: &str = "0155 1220 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn cid() -> Cid {
    carpool_core::cid_exact(&samples::hex(CID)).expect("a CID")
}

/// The bytes of a header with the length before it.
fn sized(map: &str) -> Vec<u8> {
    let map = samples::hex(&map.replace("CID", &format!("d82a582500{CID}")));
    [&[u8::try_from(map.len()).expect("short")], &map[..]].concat()
}

fn read(map: &str) -> Result<Vec<Cid>, Error> {
    match samples::decode(&sized(map), &Limits::default()) {
        (items, Ok(())) => match &items[..] {
            [Item::Header(Header { roots, v2: None })] => Ok(roots.clone()),
            other => unreachable!("{other:?}"),
        },
        (_, Err(error)) => Err(error),
    }
}

#[test]
fn canonical_is_read_and_written() {
    let one = "a2 65726f6f7473 81CID 6776657273696f6e 01";
    assert_eq!(read(one), Ok(vec![cid()]));
    assert_eq!(header(&[cid()]), sized(one));
    let none = "a2 65726f6f7473 80 6776657273696f6e 01";
    assert_eq!(read(none), Ok(vec![]));
    assert_eq!(header(&[]), sized(none));
}

#[test]
fn the_other_order_of_keys_is_read() {
    assert_eq!(read("a2 6776657273696f6e 01 65726f6f7473 82CIDCID"), Ok(vec![cid(), cid()]));
}

#[test]
fn lengths_in_more_bytes_than_they_need_are_read() {
    let long = "b80200 65726f6f7473 80 6776657273696f6e 01";
    assert!(matches!(read(long), Err(Error::Header { .. })));
    assert_eq!(read("b802 65726f6f7473 9800 7807 76657273696f6e 1801"), Ok(vec![]));
}

#[test]
fn other_versions_are_named() {
    for (version, bytes) in [(0, "00"), (2, "02"), (300, "19012c")] {
        let map = format!("a2 65726f6f7473 80 6776657273696f6e {bytes}");
        assert_eq!(read(&map), Err(Error::Version { version }));
    }
    // What a CARv2 begins with.
    assert_eq!(read("a1 6776657273696f6e 02"), Err(Error::Version { version: 2 }));
}

#[test]
fn everything_else_is_refused() {
    for map in [
        "",
        "80",
        "a0",
        "a1 6776657273696f6e 01",
        "a1 65726f6f7473 80",
        "a2 65726f6f7473 80 65726f6f7473 80",
        "a3 65726f6f7473 80 6776657273696f6e 01 6161 01",
        "a2 65726f6f7473 80 6776657273696f6e 20",
        "a2 65726f6f7473 80 6776657273696f6e 6131",
        "a2 65726f6f7473 f6 6776657273696f6e 01",
        "a2 65726f6f7473 CID 6776657273696f6e 01",
        "a2 65726f6f7473 8101 6776657273696f6e 01",
        "a2 65726f6f7473 81d82b4100 6776657273696f6e 01",
        "a2 65726f6f7473 81d82a4100 6776657273696f6e 01",
        "a2 65726f6f7473 9fff 6776657273696f6e 01",
        "bf 65726f6f7473 80 6776657273696f6e 01 ff",
        "a2 65726f6f7473 80 6776657273696f6e 01 00",
        "a2 65726f6f7473 82CID 6776657273696f6e 01",
    ] {
        assert!(matches!(read(map), Err(Error::Header { .. })), "{map}: {:?}", read(map));
    }
}

#[test]
fn a_length_that_is_no_varint_is_refused() {
    for length in ["8000", "ffffffffffffffffff01"] {
        assert!(matches!(samples::fault(&samples::hex(length)), Error::Header { .. }));
    }
}
