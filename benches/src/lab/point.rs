use carpool_mirror::planner::{Facts, Path};
use sim::dag::mix;
use std::{collections::HashSet, fmt};

use super::{
    Change, Edit, Node, Shape, Side, Sink, Source, Strategy, Transcript, Versions, transcript::car,
    versions::only_in,
};

/// Two versions of a DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What it looks like.
    pub shape: Shape,
    /// Leaves, or entries of a chain, of the old version.
    pub n: u64,
    /// Bytes of a leaf.
    pub leaf_bytes: u64,
    /// What happened to the leaves.
    pub edit: Edit,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, n, leaf_bytes, edit } = self;
        let spread = if edit.clustered { "clustered" } else { "scattered" };
        let (shape, change) = (shape.name(), edit.change.name());
        write!(f, "{shape} n={n} leaf={leaf_bytes} {change} d={} {spread}", edit.d)
    }
}

/// What a strategy cost at a point over a path.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where.
    pub point: Point,
    /// Over what.
    pub path: Path,
    /// Which.
    pub strategy: &'static str,
    /// Bytes of requests.
    pub up: u64,
    /// Bytes of answers.
    pub down: u64,
    /// Requests.
    pub rounds: usize,
    /// Seconds of the replay.
    pub seconds: f64,
    /// Blocks that came although the sink held them, or had got them; without `copies`.
    pub duplicates: u64,
    /// Blocks that came although the sink held them, and were copied out of a subtree that did not
    /// change, with what is below them.
    pub copies: u64,
    /// Blocks that the source read.
    pub loads: u64,
    /// CIDs that the source compared.
    pub comparisons: u64,
    /// What the point is, whatever the strategy.
    pub truth: Truth,
    /// What the strategy says of its run.
    pub note: String,
}

/// What has to be moved at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// Blocks that are missing.
    pub missing: u64,
    /// Leaves of those.
    pub leaves: u64,
    /// Links of those.
    pub links: u64,
    /// Blocks with links that only the old version has.
    pub lost: u64,
    /// Links of those.
    pub lost_links: u64,
    /// Bytes of a CAR of just these.
    pub car: u64,
    /// Bytes that say which leaves these are: log2 C(n, leaves) / 8.
    pub bound: f64,
    /// Blocks with links that the sink holds.
    pub interior: u64,
    /// Links from the old root to a leaf.
    pub depth: u64,
    /// The most links of a block.
    pub fan_out: u64,
}

/// A strategy left blocks out, which makes all its numbers void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// Where and which.
    pub what: String,
    /// How many blocks did not come.
    pub blocks: u64,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} blocks that are missing did not come", self.what, self.blocks)
    }
}

impl std::error::Error for Incomplete {}

/// Runs strategies at a point: once, and once a path where they look at it.
///
/// # Errors
/// [`Incomplete`].
pub fn measure(
    point: &Point,
    paths: &[Path],
    strategies: &[&dyn Strategy],
) -> Result<Vec<Row>, Incomplete> {
    let versions = point.shape.versions(point.n, point.leaf_bytes, &point.edit);
    measure_versions(point, &*versions, paths, strategies)
}

/// As [`measure`], of versions that were made otherwise; the point says what they are called.
///
/// # Errors
/// [`Incomplete`].
pub fn measure_versions(
    point: &Point,
    versions: &dyn Versions,
    paths: &[Path],
    strategies: &[&dyn Strategy],
) -> Result<Vec<Row>, Incomplete> {
    let [lost, mut missing] = [Side::Old, Side::New].map(|side| only_in(versions, side));
    let unordered = missing.clone();
    let truth = truth(versions, &missing, &lost);
    missing.sort_unstable();
    let copied = copied(versions, &missing, point);
    let mut rows = Vec::new();
    for strategy in strategies {
        let sinks = paths.iter().map(|path| {
            let sink = Sink::new(versions, &lost, facts(versions, &truth, *path, point));
            (path, strategy.choice(&sink), sink)
        });
        let mut sinks: Vec<_> = sinks.filter(|(_, _, sink)| strategy.takes(&sink.facts)).collect();
        sinks.sort_by_key(|(_, choice, _)| *choice);
        for same in sinks.chunk_by(|a, b| a.1 == b.1) {
            let mut source = Source::new(versions, &unordered);
            let mut transcript = strategy.run(&mut source, &same[0].2);
            let what = || format!("{} at {point}", strategy.name());
            let repeated = referee(&mut transcript, &missing)
                .map_err(|blocks| Incomplete { what: what(), blocks })?;
            let is_copy = |node: &&Node| is_below(versions, **node, &copied);
            let copies = transcript.repeated.iter().filter(is_copy).count() as u64;
            rows.extend(same.iter().map(|(path, _, _)| Row {
                point: *point,
                path: **path,
                strategy: strategy.name(),
                up: transcript.up(),
                down: transcript.down(),
                rounds: transcript.rounds().len(),
                seconds: transcript.seconds(path),
                duplicates: transcript.duplicates + repeated - copies,
                copies,
                loads: source.loads,
                comparisons: source.comparisons,
                truth,
                note: transcript.note.clone(),
            }));
        }
    }
    Ok(rows)
}

