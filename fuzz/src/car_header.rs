use carpool_car::{Error, Header, Item, Options};
use carpool_core::{Limits, varint};

use crate::car_reference;

/// A header alone is read as the reference reads it before a CAR, and what is written of it reads
/// the same.
pub fn car_header(data: &[u8]) {
    let mut limits = Limits::default();
    limits.max_header_roots = 3;
    let read = Header::decode(data, &limits);
    let mut car = [0; 10];
    let n = varint::encode(data.len() as u64, &mut car);
    let car = [&car[..n], data].concat();
    let (items, ended) = car_reference::decode(&car, &Options::strict(&limits));
    match (&read, &items[..]) {
        (Ok(header), [Item::Header(expected)]) => assert_eq!((header, ended), (expected, Ok(()))),
        (Err(error), []) => assert_eq!(Err(vague(error)), ended.map_err(|error| vague(&error))),
        _ => unreachable!("{read:?}, and the reference {items:?}"),
    }
    let Ok(header) = read else { return };
    let written = carpool_car::header(&header.roots);
    let (_, start) = varint::take(&written).expect("its own length");
    assert_eq!(Header::decode(&written[start..], &limits), Ok(header));
}

/// The reference does not say what it expected.
fn vague(error: &Error) -> Error {
    if let Error::Header { .. } = error { Error::Header { expected: "" } } else { error.clone() }
}
