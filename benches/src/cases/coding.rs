//! Content codings over loopback: what they cost where they are asked for in any case, and that they
//! cost nothing where the client decides.

use carpool_core::{Block, codec};
use carpool_http::client::Compress;
use carpool_store::MemoryStore;
use sim::dag::{Dag, Shape, mix, original};
use std::sync::Arc;

use super::rate;
use crate::{
    clock::{by_turns, timed},
    loopback,
    memory::holding,
    report::Row,
};

const RUNS: usize = 7;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let noise = original(&Shape::BIG);
    let text = text();
    for (what, dag) in [("text", &text), ("noise", &noise)] {
        for (when, compress) in [("always", Compress::Always), ("auto", Compress::Auto)] {
            pull(what, dag, (when, compress), each);
        }
    }
}

fn pull(what: &str, dag: &Dag, (when, compress): (&str, Compress), each: &mut dyn FnMut(Row)) {
    let runtime = loopback::runtime(2);
    let url = loopback::serve(&runtime, Arc::new(holding(&dag.blocks)));
    let one = |compress| {
        let to = Arc::new(MemoryStore::new());
        let client = loopback::compressing(&url, compress);
        let pull = client.pull(dag.root, Vec::new(), Arc::clone(&to));
        let (seconds, pulled) = timed(|| runtime.block_on(pull).expect("the server has all"));
        assert_eq!(to.len(), dag.blocks.len(), "all came");
        (seconds, pulled.totals.bytes_received)
    };
    let (with, without) = by_turns(RUNS, || one(compress).0, || one(Compress::Never).0);
    let (bytes, of) = (one(compress).1, one(Compress::Never).1);
    let sent = format!("{:.2} of the bytes", bytes as f64 / of as f64);
    let name = format!("pull of 64 MiB of {what}, --compress {when}: {sent}");
    let row = Row::new("coding", name, rate(dag.block_bytes(), with), "MB/s");
    each(row.beside("--compress never", rate(dag.block_bytes(), without)));
}

/// 256 leaves of 256 KiB of words, each a little like the others, under one root.
fn text() -> Dag {
    const WORDS: [&str; 8] = ["const", "function", "return", "=>", "{", "}", "import", "value"];
    let word = |n: u64| match n % 16 {
        at @ 0..8 => format!("{} ", WORDS[usize::try_from(at).expect("below 8")]),
        _ => format!("v{:x};\n", n % 60_000),
    };
    let leaf = |n: u64| {
        let words = (0..).flat_map(|at| word(mix(n << 32 | at)).into_bytes());
        Block::new(codec::RAW, words.take(256 << 10).collect::<Vec<u8>>().into())
    };
    let leaves: Vec<Block> = (0..256).map(leaf).collect();
    let mut data = Vec::new();
    carpool_core::cbor::write_head(&mut data, carpool_core::cbor::ARRAY, leaves.len() as u64);
    leaves.iter().for_each(|leaf| carpool_core::cbor::write_link(&mut data, leaf.cid()));
    let root = Block::new(codec::DAG_CBOR, data.into());
    Dag { root: *root.cid(), blocks: [root].into_iter().chain(leaves).collect() }
}
