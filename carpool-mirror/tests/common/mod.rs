//! Nodes, and machines whose look-ups are answered from a map.
#![allow(dead_code, reason = "no test needs all of it")]

use carpool_core::{Block, Bytes, Cid, codec};
use carpool_mirror::{Sink, SinkOutput, Source, SourceOutput};
use std::collections::BTreeMap;

pub(crate) type Blocks = BTreeMap<Cid, Bytes>;

/// A DAG-CBOR array of links.
pub(crate) fn node(links: &[&Block]) -> Block {
    let count = u16::try_from(links.len()).expect("few links").to_be_bytes();
    let mut out = vec![0x99, count[0], count[1]];
    for cid in links.iter().map(|block| block.cid().to_bytes()) {
        let len = u8::try_from(cid.len() + 1).expect("short");
        out.extend([&[0xd8, 0x2a, 0x58, len, 0], &cid[..]].concat());
    }
    Block::new(codec::DAG_CBOR, out.into())
}

pub(crate) fn leaf(text: &str) -> Block {
    Block::new(codec::RAW, text.to_owned().into())
}

/// A root above two nodes of two leaves each, root first.
pub(crate) fn tree() -> Vec<Block> {
    let leaves = ["a", "b", "c", "d"].map(leaf);
    let (left, right) = (node(&[&leaves[0], &leaves[1]]), node(&[&leaves[2], &leaves[3]]));
    let root = node(&[&left, &right]);
    let [a, b, c, d] = leaves;
    vec![root, left, right, a, b, c, d]
}

pub(crate) fn map<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Blocks {
    blocks.into_iter().cloned().map(Block::into_parts).collect()
}

/// What a sink says after its look-ups are answered; blocks that it stores go into `held`.
pub(crate) fn settle(sink: &mut Sink, held: &mut Blocks) -> Option<SinkOutput> {
    while let Some(output) = sink.poll().expect("blocks parse") {
        match output {
            SinkOutput::Load(cid) => sink.handle_load(&cid, held.get(&cid).cloned()),
            SinkOutput::Has(cid) => sink.handle_has(&cid, held.contains_key(&cid)),
            SinkOutput::Store(block) => held.extend([block.into_parts()]),
            SinkOutput::Plan(_)
            | SinkOutput::Summary
            | SinkOutput::Transmit(_)
            | SinkOutput::Ask(_)
            | SinkOutput::Done(_) => return Some(output),
        }
    }
    None
}

/// The blocks of a source's round, and what it lacks.
pub(crate) fn round(source: &mut Source, held: &Blocks) -> (Vec<Block>, Vec<Cid>) {
    let (mut sent, mut lacks) = (Vec::new(), Vec::new());
    loop {
        match source.poll().expect("blocks parse").expect("look-ups are answered") {
            SourceOutput::Load(cid) => source.handle_load(&cid, held.get(&cid).cloned()),
            SourceOutput::Transmit(block) => sent.push(block),
            SourceOutput::Missing(cid) => lacks.push(cid),
            SourceOutput::EndRound => return (sent, lacks),
        }
    }
}
