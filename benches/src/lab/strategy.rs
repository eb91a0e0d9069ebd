use carpool_mirror::planner::{Facts, Path};
use sim::dag::mix;

use super::{
    node::Node,
    strategies,
    transcript::Transcript,
    versions::{Side, Versions},
};

/// A way to find out and to move what a sink lacks, tried in the laboratory.
///
/// It plays both sides: what the source does it asks of [`Source`], which counts its work, and what
/// the sink does of [`Sink`]; what one tells the other goes into the [`Transcript`]. Whether all that
/// was missing came is found out by the laboratory.
pub trait Strategy: Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What it makes of the path, in a number: paths that give the same one share a run.
    fn choice(&self, _sink: &Sink<'_>) -> u64 {
        0
    }

    /// Whether it can be tried on so much at all; what it cannot is left out of a table.
    fn takes(&self, _facts: &Facts) -> bool {
        true
    }

    /// Moves what is missing.
    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript;
}

/// All strategies, in the order of tables.
pub const ALL: [&dyn Strategy; 14] = [
    &strategies::Full,
    &strategies::Wants::BITSWAP,
    &strategies::Wants::BARE,
    &strategies::Peer,
    &strategies::Bloom::SPECIFICATION,
    &strategies::Bloom::TUNED,
    &strategies::HeldRoots::FIRST_CONTACT,
    &strategies::HeldRoots::KNOWN_PEER,
    &strategies::Bitmaps,
    &strategies::Deferral,
    &strategies::Sketches,
    &strategies::Iblt,
    &strategies::Planned,
    &strategies::Naive,
];

/// The side that has the new version. It knows nothing of the old one but by its root.
pub struct Source<'a> {
    versions: &'a dyn Versions,
    unmatched: &'a [Node],
    /// Blocks that were read.
    pub loads: u64,
    /// CIDs that were held against something.
    pub comparisons: u64,
}

impl<'a> Source<'a> {
    pub(super) const fn new(versions: &'a dyn Versions, unmatched: &'a [Node]) -> Self {
        Self { versions, unmatched, loads: 0, comparisons: 0 }
    }

    /// The root of the new version.
    #[must_use]
    pub fn root(&self) -> Node {
        self.versions.root(Side::New)
    }

    /// The links of a block, which is read for that.
    pub fn load(&mut self, node: Node) -> Vec<Node> {
        self.loads += 1;
        if node.is_leaf() { Vec::new() } else { self.versions.links(node) }
    }

    /// What it has and the sink lacks: see [`Sink::unmatched`].
    #[must_use]
    pub const fn unmatched(&self) -> &'a [Node] {
        self.unmatched
    }

    /// Bytes of a block.
    #[must_use]
    pub fn size(&self, node: Node) -> u64 {
        self.versions.size(node)
    }

    /// Reads a block and sends it; returns its links.
    pub fn send(&mut self, node: Node, transcript: &mut Transcript) -> Vec<Node> {
        transcript.send(node, self.size(node));
        self.load(node)
    }
}

/// The side that has the old version, all of it.
#[derive(Clone)]
pub struct Sink<'a> {
    versions: &'a dyn Versions,
    unmatched: &'a [Node],
    /// What it knows before it asks. `last_change` is within a factor of four of what is missing:
    /// a guess, as one would be that goes by the last time.
    pub facts: Facts,
}

impl<'a> Sink<'a> {
    pub(super) const fn new(
        versions: &'a dyn Versions,
        unmatched: &'a [Node],
        facts: Facts,
    ) -> Self {
        Self { versions, unmatched, facts }
    }

    /// The root of the old version.
    #[must_use]
    pub fn root(&self) -> Node {
        self.versions.root(Side::Old)
    }

    /// Whether it holds a block, of the old version.
    #[must_use]
    pub fn holds(&self, node: Node) -> bool {
        !node.is_new()
    }

    /// How many blocks it holds at and below a block that it holds.
    #[must_use]
    pub fn blocks_below(&self, node: Node) -> u64 {
        self.versions.subtree(node)
    }

