//! The text form of CARs carries any block.

#[path = "../src/car/text/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the program uses all of it")]
mod text;

use carpool_core::{Block, Bytes, Cid, cbor, codec};
use proptest::prelude::*;
use text::{Entry, Head, cut, print, read_head};

fn again(cid: &Cid, data: &[u8]) -> Vec<u8> {
    let printed = print(cid, data);
    let entry = Entry::read(&printed).expect("it was printed");
    assert_eq!(entry.cid, *cid);
    entry.body().and_then(text::Body::encode).expect("it was printed")
}

fn mode(codec: u64, data: &[u8]) -> String {
    let block = Block::new(codec, Bytes::copy_from_slice(data));
    assert_eq!(again(block.cid(), data), data);
    let printed = print(block.cid(), data);
    let text = String::from_utf8(printed).expect("UTF-8");
    let line = text.lines().nth(1).expect("three lines");
    line.split(' ').nth(1).expect("a mode").to_owned()
}

#[test]
fn each_block_takes_the_form_that_carries_it() {
    let link = |prefix: &[u8]| {
        let mut out = prefix.to_vec();
        cbor::write_link(&mut out, Block::new(codec::RAW, "x".into()).cid());
        out
    };
    let table: [(u64, &[u8], &str); 30] = [
        (codec::RAW, b"hello\n", "raw"),
        (codec::RAW, b"hello", "raw"),
        (codec::RAW, b"", "raw"),
        (codec::RAW, b"\n", "raw"),
        (codec::RAW, b"\n\n", "raw"),
        (codec::RAW, b"a\r\n", "raw"),
        (codec::RAW, b"a\r", "dag-json"),
        (codec::RAW, b"--- x", "dag-json"),
        (codec::RAW, b"a\n--- x", "dag-json"),
        (codec::RAW, b"a\n---", "raw"),
        (codec::RAW, b"\xff", "dag-json"),
        (codec::RAW, b"\x1b[31m", "raw"),
        (codec::DAG_CBOR, &[0xa1, 0x61, b'a', 0x01], "dag-json"),
        (codec::DAG_CBOR, &[0x43, b'a', b'b', b'c'], "raw"),
        (codec::DAG_CBOR, &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255], "dag-json"),
        (codec::DAG_CBOR, &[0x3b, 255, 255, 255, 255, 255, 255, 255, 255], "dag-json"),
        (codec::DAG_CBOR, &[0xfb, 0x40, 0, 0, 0, 0, 0, 0, 0], "dag-json"), // 2.0
        (codec::DAG_CBOR, &[0xfb, 0x80, 0, 0, 0, 0, 0, 0, 0], "dag-json"), // -0.0
        (codec::DAG_CBOR, &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "hex"),   // NaN
        (codec::DAG_CBOR, &[0xf7], "hex"),                                 // undefined
        (codec::DAG_CBOR, &[0xa2, 0x61, b'b', 1, 0x61, b'a', 1], "hex"),   // unsorted
        (codec::DAG_CBOR, &[0xa2, 0x61, b'a', 1, 0x61, b'a', 1], "hex"),   // a key twice
        (codec::DAG_CBOR, &[0x61, 0xff], "hex"),                           // not UTF-8
        (codec::DAG_CBOR, &[0x18, 1], "hex"),                              // not the shortest
        (codec::DAG_CBOR, &[0xa1, 0x61, b'/', 0x61, b'x'], "hex"),         // looks like a link
        (codec::DAG_PB, b"\x0a\x01a", "dag-json"),
        (codec::DAG_PB, b"\x0a\x01a\x0a\x01a", "hex"),
        (0x0129, b"{\"a\":[1,2.5]}", "dag-json"),
        (0x0129, b"{ \"a\":[1]}", "hex"),
        (0x78, b"no codec we know", "hex"),
    ];
    for (codec, data, expected) in table {
        assert_eq!(mode(codec, data), expected, "{codec:x} {data:x?}");
    }
    assert_eq!(mode(codec::DAG_CBOR, &link(&[0x82, 0x01])), "dag-json");
}

