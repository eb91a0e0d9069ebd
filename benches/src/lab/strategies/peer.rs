use carpool_bloom::Params;
use std::collections::VecDeque;

use crate::lab::{FilterModel, Node, Sink, Source, Strategy, Transcript, request};

/// As car-mirror 0.1.0 does it: no filter in the first round, and in later ones one of what lies
/// below the blocks that came, at a tenth of 1/n. The source goes on below what a filter hits, and
/// a stream ends at the first block that the sink holds.
#[derive(Clone, Copy, Debug)]
pub struct Peer;

/// What a round left open.
struct Open {
    wanted: Vec<Node>,
    /// Blocks that the sink holds below what came.
    held: u64,
}

impl Strategy for Peer {
    fn name(&self) -> &'static str {
        "car-mirror"
    }

    fn takes(&self, facts: &carpool_mirror::planner::Facts) -> bool {
        // A round for each entry of a chain, with a filter of all that is held in each.
        facts.depth <= 64
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        let mut open = Open { wanted: vec![source.root()], held: 0 };
        while !open.wanted.is_empty() {
            let params = Params::for_items(open.held);
            let bytes = if open.held == 0 { 0 } else { params.bytes() as u64 };
            transcript.request(request(open.wanted.len() as u64, bytes));
            let rate = if bytes == 0 { 0.0 } else { params.predicted_fpr(open.held) };
            let filter = FilterModel { rate, seed: bytes };
            stream(&mut open, &filter, source, sink, &mut transcript);
        }
        transcript
    }
}

fn stream(
    open: &mut Open,
    filter: &FilterModel,
    source: &mut Source<'_>,
    sink: &Sink<'_>,
    out: &mut Transcript,
) {
    let mut queue: VecDeque<(Node, bool)> =
        open.wanted.drain(..).map(|node| (node, true)).collect();
    // What the sink knows to be missing and did not get yet.
    let mut ended = false;
    while let Some((node, by_name)) = queue.pop_front() {
        if ended {
            // Links of what came are known to the sink, so it asks for those that it lacks.
            note(node, open, sink);
            continue;
        }
        source.comparisons += 1;
        if sink.holds(node) {
            out.send(node, source.size(node));
            note(node, open, sink);
            ended = true;
            continue;
        }
        if !by_name && filter.hits(sink, node) {
            source.load(node);
            note(node, open, sink);
            continue;
        }
        let links = source.send(node, out);
        queue.extend(links.into_iter().map(|link| (link, false)));
    }
}

fn note(node: Node, open: &mut Open, sink: &Sink<'_>) {
    if sink.holds(node) {
        open.held += sink.blocks_below(node);
    } else {
        open.wanted.push(node);
    }
}
