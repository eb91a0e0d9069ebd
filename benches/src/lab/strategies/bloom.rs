use carpool_bloom::Params;
use carpool_mirror::planner::filter_for;

use crate::lab::{FilterModel, Node, Sink, Source, Strategy, Transcript, request};

/// A filter of all that the sink holds, in the first request.
#[derive(Clone, Copy, Debug)]
pub struct Bloom {
    tuned: bool,
}

impl Bloom {
    /// At the rate that the specification recommends, a tenth of 1/n, stopping at every hit: what
    /// carpool sends to a peer without the extension.
    pub const SPECIFICATION: Self = Self { tuned: false };
    /// Still within the specification: of the size that costs the least time, going by how many
    /// blocks are expected to be missing and by the path; and below a block that is hit the source
    /// stops only where all its links are hit too.
    pub const TUNED: Self = Self { tuned: true };

    fn params(&self, sink: &Sink<'_>) -> Params {
        let n = sink.facts.blocks;
        if self.tuned {
            filter_for(n, sink.expected_missing(), sink.path())
        } else {
            Params::for_items(n)
        }
    }

    fn is_pruned(
        &self,
        node: Node,
        filter: &FilterModel,
        source: &mut Source<'_>,
        sink: &Sink<'_>,
    ) -> bool {
        source.comparisons += 1;
        if !filter.hits(sink, node) {
            return false;
        }
        if !self.tuned || node.is_leaf() {
            return true;
        }
        let links = source.load(node);
        source.comparisons += links.len() as u64;
        links.iter().all(|link| filter.hits(sink, *link))
    }
}

impl Strategy for Bloom {
    fn name(&self) -> &'static str {
        if self.tuned { "bloom-tuned" } else { "bloom" }
    }

    fn choice(&self, sink: &Sink<'_>) -> u64 {
        let params = self.params(sink);
        (params.bytes() as u64) << 8 | u64::from(params.k())
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        self.go_on(source, sink, &mut transcript);
        transcript
    }
}

impl Bloom {
    /// Bytes of the filter.
    pub(super) fn bytes(&self, sink: &Sink<'_>) -> u64 {
        self.params(sink).bytes() as u64
    }

    /// Sends the filter, whatever was tried before.
    pub(super) fn go_on(&self, source: &mut Source<'_>, sink: &Sink<'_>, out: &mut Transcript) {
        let params = self.params(sink);
        let bytes = params.bytes() as u64;
        let rate = params.predicted_fpr(sink.facts.blocks);
        let mut wanted = vec![source.root()];
        wanted.retain(|node| !sink.holds(*node));
        let mut last = usize::MAX;
        for seed in 0.. {
            if wanted.is_empty() {
                break;
            }
            // What is wanted by name and links to nothing needs no filter, and a round that brought
            // nearly nothing shows that the filter stands in the way.
            let bare = seed > 0 && (wanted.iter().all(|node| node.is_leaf()) || last < 2);
            out.request(request(wanted.len() as u64, if bare { 0 } else { bytes }));
            let filter = FilterModel { rate: if bare { 0.0 } else { rate }, seed };
            let sent = out.sent.len();
            wanted = self.answer(wanted, &filter, source, sink, out);
            last = out.sent.len() - sent;
        }
    }

    /// Sends what the filter does not hide; returns what it hid and is missing.
    fn answer(
        &self,
        wanted: Vec<Node>,
        filter: &FilterModel,
        source: &mut Source<'_>,
        sink: &Sink<'_>,
        out: &mut Transcript,
    ) -> Vec<Node> {
        let (mut stack, mut hidden) = (wanted, Vec::new());
        while let Some(node) = stack.pop() {
            for link in source.send(node, out) {
                if !self.is_pruned(link, filter, source, sink) {
                    stack.push(link);
                } else if !sink.holds(link) {
                    hidden.push(link);
                }
            }
        }
        hidden
    }
}