    /// What it holds and the source does not. No sink could say so: it stands for what is left when
    /// two sketches of all blocks are put together.
    #[must_use]
    pub const fn unmatched(&self) -> &'a [Node] {
        self.unmatched
    }

    /// What lies between the sides.
    #[must_use]
    pub const fn path(&self) -> &Path {
        &self.facts.path
    }

    /// Missing blocks to expect, going by the last change.
    #[must_use]
    pub fn expected_missing(&self) -> f64 {
        let leaves = self.facts.last_change.unwrap_or(1) as f64;
        leaves * (1.0 + (self.facts.depth.min(4) as f64) / 2.0)
    }
}

/// A filter that was not filled: it hits what the sink holds and, at its rate, what it does not.
///
/// Which node that is hangs on the node and on a seed. So no run hashes ten million CIDs, and how
/// often filters err is how often real ones do, to which a test holds it.
#[derive(Clone, Copy, Debug)]
pub struct FilterModel {
    /// Chance of a false positive, from 0 to 1.
    pub rate: f64,
    /// Two filters of other sizes err at other nodes, as those with another seed do.
    pub seed: u64,
}

impl FilterModel {
    /// Whether it hits.
    #[must_use]
    pub fn hits(&self, sink: &Sink<'_>, node: Node) -> bool {
        sink.holds(node) || self.errs(node)
    }

    fn errs(&self, node: Node) -> bool {
        let random = mix(mix(node.id()) ^ mix(self.seed)) as f64;
        random < self.rate * u64::MAX as f64
    }
}

/// Bytes of a request of the specification: its wants, and its filter.
#[must_use]
pub fn request(wants: u64, filter_bytes: u64) -> u64 {
    let head = |n: u64| match n {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    };
    // A map of `bb`, `bk`, which is below 24 or takes two bytes more, and `rs`.
    1 + 3 + head(filter_bytes) + filter_bytes + 3 + 1 + 3 + head(wants) + 41 * wants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Change, Edit, Tree};
    use carpool_bloom::{Filter, Params};
    use carpool_core::Cid;
    use carpool_mirror::Status;
    use sim::message::{Dialect, Kind, encode};

    #[test]
    fn a_request_is_as_long_as_a_real_one() {
        let cid: Cid = Node::old(1, 0).cid();
        for (wants, bytes) in [(1, 0), (1, 1), (1, 23), (1, 24), (30, 256), (300, 70_000)] {
            let have = (bytes > 0).then(|| Filter::new(Params::new(bytes, 4).expect("small")));
            let status = Status { want: vec![cid; wants], have };
            let message = encode(Dialect::Spec, Kind::PullRequest, &status);
            assert_eq!(
                request(wants as u64, bytes as u64),
                message.len() as u64,
                "{wants}, {bytes}"
            );
        }
    }

    #[test]
    fn a_model_errs_as_often_as_a_filter() {
        let (n, edit) = (40_000, Edit { change: Change::Replace, d: 40_000, clustered: true });
        let tree = Tree::new(n, 32, 10, &edit);
        let path = Path { rtt_micros: 1, bytes_per_second: 1 };
        let facts = Facts {
            blocks: n,
            interior: 0,
            depth: 1,
            leaf_bytes: 10,
            last_change: None,
            path,
            common_root: false,
            extended: false,
        };
        let sink = Sink::new(&tree, &[], facts);
        for params in [Params::new(27_500, 4).expect("small"), Params::with_target(n, 1e-2)] {
            let mut filter = Filter::new(params);
            filter.insert_all((0..n).map(|i| Node::old(0, i).cid().to_bytes()));
            let model = FilterModel { rate: params.predicted_fpr(n), seed: 3 };
            let new = || (0..n).map(|i| Node::new(0, i));
            let real = new().filter(|node| filter.contains(&node.cid().to_bytes())).count() as f64;
            let modelled = new().filter(|node| model.hits(&sink, *node)).count() as f64;
            let spread = 6.0 * (n as f64 * model.rate).sqrt() + 1.0;
            assert!((real - modelled).abs() < spread, "{real}, {modelled} of {n}");
            assert!((0..n).all(|i| model.hits(&sink, Node::old(0, i))));
        }
    }
}
