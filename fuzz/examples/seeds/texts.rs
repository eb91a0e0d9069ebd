//! Texts of CARs: blocks of every codec with links, and every form that a reader refuses.

use carpool_core::{Block, Cid, codec};
use sim::dag;
use std::io;

use crate::{cids, pb, write_as};

pub(crate) fn write_all() -> io::Result<()> {
    let texts = [blocks(), json(), pb_texts(), heads(), modes()].concat();
    write_as("made", "car_text", &texts)
}

/// The codec's number among those of the target, and the block.
fn blocks() -> Vec<Vec<u8>> {
    let of = |codec: u8, block: &[u8]| [&[codec], block].concat();
    let node = dag::node(&cids()).data().to_vec();
    let pb = pb(&[("a", 1), ("b", 2), ("", 3)], b"\x08\x01");
    let backwards = [&pb[pb.len() - 4..], &pb[..pb.len() - 4]].concat();
    let unsorted = [&b"\xa2\x62bb"[..], &node, b"\x61a", &node].concat();
    vec![
        of(1, &pb),
        of(1, &backwards),
        of(1, &pb[..pb.len() - 3]),
        of(1, &pb[..30]),
        of(1, b"\x12\x02\x18\x05"),
        of(1, b"\x12\x04\x18\x05\x18\x05"),
        of(1, b"\x12\x03\x0a\x01\x00"),
        of(1, b"\x12\x03\x12\x01\xff"),
        of(1, b"\x1a\x00"),
        of(2, &node),
        of(2, &unsorted),
        of(2, &node[..node.len() - 2]),
        of(2, b"\xbf\x61a\x01\xff"),
        of(2, b"\x83\xf9\x3e\0\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x3b\xff\xff\xff\xff\xff\xff\xff\xff"),
        of(2, b"\x85\xf4\xf5\xf6\x41\xff\x61\xe2"),
        of(3, b"\xa1\x01\x02"),
        of(4, b"{\"a\":[1,-2,0.5,1e30,1e-9,true,false,null,\"\\n\\r\\t\\\"\\\\\"]}"),
        of(4, "[\"\u{1}\u{2028}\",{},[]]".as_bytes()),
        of(5, b"{\"b\":1, \"a\":2}"),
        of(5, b"{\"a\":"),
    ]
}

fn entry(codec: u64, mode: &str, body: &[u8]) -> Vec<u8> {
    let cid = Cid::new_v1(codec, *Block::new(codec::RAW, "a".into()).cid().hash());
    let head = format!("--- {cid}\n+++ {mode} {cid}\n@@ -0,0 +0,0 @@\n");
    [head.as_bytes(), body, b"\n"].concat()
}

