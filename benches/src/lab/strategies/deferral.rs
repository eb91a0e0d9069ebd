use carpool_mirror::planner::interior_filter_for;

use super::bitmaps::asking;
use crate::lab::{FilterModel, Node, Sink, Source, Strategy, Transcript, request};

/// A filter of the interior blocks that the sink holds; the source sends interior blocks that are
/// missing and holds leaves back, until a bitmap over the links of what came asks for them, and for
/// interior blocks that the filter hid.
#[derive(Clone, Copy, Debug)]
pub struct Deferral;

impl Strategy for Deferral {
    fn name(&self) -> &'static str {
        "deferral"
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        self.go_on(source, sink, &mut transcript);
        transcript
    }
}

impl Deferral {
    /// Bytes of the filter.
    pub(super) fn bytes(sink: &Sink<'_>) -> u64 {
        interior_filter_for(sink.facts.interior).bytes() as u64
    }

    /// Sends the filter, whatever was tried before.
    pub(super) fn go_on(self, source: &mut Source<'_>, sink: &Sink<'_>, out: &mut Transcript) {
        let params = interior_filter_for(sink.facts.interior);
        let bytes = params.bytes() as u64;
        let rate = params.predicted_fpr(sink.facts.interior);
        // One filter for all rounds: what it hides is asked for by name.
        let filter = FilterModel { rate, seed: 0 };
        let mut wanted = vec![source.root()];
        wanted.retain(|node| !sink.holds(*node));
        let mut up = request(1, bytes);
        while !wanted.is_empty() {
            out.request(up);
            let links = answer(&wanted, &filter, source, sink, out);
            up = asking(&links, sink);
            wanted = links.into_iter().filter(|link| !sink.holds(*link)).collect();
        }
    }
}

/// Sends what is wanted and the interior blocks below; returns the links that stayed behind.
fn answer(
    wanted: &[Node],
    filter: &FilterModel,
    source: &mut Source<'_>,
    sink: &Sink<'_>,
    out: &mut Transcript,
) -> Vec<Node> {
    let (mut queue, mut behind, mut next) = (wanted.to_vec(), Vec::new(), 0);
    while let Some(node) = queue.get(next).copied() {
        next += 1;
        for link in source.send(node, out) {
            let hidden = link.is_leaf() || is_pruned(link, filter, source, sink);
            if hidden { behind.push(link) } else { queue.push(link) }
        }
    }
    behind
}

fn is_pruned(node: Node, filter: &FilterModel, source: &mut Source<'_>, sink: &Sink<'_>) -> bool {
    source.comparisons += 1;
    if !filter.hits(sink, node) {
        return false;
    }
    let links = source.load(node);
    source.comparisons += links.len() as u64;
    links.iter().all(|link| link.is_leaf() || filter.hits(sink, *link))
}
