//! A section that is none is refused where it begins; those before it have been read.

mod samples;

use carpool_car::Error;
use carpool_core::Limits;

fn after_a_good_one(section: &str) -> (usize, u64, Error) {
    let blocks = samples::blocks();
    let mut input = samples::car(&[], &blocks[..1]);
    let offset = input.len() as u64;
    input.extend_from_slice(&samples::hex(section));
    let (items, ended) = samples::decode(&input, &Limits::default());
    (items.len(), offset, ended.expect_err("not a section"))
}

#[test]
fn each_is_named() {
    for (section, expected) in [
        ("00", "length"),
        ("8000", "length"),
        ("ffffffffffffffffff", "length"),
        ("01 30", "cid"),
        ("02 0155", "cid"),
        ("04 02551200", "cid"),
        ("22 1220 00", "truncated"),
        ("03 1220 00", "cid"),
        ("05 01551201", "truncated"),
        ("04 01551220", "cid"),
        ("04 01550041", "cid"),
        ("a0", "truncated"),
    ] {
        let (read, offset, error) = after_a_good_one(section);
        let expected = match expected {
            "length" => Error::SectionLength { offset },
            "cid" => Error::SectionCid { offset },
            _ => Error::Truncated { offset },
        };
        assert_eq!((read, error), (2, expected), "{section}");
    }
}

#[test]
fn what_follows_a_good_car_is_no_part_of_it() {
    for garbage in ["00", "0d0a", "ff"] {
        let mut input = samples::sample();
        input.extend_from_slice(&samples::hex(garbage));
        let (items, ended) = samples::decode(&input, &Limits::default());
        assert_eq!((items.len(), ended.is_err()), (6, true), "{garbage}");
    }
}

/// Four bytes are enough for a CID, and a block may be empty.
#[test]
fn the_smallest_section() {
    let mut input = samples::car(&[], &[]);
    input.extend_from_slice(&samples::hex("04 01550000"));
    let (items, ended) = samples::decode(&input, &Limits::default());
    assert_eq!((items.len(), ended), (2, Ok(())));
}