fn json() -> Vec<Vec<u8>> {
    let bodies: [&[u8]; 40] = [
        br#"["\"\\\/\b\f\n\r\t\u0041\ud83d\ude00\u2028", true, false, null]"#,
        br#"["\ud83d"]"#,
        br#"["\ud83d\u0041"]"#,
        br#"["\ud83d\uffff"]"#,
        br#"["\udc00"]"#,
        br#"["\q"]"#,
        br#"["\"#,
        br#"["\u12g4"]"#,
        br#"["\u12"#,
        br#"["open"#,
        b"[\"\xff\"]",
        b"[\"\n\"]",
        br#"[1, 2"#,
        br#"[1 2]"#,
        br#"[]"#,
        br#"{}"#,
        br#"{"a" 1}"#,
        br#"{"a": 1 "b": 2}"#,
        br#"{"a": 1, "a": 2}"#,
        br#"{1: 2}"#,
        br#"{"/": "no CID"}"#,
        br#"{"/": "bafkqaaa"}"#,
        br#"{"/": 1}"#,
        br#"{"/": {"bytes": "!"}}"#,
        br#"{"/": {"bytes": "AAA="}}"#,
        br#"{"/": {"other": "AAA"}}"#,
        br#"-0.5e+3"#,
        br#"1e400"#,
        br#"01"#,
        br#"1."#,
        br#"1e"#,
        br#"-"#,
        br#"18446744073709551615"#,
        br#"-18446744073709551616"#,
        br#"-18446744073709551617"#,
        br#"tru"#,
        br#"nul"#,
        br#"x"#,
        br#""#,
        br#"1 2"#,
    ];
    let deep = [[b'['; 3000], [b']'; 3000]].concat();
    let codecs = [codec::DAG_CBOR, 0x0129, 0x0200, 0x51];
    let of = |(n, body): (usize, &&[u8])| entry(codecs[n % 3], "dag-json", body);
    let mut all: Vec<_> = bodies.iter().enumerate().map(of).collect();
    all.push(entry(codec::DAG_CBOR, "dag-json", bodies[0]));
    all.push(entry(codecs[3], "dag-json", br#"{"a": {"/": "bafkqaaa"}}"#));
    all.push(entry(0x0200, "dag-json", br#"{"a": {"/": "bafkqaaa"}}"#));
    all.push(entry(1 << 40, "dag-json", b"1"));
    all.push(entry(codec::RAW, "dag-json", b"1"));
    all.push(entry(codec::RAW, "dag-json", br#"{"/": {"bytes": "AAA"}}"#));
    all.push(entry(codec::DAG_CBOR, "dag-json", &deep));
    all
}

fn pb_texts() -> Vec<Vec<u8>> {
    let bodies: [&[u8]; 12] = [
        br#"{"Data": {"/": {"bytes": "CAE"}}, "Links": [{"Hash": {"/": "bafkqaaa"}, "Name": "a", "Tsize": 3}]}"#,
        br#"{"Links": [{"Hash": {"/": "bafkqaaa"}}]}"#,
        br#"{"Links": []}"#,
        br#"{"Data": {"/": {"bytes": "CAE"}}}"#,
        br#"{"Data": 1}"#,
        br#"{"Links": [1]}"#,
        br#"{"Links": [{"Name": "a"}]}"#,
        br#"{"Links": [{"Hash": 1}]}"#,
        br#"{"Links": [{"Hash": {"/": "bafkqaaa"}, "Tsize": -1}]}"#,
        br#"{"Links": [{"Hash": {"/": "bafkqaaa"}, "Other": 1}]}"#,
        br#"[]"#,
        br#"{}"#,
    ];
    bodies.iter().map(|body| entry(codec::DAG_PB, "dag-json", body)).collect()
}

fn heads() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 9] = [
        b"car compile --v2\nroot bafkqaaa\n\nroot bafkqaaa\n--- ",
        b"car compile --v2 \x01name\r\nroot bafkqaaa\r\n",
        b"car compile --v2name\n",
        b"car compile a\nroot x\n",
        b"car compile a\nother\n",
        b"car compile \xff\n",
        b"car comp",
        b"car compile a",
        b"\n",
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

fn modes() -> Vec<Vec<u8>> {
    let raw = entry(codec::RAW, "raw", b"some\nlines");
    vec![
        entry(codec::RAW, "hex", b"00ff\n0a"),
        entry(codec::RAW, "hex", b"00f"),
        entry(codec::RAW, "hex", b"zz"),
        entry(codec::DAG_CBOR, "hex", b"a0"),
        entry(codec::RAW, "raw (no-end-cr)", b"x"),
        entry(codec::DAG_CBOR, "raw", b"x"),
        entry(codec::RAW, "other", b"x"),
        entry(codec::RAW, "", b"x"),
        [&raw[..], &raw].concat(),
        raw[..raw.len() - 1].to_vec(),
        raw[..70].to_vec(),
        b"--- bafkqaaa\n+++ raw bafkqaab\n@@\n\n".to_vec(),
        b"--- bafkqaaa\n+++ raw\n@@\n\n".to_vec(),
        b"--- bafkqaaa\n+++ raw bafkqaaa\n\n".to_vec(),
        b"--- bafkqaaa\nraw\n".to_vec(),
        b"--- x\n+++ raw x\n@@\n\n".to_vec(),
        b"--- bafkqaaa".to_vec(),
        b"+++ bafkqaaa\n".to_vec(),
    ]
}
