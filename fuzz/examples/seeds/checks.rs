//! CARs with everything that a check finds, and indexes that are right, wrong and not whole.

use carpool_car::{
    header,
    index::{Codec, Entry, IndexLimits, encode},
    section_len, v2, write_section,
};
use carpool_core::{Block, Cid, Multihash, codec};
use sim::dag;
use std::io;

use crate::write_as;

/// Sections: a CID each, and data that need not be its own.
type Sections = Vec<(Cid, Vec<u8>)>;

pub(crate) fn write_all() -> io::Result<()> {
    let choices = |bits: u8, file: Vec<u8>| [&[bits, 3, 1, 4, 1, 5, 9][..], &file].concat();
    let mut all = Vec::new();
    for (sections, roots) in [(good(), 1), (odd(), 1), (good()[..2].to_vec(), 1), (odd(), 0)] {
        let root = good()[0].0;
        let car = car(&[root, cid(codec::RAW, 0x12, 9)][..roots], &sections);
        for bits in [0x20, 0x28, 0x24] {
            all.push(choices(bits, car.clone()));
        }
        for index in indexes(&sections, header(&[root]).len() as u64) {
            all.push(choices(0x20, wrapped(&car, &index)));
            all.push(choices(0x28, wrapped(&car, &index)));
        }
        all.push(choices(0x22, [&car[..], &[0; 9]].concat()));
        all.push(choices(0x20, car[..car.len() - 3].to_vec()));
        let cut = wrapped(&car, b"\x81");
        all.push(choices(0x20, cut[..cut.len() - 1].to_vec()));
        all.push(choices(0x20, cut[..cut.len() - 4].to_vec()));
        all.push(choices(0x20, [&wrapped(&car, &[])[..], b"behind"].concat()));
    }
    write_as("check", "car_check", &all)
}

fn cid(codec: u64, code: u64, byte: u8) -> Cid {
    Cid::new_v1(codec, Multihash::wrap(code, &[byte; 32]).expect("short"))
}

/// A node, and its two leaves.
fn good() -> Sections {
    let leaves = [Block::new(codec::RAW, "a".into()), Block::new(codec::RAW, "b".into())];
    let node = dag::node(leaves.iter().map(Block::cid));
    [node].into_iter().chain(leaves).map(|block| (*block.cid(), block.data().to_vec())).collect()
}

/// Twice the same, another hash, an unknown one, no DAG-CBOR, an unknown codec, an identity CID.
fn odd() -> Sections {
    let mut all = good();
    let broken = Block::new(codec::DAG_CBOR, "\x5f".into());
    all.push(all[1].clone());
    all.push((all[2].0, b"c".to_vec()));
    all.push((cid(codec::RAW, 0xd5, 1), b"?".to_vec()));
    all.push((*broken.cid(), broken.data().to_vec()));
    all.push((*Block::new(1 << 40, "x".into()).cid(), b"x".to_vec()));
    let identity = Multihash::wrap(0, b"hi").expect("short");
    all.push((Cid::new_v1(codec::RAW, identity), b"hi".to_vec()));
    all
}

fn car(roots: &[Cid], sections: &Sections) -> Vec<u8> {
    let mut out = header(roots).to_vec();
    sections.iter().for_each(|(cid, data)| write_section(&mut out, cid, data));
    out
}

fn wrapped(car: &[u8], index: &[u8]) -> Vec<u8> {
    let mut header = v2::Header::new(car.len() as u64, false).expect("some data");
    if !index.is_empty() {
        header.index_offset = header.data_end();
    }
    [&v2::PRAGMA[..], &header.encode(), car, index].concat()
}

/// Of both codecs: right, with a place moved, with an entry less, with one more, out of order, cut.
fn indexes(sections: &Sections, start: u64) -> Vec<Vec<u8>> {
    let lens = sections.iter().map(|(cid, data)| section_len(cid, data.len()) as u64);
    let offsets = lens.scan(start, |at, len| Some(std::mem::replace(at, *at + len)));
    let right: Vec<Entry> =
        sections.iter().zip(offsets).map(|((c, _), at)| Entry::of(c, at)).collect();
    let moved = right.iter().map(|entry| {
        Entry::new(entry.code(), entry.digest(), entry.offset() + 1).expect("as short")
    });
    let extra = Entry::of(&cid(codec::RAW, 0x12, 7), 1);
    let variants: [Vec<Entry>; 4] = [
        right.clone(),
        moved.collect(),
        right[1..].to_vec(),
        right.iter().copied().chain([extra]).collect(),
    ];
    let mut all = Vec::new();
    for codec in [Codec::MultihashSorted, Codec::Sorted] {
        let written = variants.iter().map(|entries| {
            encode(codec, entries.iter().copied(), &IndexLimits::default()).expect("few buckets")
        });
        all.extend(written);
    }
    let mut unsorted = all[0].clone();
    let last = unsorted.len() - 40;
    unsorted[last] = 0;
    all.extend([unsorted, all[0][..all[0].len() - 1].to_vec(), b"\x90\x08".to_vec()]);
    all
}
