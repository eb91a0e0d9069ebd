use carpool_bloom::sketch::{Cell, Decoder, Key, Sketch, Symbol};
use std::collections::HashMap;

use super::{Bloom, Deferral};
use crate::lab::{Node, Sink, Source, Strategy, Transcript, request};

/// A rateless sketch of all that the sink holds, under a key that the source drew before. The sink
/// sends cells, four times as many in all with each message, until the source has decoded what
/// differs; where all cells would take more bytes than a filter, it sends the filter: that of the
/// interior blocks, or the tuned one where that is smaller, and for a chain.
#[derive(Clone, Copy, Debug)]
pub struct Sketches;

const FIRST: usize = 256;
const GROWTH: usize = 4;
/// The message's key, its number and the head of the cells.
const AROUND: u64 = 12;
/// Of an answer that says that more cells are needed.
const MORE: u64 = 2;

impl Strategy for Sketches {
    fn name(&self) -> &'static str {
        "sketch"
    }

    fn choice(&self, sink: &Sink<'_>) -> u64 {
        Bloom::TUNED.choice(sink)
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let (tuned, interior) = (Bloom::TUNED.bytes(sink), Deferral::bytes(sink));
        // Below what an interior filter hides in a chain, everything is hidden.
        let defers = interior <= tuned && sink.facts.depth <= 64;
        let fallback = if defers { interior } else { tuned };
        let most = usize::try_from(fallback).expect("in memory") / Cell::BYTES;
        let mut transcript = Transcript::new();
        if let Some(missing) = exchange(most.max(FIRST), source, sink, &mut transcript) {
            for node in missing {
                source.send(node, &mut transcript);
            }
        } else {
            transcript.note("gave up for a filter");
            if defers {
                Deferral.go_on(source, sink, &mut transcript);
            } else {
                Bloom::TUNED.go_on(source, sink, &mut transcript);
            }
        }
        transcript
    }
}

/// Rounds of cells until what differs is known; what the source has of that.
fn exchange(
    most: usize,
    source: &mut Source<'_>,
    sink: &Sink<'_>,
    out: &mut Transcript,
) -> Option<Vec<Node>> {
    let key = Key::new([7; 16]);
    let (missing, held) = (source.unmatched(), sink.unmatched());
    // A sketch is linear: what both sides hold is not in the sum of both.
    let mut sum = Sketch::new(key, most);
    let mut ours: HashMap<Symbol, Node> = HashMap::new();
    for (node, is_ours) in missing.iter().map(|n| (n, true)).chain(held.iter().map(|n| (n, false)))
    {
        let symbol = key.symbol(&node.cid().to_bytes());
        sum.toggle_symbol(symbol);
        if is_ours {
            ours.insert(symbol, *node);
        }
    }
    let (mut decoder, mut begin, mut end) = (Decoder::new(), 0, FIRST);
    while end <= most {
        let cells = &sum.cells()[begin..end];
        let first = if begin == 0 { request(1, 0) } else { 0 };
        out.request(AROUND + first + (cells.len() * Cell::BYTES) as u64);
        decoder.handle_cells(cells, &vec![Cell::default(); cells.len()]).ok()?;
        if decoder.is_done() {
            let found = decoder.recovered().iter().filter_map(|symbol| ours.get(symbol));
            return Some(found.copied().collect());
        }
        out.answer(MORE);
        (begin, end) = (end, end * GROWTH);
    }
    None
}
