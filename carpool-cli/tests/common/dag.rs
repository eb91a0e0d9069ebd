//! DAGs by hand, also such as no importer makes.

use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid, codec};
use std::{fs, path::Path};

fn varint(mut n: usize, out: &mut Vec<u8>) {
    let byte = |n: usize| u8::try_from(n).expect("it is small");
    while n >= 0x80 {
        out.push(byte(n & 0x7f | 0x80));
        n >>= 7;
    }
    out.push(byte(n));
}

fn field(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    varint(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn node(links: &[(&[u8], Cid)], data: &[u8]) -> Block {
    let mut out = Vec::new();
    for (name, cid) in links {
        let mut link = Vec::new();
        field(0x0a, &cid.to_bytes(), &mut link);
        field(0x12, name, &mut link);
        link.extend_from_slice(&[0x18, 0x01]);
        field(0x12, &link, &mut out);
    }
    field(0x0a, data, &mut out);
    Block::new(codec::DAG_PB, out.into())
}

/// A folder with these entries, in this order, whatever their names are.
pub fn folder(entries: &[(&[u8], Cid)]) -> Block {
    node(entries, &[0x08, 0x01])
}

pub fn symlink(target: &str) -> Block {
    let mut data = vec![0x08, 0x04];
    field(0x12, target.as_bytes(), &mut data);
    node(&[], &data)
}

pub fn file(bytes: &str) -> Block {
    Block::new(codec::RAW, bytes.to_owned().into())
}

/// Writes a CAR with these blocks; the first is the root.
pub fn write_car(path: &Path, blocks: &[Block]) -> String {
    let root = *blocks.first().expect("a root").cid();
    let mut car = header(&[root]).to_vec();
    for block in blocks {
        car.extend_from_slice(section_prefix(block.cid(), block.data().len()).as_ref());
        car.extend_from_slice(block.data());
    }
    fs::write(path, car).expect("the CAR is written");
    root.to_string()
}