/// Blocks that both sides hold, that a missing block links to, and that came out of a subtree which did
/// not change.
fn copied(versions: &dyn Versions, missing: &[Node], point: &Point) -> HashSet<Node> {
    if point.edit.change != Change::Copy {
        return HashSet::new();
    }
    let links =
        missing.iter().filter(|node| !node.is_leaf()).flat_map(|node| versions.links(*node));
    let is_copy = |node: &Node| {
        let parent = if node.is_new() { None } else { versions.parent(*node) };
        parent.is_some_and(|parent| versions.is_in_new(parent))
    };
    links.filter(is_copy).collect()
}

/// Whether a block of the old version is one of these or below one.
fn is_below(versions: &dyn Versions, node: Node, above: &HashSet<Node>) -> bool {
    if above.is_empty() {
        return false;
    }
    std::iter::successors(Some(node), |node| versions.parent(*node))
        .any(|node| above.contains(&node))
}

/// How many of the missing blocks came more than once.
///
/// # Errors
/// How many did not come.
fn referee(transcript: &mut Transcript, missing: &[Node]) -> Result<u64, u64> {
    let sent = &mut transcript.sent;
    let all = sent.len();
    sent.sort_unstable();
    sent.dedup();
    let absent = missing.iter().filter(|node| sent.binary_search(node).is_err()).count();
    let repeated = (all - sent.len()) as u64;
    if absent == 0 { Ok(repeated) } else { Err(absent as u64) }
}

fn truth(versions: &dyn Versions, missing: &[Node], lost: &[Node]) -> Truth {
    let leaves = missing.iter().filter(|node| node.is_leaf()).count() as u64;
    let links = |nodes: &[Node]| -> u64 {
        let inner = nodes.iter().filter(|node| !node.is_leaf());
        inner.map(|node| versions.link_count(*node)).sum()
    };
    let new = versions.totals(Side::New);
    Truth {
        missing: missing.len() as u64,
        leaves,
        links: links(missing),
        lost: lost.iter().filter(|node| !node.is_leaf()).count() as u64,
        lost_links: links(lost),
        car: car(missing.iter().map(|node| versions.size(*node))),
        bound: log2_choose(new.blocks - new.interior, leaves) / 8.0,
        interior: versions.totals(Side::Old).interior,
        depth: versions.depth(),
        fan_out: versions.fan_out(),
    }
}

fn facts(versions: &dyn Versions, truth: &Truth, path: Path, point: &Point) -> Facts {
    let totals = versions.totals(Side::Old);
    let leaves = truth.leaves.max(1);
    let last = match mix(point.n ^ truth.missing) % 3 {
        0 => leaves.div_ceil(4),
        1 => leaves,
        _ => leaves * 4,
    };
    Facts {
        blocks: totals.blocks,
        interior: totals.interior,
        depth: versions.depth(),
        leaf_bytes: versions.leaf_bytes(),
        last_change: Some(last),
        path,
        common_root: true,
        extended: true,
    }
}

/// log2 of the number of ways to choose `d` of `n`.
fn log2_choose(n: u64, d: u64) -> f64 {
    let d = d.min(n.saturating_sub(d));
    (0..d).map(|i| ((n - i) as f64 / (d - i) as f64).log2()).fold(0.0, |sum, bits| sum + bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_literature() {
        for (d, bytes) in [(10, 22.2), (1_000, 1_425.0), (100_000, 58_623.0)] {
            assert!((log2_choose(1_000_000, d) / 8.0 / bytes - 1.0_f64).abs() < 0.01, "{d}");
        }
        assert!((log2_choose(5, 2) - 10_f64.log2()).abs() < 1e-9);
        assert_eq!((log2_choose(5, 0), log2_choose(5, 5)), (0.0, 0.0));
    }
}