#[test]
fn nesting_and_numbers_of_values_are_limited() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0x01]].concat();
    assert_eq!(mode(codec::DAG_CBOR, &nested(128)), "dag-json");
    assert_eq!(mode(codec::DAG_CBOR, &nested(129)), "hex");
    let wide = |items: usize| {
        let mut out = Vec::new();
        cbor::write_head(&mut out, cbor::ARRAY, items as u64);
        out.resize(out.len() + items, 1);
        out
    };
    assert_eq!(mode(codec::DAG_CBOR, &wide((1 << 20) - 1)), "dag-json");
    assert_eq!(mode(codec::DAG_CBOR, &wide(1 << 20)), "hex");
}

#[test]
fn what_go_car_prints_it_reads_otherwise_and_we_do_not() {
    let data = b"a\r";
    let cid = *Block::new(codec::RAW, Bytes::copy_from_slice(data)).cid();
    let text = format!("--- {cid}\n+++ raw (no-end-cr) {cid}\n@@ -0,0 +0,0 @@\na\r\n");
    let entry = Entry::read(text.as_bytes()).expect("it is one");
    assert_eq!(entry.body().and_then(text::Body::encode).expect("it is one"), data);
}

fn any_value() -> impl Strategy<Value = ipld_core::ipld::Ipld> {
    use ipld_core::ipld::Ipld;
    let leaf = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        (-(1i128 << 64)..(1i128 << 64)).prop_map(Ipld::Integer),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Ipld::Float),
        ".{0,8}".prop_map(Ipld::String),
        any::<Vec<u8>>().prop_map(Ipld::Bytes),
        any::<[u8; 8]>().prop_map(|bytes| {
            Ipld::Link(*Block::new(codec::DAG_CBOR, Bytes::copy_from_slice(&bytes)).cid())
        }),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Ipld::List),
            prop::collection::btree_map("[/a-c]{0,3}", inner, 0..6).prop_map(Ipld::Map),
        ]
    })
}

proptest! {
    #[test]
    fn values_as_the_field_writes_them_come_back(value in any_value()) {
        let data = serde_ipld_dagcbor::to_vec(&value).expect("it is a value");
        let cid = *Block::new(codec::DAG_CBOR, Bytes::copy_from_slice(&data)).cid();
        prop_assert_eq!(again(&cid, &data), data);
    }

    #[test]
    fn any_bytes_of_any_codec_come_back(
        data in any::<Vec<u8>>(),
        codec in prop::sample::select(vec![0x55u64, 0x70, 0x71, 0x51, 0x0129, 0x0200, 0x72]),
    ) {
        let cid = *Block::new(codec, Bytes::copy_from_slice(&data)).cid();
        prop_assert_eq!(again(&cid, &data), data);
    }

    #[test]
    fn text_like_blocks_come_back(data in "[-a \r\n+@]{0,24}") {
        let cid = *Block::new(codec::RAW, Bytes::copy_from_slice(data.as_bytes())).cid();
        prop_assert_eq!(again(&cid, data.as_bytes()), data.as_bytes());
    }

    #[test]
    fn entries_are_cut_where_they_were_joined(
        blocks in prop::collection::vec("[-a\r\n+@]{0,12}", 0..6),
        name in ".{0,12}",
        v2 in any::<bool>(),
    ) {
        let block = |data: &String| Block::new(codec::RAW, Bytes::from(data.clone()));
        let blocks: Vec<Block> = blocks.iter().map(block).collect();
        let roots = blocks.iter().map(|block| *block.cid()).collect();
        let head = Head { v2, name, roots };
        let mut text = head.print().into_bytes();
        blocks.iter().for_each(|block| text.extend(print(block.cid(), block.data())));
        let (read, mut at) = read_head(&text, true).expect("it is one").expect("it is whole");
        prop_assert_eq!((read.v2, read.roots), (head.v2, head.roots));
        for block in &blocks {
            let end = at + cut(&text[at..], 0, true).expect("it is whole");
            let entry = Entry::read(&text[at..end]).expect("it is one");
            prop_assert_eq!(&entry.body().and_then(text::Body::encode).expect("it is one"), block.data());
            at = end;
        }
        prop_assert_eq!(at, text.len());
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<Vec<u8>>(), near in "(--- |\\+\\+\\+ raw |bafkqaaa|\n|@@|a|root |car compile ){0,12}") {
        for text in [&text[..], near.as_bytes()] {
            let _ = read_head(text, true);
            let _ = Entry::read(text).and_then(|entry| entry.body()).and_then(text::Body::encode);
        }
    }
}
