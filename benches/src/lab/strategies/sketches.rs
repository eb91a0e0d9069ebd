use carpool_bloom::sketch::{Cell, Decoder, Key, Sketch, Symbol};
use std::collections::HashMap;

use super::Bloom;
use crate::lab::{Node, Sink, Source, Strategy, Transcript, request};

/// A rateless sketch of all that the sink holds, under a key that the source drew before. The sink
/// sends cells, as many again in each round, until the source has decoded what differs; where that
/// takes more bytes than the tuned filter would, it gives up and sends the filter.
#[derive(Clone, Copy, Debug)]
pub struct Sketches;

const FIRST: usize = 64;
/// The message's key, its number and the head of the cells.
const AROUND: u64 = 12;
/// Of an answer that says that more cells are needed.
const MORE: u64 = 2;

impl Strategy for Sketches {
    fn name(&self) -> &'static str {
        "sketch"
    }

    fn adapts(&self) -> bool {
        true
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let filter = Bloom::TUNED.bytes(sink);
        let most = usize::try_from(filter).expect("in memory") / Cell::BYTES;
        let mut transcript = Transcript::new();
        match exchange(most.max(FIRST), source, sink, &mut transcript) {
            Some(missing) => {
                for node in missing {
                    source.send(node, &mut transcript);
                }
            }
            None => {
                transcript.note("gave up for the filter");
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
    let (mut decoder, mut begin, mut count) = (Decoder::new(), 0, FIRST);
    while begin < most {
        let cells = &sum.cells()[begin..(begin + count).min(most)];
        let first = if begin == 0 { request(1, 0) } else { 0 };
        out.request(AROUND + first + (cells.len() * Cell::BYTES) as u64);
        decoder.handle_cells(cells, &vec![Cell::default(); cells.len()]).ok()?;
        begin += cells.len();
        if decoder.is_done() {
            let found = decoder.recovered().iter().filter_map(|symbol| ours.get(symbol));
            return Some(found.copied().collect());
        }
        out.answer(MORE);
        count = begin;
    }
    None
}
