//! Whatever the vectors of other implementations say in hexadecimal, given to every target that
//! takes such bytes.

use serde_json::Value;
use std::{collections::BTreeSet, fs, io, path::Path};

use crate::{asked, write_as};

/// Longer ones say nothing that shorter ones do not.
const MAX_BYTES: usize = 2000;

pub(crate) fn write_all() -> io::Result<()> {
    let mut found = BTreeSet::new();
    for name in
        ["bloom/tests/vectors/rust", "bloom/tests/vectors/go", "http/tests/vectors/car-mirror"]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../carpool-{name}.json"));
        let text = fs::read(path)?;
        collect(&serde_json::from_slice(&text)?, &mut found);
    }
    let found: Vec<Vec<u8>> = found.into_iter().collect();
    let after =
        |front: &[u8]| found.iter().map(|bytes| [front, bytes].concat()).collect::<Vec<_>>();
    write_as("vector", "cid", &found)?;
    write_as("vector", "links", &found)?;
    write_as("vector", "http_message", &found)?;
    write_as("vector", "car_header", &found)?;
    let asked: Vec<_> = found.iter().flat_map(|bytes| asked(bytes)).collect();
    write_as("vector", "cbor_reader", &asked)?;
    write_as("vector", "car_decode", &after(&[0, 255, 3, 90, 40]))?;
    write_as("vector", "bloom", &after(&[&[0, 0, 3][..], &[1; 36]].concat()))
}

fn collect(value: &Value, found: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::String(text) => found.extend(hex(text)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(values) => values.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let fits = text.len() >= 8 && text.len().is_multiple_of(2) && text.len() <= 2 * MAX_BYTES;
    let pairs = text.as_bytes().chunks(2).filter(|_| fits);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<Vec<u8>>>().filter(|bytes| !bytes.is_empty())
}
