//! Bodies that were not written by our encoder.

mod common;

use carpool_core::{Block, Bytes, Cid, Limits, cid_exact};
use common::{Store, decode};
use std::{fs, path::Path};

struct Vector {
    known: Vec<Cid>,
    old: Store,
    blocks: Vec<Block>,
    body: Bytes,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

fn read(path: &Path) -> Vector {
    let mut vector =
        Vector { known: Vec::new(), old: Store::new(), blocks: Vec::new(), body: Bytes::new() };
    for line in fs::read_to_string(path).expect("it is there").lines() {
        let mut words = line.split(' ');
        let (word, first) = (words.next().expect("a word"), bytes(words.next().expect("a word")));
        let block = || {
            let data = bytes(words.next().expect("a word"));
            Block::new_unchecked(cid_exact(&first).expect("a CID"), data.into())
        };
        match word {
            "known" => vector.known.push(cid_exact(&first).expect("a CID")),
            "old" => vector.old.put(&{ block }()),
            "block" => vector.blocks.push({ block }()),
            "body" => vector.body = first.into(),
            _ => unreachable!("no other words"),
        }
    }
    vector
}

#[test]
fn what_comes_out_is_what_the_vector_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut names = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let Vector { known, old, blocks, body } = read(&path);
        let one_by_one = (0..body.len()).map(|at| body.slice(at..=at));
        for pieces in [vec![body.clone()], one_by_one.collect()] {
            let (came, result) = decode(&known, pieces, &old, &Limits::default());
            assert_eq!((result, &came.wrong, &came.lost), (Ok(()), &vec![], &vec![]), "{path:?}");
            assert_eq!(came.blocks, blocks, "{path:?}");
        }
        names.push(path.file_stem().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["copies", "places", "plain", "prefix"]);
}
