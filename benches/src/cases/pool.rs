//! What the sink of a pool costs a block, where a million of them are wanted at once.

use carpool_core::{Block, Bytes, Cid, CidSet, Limits, Multihash, cbor, codec, may_link};
use carpool_pool::{Ask, Kind, Options, Pool, PoolOutput};
use std::{collections::HashMap, time::Instant};

use crate::report::{Goal, Row};

const NODES: u32 = 1_000;
const LEAVES: u32 = 1_000;
const SOURCES: u8 = 4;

/// A CID whose digest says its number: nothing is hashed here.
fn cid(codec: u64, number: u64) -> Cid {
    let mut digest = [0x5a; 32];
    digest[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    Cid::new_v1(codec, Multihash::wrap(0x12, &digest).expect("32 bytes fit"))
}

fn node(number: u64, links: impl ExactSizeIterator<Item = Cid>) -> Block {
    let mut data = Vec::new();
    cbor::write_head(&mut data, cbor::ARRAY, links.len() as u64);
    links.for_each(|link| cbor::write_link(&mut data, &link));
    Block::new_unchecked(cid(codec::DAG_CBOR, number), data.into())
}

/// A root, its nodes, and their leaves.
fn nodes() -> HashMap<Cid, Block> {
    let below = |n: u32| -> Vec<Cid> {
        (0..LEAVES).map(|leaf| cid(codec::RAW, u64::from(n * LEAVES + leaf))).collect()
    };
    let mut nodes: HashMap<Cid, Block> = (1..=NODES)
        .map(|n| node(u64::from(n), below(n).into_iter()))
        .map(|block| (*block.cid(), block))
        .collect();
    let tops: Vec<Cid> = (1..=NODES).map(|n| cid(codec::DAG_CBOR, u64::from(n))).collect();
    let root = node(0, tops.into_iter());
    nodes.insert(*root.cid(), root);
    nodes
}

struct Ran {
    seconds: f64,
    blocks: u64,
    most_wanted: usize,
    bytes: usize,
}

/// A whole transfer, in which every request is answered at once.
fn run(nodes: &HashMap<Cid, Block>) -> Ran {
    let root = cid(codec::DAG_CBOR, 0);
    let mut pool = Pool::new(&[root], &Limits::default(), Options::default());
    for _ in 0..SOURCES {
        pool.handle_source(Kind::NAMED, 10_000, 100_000_000, 0);
    }
    let leaf = Bytes::from_static(&[7; 1024]);
    let (mut now, mut asks): (u64, Vec<Ask>) = (0, Vec::new());
    let (mut blocks, mut most_wanted, begun) = (0, 0, Instant::now());
    loop {
        while let Some(output) = pool.poll(now) {
            match output {
                PoolOutput::Load(cid) => pool.handle_load(&cid, None).expect("nothing is read"),
                PoolOutput::Has(cid) => pool.handle_has(&cid, false),
                PoolOutput::Ask(ask) => asks.push(ask),
                PoolOutput::Done(outcome) => {
                    assert_eq!(outcome.missing, 0);
                    let seconds = begun.elapsed().as_secs_f64();
                    return Ran { seconds, blocks, most_wanted, bytes: pool.bytes() };
                }
                PoolOutput::Store(_)
                | PoolOutput::Hold(_)
                | PoolOutput::Recall(_)
                | PoolOutput::Discard(_)
                | PoolOutput::Cancel { .. }
                | PoolOutput::Tell { .. }
                | PoolOutput::Pause { .. }
                | PoolOutput::Resume { .. }
                | PoolOutput::Drop { .. } => {}
            }
        }
        most_wanted = most_wanted.max(pool.missing());
        for ask in std::mem::take(&mut asks) {
            for want in ask.want {
                let block = if may_link(&want) {
                    nodes[&want].clone()
                } else {
                    Block::new_unchecked(want, leaf.clone())
                };
                now += 10;
                pool.handle_bytes(ask.source, block.data().len() as u64, now);
                pool.handle_block(ask.source, ask.request, block, now).expect("it parses");
                blocks += 1;
            }
            pool.handle_end(ask.request, now);
        }
    }
}

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let nodes = nodes();
    let ran = (0..5).map(|_| run(&nodes)).min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let ran = ran.expect("five runs");
    let inserted = {
        let begun = Instant::now();
        let mut set = CidSet::with_seed(1);
        (0..NODES * LEAVES).for_each(|n| {
            set.insert(&cid(codec::RAW, u64::from(n + LEAVES)));
        });
        begun.elapsed().as_secs_f64() / f64::from(NODES * LEAVES)
    };
    let most = ran.most_wanted as f64 / 1e6;
    let what =
        format!("a block, look-ups, requests and links included; {most:.2} million wanted at once");
    let nanos = ran.seconds / ran.blocks as f64 * 1e9;
    let row = Row::new("pool", what, nanos, "ns");
    each(row.beside("a CID into a set", inserted * 1e9).goal(Goal::AtMost(1_000.0)));
    let bytes = ran.bytes as f64 / ran.blocks as f64;
    each(Row::new("pool", "memory of an entry", bytes, "B").goal(Goal::AtMost(96.0)));
}
