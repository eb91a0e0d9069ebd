//! Indexes written through maps and searched from one end to the other, slow and obvious. Writers,
//! readers and look-ups are held to them.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_car::index::{Codec, Entry};
use carpool_core::Multihash;
use std::collections::BTreeMap;

/// Codes, then widths, then records in order.
type Buckets = BTreeMap<u64, BTreeMap<usize, Vec<(Vec<u8>, u64)>>>;

/// The index of these entries, none left out.
pub(crate) fn write(codec: Codec, entries: &[Entry]) -> Vec<u8> {
    let mut buckets = Buckets::new();
    for entry in entries {
        let code = if codec == Codec::Sorted { 0 } else { entry.code().expect("known") };
        let bucket = buckets.entry(code).or_default().entry(entry.digest().len() + 8).or_default();
        bucket.push((entry.digest().to_vec(), entry.offset()));
    }
    let mut out = match codec {
        Codec::Sorted => vec![0x80, 0x08],
        Codec::MultihashSorted => vec![0x81, 0x08],
        Codec::Multi => unreachable!("not of entries"),
    };
    if codec == Codec::Sorted {
        write_widths(&mut out, buckets.remove(&0).unwrap_or_default());
        return out;
    }
    out.extend(u32::try_from(buckets.len()).expect("few").to_le_bytes());
    for (code, widths) in buckets {
        out.extend(code.to_le_bytes());
        write_widths(&mut out, widths);
    }
    out
}

fn write_widths(out: &mut Vec<u8>, widths: BTreeMap<usize, Vec<(Vec<u8>, u64)>>) {
    out.extend(u32::try_from(widths.len()).expect("few").to_le_bytes());
    for (width, mut records) in widths {
        records.sort();
        out.extend(u32::try_from(width).expect("small").to_le_bytes());
        out.extend(((width * records.len()) as u64).to_le_bytes());
        for (digest, offset) in records {
            out.extend(digest);
            out.extend(offset.to_le_bytes());
        }
    }
}

/// Every entry of a good index, with the CAR it is of.
pub(crate) fn read(input: &[u8]) -> Vec<(Option<Multihash<64>>, Entry)> {
    let (mut out, mut input) = (Vec::new(), input);
    index(&mut input, None, &mut out);
    assert!(input.is_empty(), "nothing after the index");
    out
}

type Found = Vec<(Option<Multihash<64>>, Entry)>;

fn index(input: &mut &[u8], car: Option<Multihash<64>>, out: &mut Found) {
    match varint(input) {
        0x0400 => widths(input, car, None, out),
        0x0401 => {
            for _ in 0..u32::from_le_bytes(array(input)) {
                let code = u64::from_le_bytes(array(input));
                widths(input, car, Some(code), out);
            }
        }
        _ => {
            for _ in 0..varint(input) {
                let (code, len) = (varint(input), varint(input));
                let digest = take(input, usize::try_from(len).expect("small"));
                index(input, Some(Multihash::wrap(code, digest).expect("short")), out);
            }
        }
    }
}

fn widths(input: &mut &[u8], car: Option<Multihash<64>>, code: Option<u64>, out: &mut Found) {
    for _ in 0..u32::from_le_bytes(array(input)) {
        let width = u32::from_le_bytes(array(input)) as usize;
        let bytes = usize::try_from(u64::from_le_bytes(array(input))).expect("in memory");
        for record in take(input, bytes).chunks(width) {
            let (digest, offset) = record.split_at(width - 8);
            let offset = u64::from_le_bytes(offset.try_into().expect("eight bytes"));
            out.push((car, Entry::new(code, digest, offset).expect("short")));
        }
    }
}

fn varint(input: &mut &[u8]) -> u64 {
    let (value, n) = carpool_core::varint::take(input).expect("a varint");
    *input = &input[n..];
    value
}

fn array<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    take(input, N).try_into().expect("as long as asked for")
}

fn take<'a>(input: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(n);
    *input = rest;
    taken
}
