use carpool_mirror::planner::{Facts, Path};
use sim::dag::mix;
use std::fmt;

use super::{
    Edit, Node, Shape, Side, Sink, Source, Strategy, Transcript, Versions, transcript::car,
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
    /// Blocks that came although the sink held them, or had got them.
    pub duplicates: u64,
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
    let mut missing = only_in(&*versions, Side::New);
    let truth = truth(&*versions, &missing);
    missing.sort_unstable();
    let mut rows = Vec::new();
    for strategy in strategies {
        let facts = |path: &Path| facts(&*versions, &truth, *path, point);
        if !paths.first().is_some_and(|path| strategy.takes(&facts(path))) {
            continue;
        }
        let runs: Vec<&[Path]> =
            paths.chunks(if strategy.adapts() { 1 } else { paths.len() }).collect();
        for paths in runs {
            let sink = Sink::new(&*versions, facts(&paths[0]));
            let mut source = Source::new(&*versions);
            let mut transcript = strategy.run(&mut source, &sink);
            let what = || format!("{} at {point}", strategy.name());
            let repeated = referee(&mut transcript, &missing)
                .map_err(|blocks| Incomplete { what: what(), blocks })?;
            rows.extend(paths.iter().map(|path| Row {
                point: *point,
                path: *path,
                strategy: strategy.name(),
                up: transcript.up(),
                down: transcript.down(),
                rounds: transcript.rounds().len(),
                seconds: transcript.seconds(path),
                duplicates: transcript.duplicates + repeated,
                loads: source.loads,
                comparisons: source.comparisons,
                truth,
                note: transcript.note.clone(),
            }));
        }
    }
    Ok(rows)
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

fn truth(versions: &dyn Versions, missing: &[Node]) -> Truth {
    let leaves = missing.iter().filter(|node| node.is_leaf()).count() as u64;
    let inner = missing.iter().filter(|node| !node.is_leaf());
    let new = versions.totals(Side::New);
    Truth {
        missing: missing.len() as u64,
        leaves,
        links: inner.map(|node| versions.link_count(*node)).sum(),
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
        leaf_bytes: point.leaf_bytes,
        last_change: Some(last),
        path,
        common_root: true,
        extended: true,
    }
}

/// log2 of the number of ways to choose `d` of `n`.
fn log2_choose(n: u64, d: u64) -> f64 {
    let d = d.min(n.saturating_sub(d));
    (0..d).map(|i| ((n - i) as f64 / (d - i) as f64).log2()).sum()
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
