//! Which way to find out what a sink lacks: facts in, a plan out.
//!
//! A [`plan`] knows sizes, shape and path, and never how much differs; it holds every step that
//! there is against changes of all magnitudes, or of about the last one's, and takes the one whose
//! time is nearest to the best of each. Costs are those of a model (a balanced tree or a chain,
//! scattered changes, slow start), so a plan is an opinion and not a promise.

mod encoding;
mod path;
mod predict;

use alloc::{format, string::String, vec::Vec};
use carpool_bloom::Params;
use core::fmt;

use crate::narrowing::interior_params;

pub use encoding::Encoding;
pub use path::{Connection, INITIAL_WINDOW, Path};
pub use predict::Cost;
pub(crate) use predict::DEEPEST_TREE;

/// A way to find out what a sink lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Name roots that are held whole; the source holds both versions against each other.
    HeldRoots,
    /// A Bloom filter of the specification over all that is held.
    Filter,
    /// A filter of interior blocks alone; leaves are held back until a bitmap asks for them.
    InteriorFilter,
    /// One bit for each link of the blocks that came, level by level.
    Bitmaps,
    /// Cells of a rateless sketch of all that is held, four times as many with each message.
    Sketch,
    /// Ask for all of it.
    Everything,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::HeldRoots,
        Self::Filter,
        Self::InteriorFilter,
        Self::Bitmaps,
        Self::Sketch,
        Self::Everything,
    ];

    /// What a transfer can do today.
    pub const ON_THE_WIRE: [Self; 6] = Self::ALL;

    /// What it is called in headers and on the command line.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::HeldRoots => "held",
            Self::Filter => "filter",
            Self::InteriorFilter => "interior",
            Self::Bitmaps => "levels",
            Self::Sketch => "sketch",
            Self::Everything => "everything",
        }
    }

    /// The step that is called so.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.token() == token)
    }

    /// Whether it needs a peer that knows the extension.
    #[must_use]
    pub const fn is_extension(self) -> bool {
        !matches!(self, Self::Filter | Self::Everything)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeldRoots => "held roots",
            Self::Filter => "filter",
            Self::InteriorFilter => "interior filter",
            Self::Bitmaps => "bitmaps",
            Self::Sketch => "sketch",
            Self::Everything => "everything",
        })
    }
}

/// What both sides know before anything is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Blocks that the sink holds of what may be below the root.
    pub blocks: u64,
    /// Those of them with links.
    pub interior: u64,
    /// Links between a root and the deepest leaf.
    pub depth: u64,
    /// Bytes of a leaf, in the mean.
    pub leaf_bytes: u64,
    /// Leaves that were missing the last time, where there was one.
    pub last_change: Option<u64>,
    /// What lies between the peers.
    pub path: Path,
    /// Whether both are thought to hold an older root.
    pub common_root: bool,
    /// Whether the peer knows the extension.
    pub extended: bool,
}

impl Facts {
    /// How many leaves are among so many missing blocks, were they scattered: where a transfer counted
    /// blocks, what to say as [`last_change`](Self::last_change) before the next. At least 1, unless
    /// there are no blocks.
    #[must_use]
    pub fn leaves_among(&self, blocks: u64) -> u64 {
        predict::leaves_among(self, blocks)
    }

    fn leaves(&self) -> f64 {
        self.blocks.saturating_sub(self.interior).max(1) as f64
    }

    /// Blocks that are linked to, by those that link.
    fn links_a_node(&self) -> f64 {
        (self.blocks as f64 / self.interior.max(1) as f64).max(1.01)
    }
}

/// A step and its cost for a change of the magnitude that was expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// What to do.
    pub step: Step,
    /// What it is thought to cost.
    pub cost: Cost,
}

/// Steps in the order in which to try them, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The first step, and what to fall back to: there is at least one.
    pub steps: Vec<Planned>,
    /// Why, in words.
    pub reason: String,
}

impl Plan {
    /// What to begin with.
    #[must_use]
    pub fn first(&self) -> Step {
        self.steps[0].step
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Planned { step, cost }) in self.steps.iter().enumerate() {
            let then = if n == 0 { "" } else { ", else " };
            let Cost { up, down, seconds } = cost;
            write!(f, "{then}{step} ({up} B up, {down} B down, {:.0} ms)", seconds * 1e3)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Leaves that may have changed: what the last change makes likely, or any magnitude.
fn prior(facts: &Facts) -> Vec<f64> {
    let leaves = facts.leaves();
    if let Some(last) = facts.last_change {
        let last = last.max(1) as f64;
        return [last / 4.0, last, last * 4.0].map(|d| d.clamp(1.0, leaves)).into();
    }
    let mut all = Vec::from([1.0]);
    while let Some(next) = all.last().map(|d| d * 10.0).filter(|next| *next <= leaves) {
        all.push(next);
    }
    all
}

/// The plan for what is known, out of the steps that are `available` and that the peer understands.
/// Where there are none it is [`Step::Everything`], which every peer does.
#[must_use]
pub fn plan(facts: &Facts, available: &[Step]) -> Plan {
    let usable = |step: &Step| {
        (facts.extended || !step.is_extension())
            && (facts.common_root || *step != Step::HeldRoots)
            // Without anything held there is nothing to say about it.
            && (facts.blocks > 0 || *step == Step::Everything)
    };
    let mut steps: Vec<Step> = available.iter().copied().filter(usable).collect();
    if steps.is_empty() {
        steps.push(Step::Everything);
    }
    let (prior, scores) = (prior(facts), scores(facts, &steps));
    let mut order: Vec<(f64, Step)> = scores.into_iter().zip(steps).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    prefer_held_roots(&mut order);
    let expected = prior[prior.len() / 2];
    let planned = |(_, step): &(f64, Step)| Planned {
        step: *step,
        cost: predict::predict(*step, facts, expected),
    };
    Plan { steps: order.iter().map(planned).collect(), reason: reason(facts, &order, expected) }
}

/// What held roots cost is known, and the model of the others is not good to a hundredth.
fn prefer_held_roots(order: &mut [(f64, Step)]) {
    let best = order[0].0;
    let near = |(score, step): &(f64, Step)| *step == Step::HeldRoots && *score <= best * 1.01;
    if let Some(at) = order.iter().position(near) {
        order[..=at].rotate_right(1);
    }
}

/// For each step the mean, over the changes that may be, of its time by the best one's.
fn scores(facts: &Facts, steps: &[Step]) -> Vec<f64> {
    let mut scores = alloc::vec![0.0; steps.len()];
    let prior = prior(facts);
    for leaves in &prior {
        let time = |step: &Step| predict::predict(*step, facts, *leaves).seconds;
        let times: Vec<f64> = steps.iter().map(time).collect();
        let best = times.iter().copied().fold(f64::INFINITY, f64::min);
        scores.iter_mut().zip(times).for_each(|(score, time)| *score += time / best);
    }
    scores.iter_mut().for_each(|score| *score /= prior.len() as f64);
    scores
}

fn reason(facts: &Facts, order: &[(f64, Step)], expected: f64) -> String {
    let change =
        if facts.last_change.is_some() { "as after the last change" } else { "of any size" };
    let held = if facts.common_root { "an older root on both sides" } else { "no root in common" };
    let runner_up = order.get(1).map_or_else(String::new, |(score, step)| {
        format!("; {step} would take {:.2} times as long as the best of each", score)
    });
    let Facts { blocks, interior, depth, path, .. } = facts;
    format!(
        "{blocks} blocks held, {interior} with links, depth {depth}, {held}, a change {change} \
         ({expected:.0} leaves), {} ms round trip, {} B/s{runner_up}",
        path.rtt_micros / 1000,
        path.bytes_per_second
    )
}

/// Largest rate at which a filter of the specification may err, so that rounds for what it hides
/// stay few.
const HIGHEST_RATE: f64 = 1e-2;

/// The filter of a power of two that costs the least time for `n` held blocks, of which a source
/// asks about `missing` that are not held: each step up takes its bytes, each false positive a round
/// trip.
#[must_use]
pub fn filter_for(n: u64, missing: f64, path: &Path) -> Params {
    let of = |bytes: usize| Params::fitting(n, 0.0, bytes);
    let seconds = |params: &Params| {
        let again = (missing * params.predicted_fpr(n)).min(1.0);
        Connection::new(*path).round(params.bytes() as u64, 0) + again * path.rtt()
    };
    let largest = Params::with_target(n, 1e-12).bytes();
    let steps = (0..=largest.ilog2()).map(|log| of(1 << log));
    let enough =
        |params: &Params| params.predicted_fpr(n) <= HIGHEST_RATE || params.bytes() == largest;
    let best = steps.filter(enough).min_by(|a, b| seconds(a).total_cmp(&seconds(b)));
    best.unwrap_or_else(|| of(largest))
}

/// The filter of so many blocks with links, of those whose leaves are held back. On the wire it is made
/// by it.
#[must_use]
pub fn interior_filter_for(interior: u64) -> Params {
    interior_params(usize::try_from(interior).unwrap_or(usize::MAX), MAX_INTERIOR_BYTES)
}

/// No message has more.
const MAX_INTERIOR_BYTES: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Facts = Facts {
        blocks: 1_005_780,
        interior: 5_780,
        depth: 3,
        leaf_bytes: 1024,
        last_change: Some(1000),
        path: Path { rtt_micros: 50_000, bytes_per_second: 12_500_000 },
        common_root: false,
        extended: true,
    };

    #[test]
    fn plans() {
        let near = Path { rtt_micros: 100, bytes_per_second: 12_500_000 };
        let thin = Path { rtt_micros: 5_000, bytes_per_second: 12_500 };
        let chain = Facts { blocks: 200_000, interior: 100_000, depth: 100_000, ..WIDE };
        let far = Path { rtt_micros: 150_000, ..WIDE.path };
        let deep = Facts { blocks: 1_142_858, interior: 142_858, depth: 7, path: far, ..WIDE };
        let small = Facts { blocks: 300, interior: 5, depth: 2, ..WIDE };
        let table = [
            ("both hold a root", Facts { common_root: true, ..WIDE }, Step::HeldRoots),
            ("wide and far, little changes", Facts { last_change: Some(10), ..WIDE }, Step::Sketch),
            ("deeper, and more changes", deep, Step::InteriorFilter),
            ("near, so rounds cost nothing", Facts { path: near, ..WIDE }, Step::Bitmaps),
            ("a thin path", Facts { path: thin, ..WIDE }, Step::Bitmaps),
            ("a chain, a small change", Facts { last_change: Some(5), ..chain }, Step::Sketch),
            ("no extension", Facts { extended: false, common_root: true, ..WIDE }, Step::Filter),
            ("little is held", small, Step::Filter),
            ("nothing is held", Facts { blocks: 0, interior: 0, ..WIDE }, Step::Everything),
        ];
        for (case, facts, expected) in table {
            let plan = plan(&facts, &Step::ALL);
            assert_eq!(plan.first(), expected, "{case}: {plan}");
        }
    }

    #[test]
    fn leaves_are_told_from_the_blocks_above_them() {
        // One leaf, and the three nodes above it; of many leaves most have their own.
        let chain = Facts { blocks: 200_000, interior: 100_000, depth: 100_000, ..WIDE };
        let flat = Facts { blocks: 100, interior: 0, depth: 0, ..WIDE };
        let nothing = Facts { blocks: 0, interior: 0, depth: 0, ..WIDE };
        for (facts, blocks, leaves) in [
            (WIDE, 0, 0..=0),
            (WIDE, 1, 1..=1),
            (WIDE, 4, 1..=1),
            (WIDE, 1_952, 980..=1_010),
            (WIDE, u64::MAX, 1_000_000..=1_000_000),
            (chain, 20, 10..=10),
            (flat, 7, 7..=7),
            (nothing, 7, 1..=1),
        ] {
            let found = facts.leaves_among(blocks);
            assert!(leaves.contains(&found), "{blocks}: {found}");
        }
    }

    #[test]
    fn a_plan_has_only_what_there_is() {
        for facts in [WIDE, Facts { common_root: true, ..WIDE }, Facts { extended: false, ..WIDE }]
        {
            let plan = plan(&facts, &Step::ON_THE_WIRE);
            assert!(plan.steps.iter().all(|planned| Step::ON_THE_WIRE.contains(&planned.step)));
        }
        assert_eq!(plan(&WIDE, &[]).first(), Step::Everything);
        assert_eq!(plan(&WIDE, &[Step::HeldRoots]).first(), Step::Everything);
    }

    #[test]
    fn a_plan_says_what_and_why() {
        let text = alloc::string::ToString::to_string(&plan(&WIDE, &Step::ON_THE_WIRE));
        assert!(text.starts_with("bitmaps ("), "{text}");
        assert!(text.contains(", else everything ("), "{text}");
        assert!(text.contains("no root in common") && text.contains("50 ms"), "{text}");
    }

    #[test]
    fn a_filter_grows_with_what_a_mistake_costs() {
        let bytes = |n, missing, path: &Path| filter_for(n, missing, path).bytes();
        let near = Path { rtt_micros: 1_000, ..WIDE.path };
        assert!(bytes(1_000_000, 1e3, &near) <= bytes(1_000_000, 1e3, &WIDE.path));
        assert!(bytes(1_000_000, 10.0, &WIDE.path) <= bytes(1_000_000, 1e5, &WIDE.path));
        assert!(bytes(1_000_000, 1e3, &WIDE.path) < Params::for_items(1_000_000).bytes());
        assert!(filter_for(1_000_000, 1e3, &near).predicted_fpr(1_000_000) <= HIGHEST_RATE);
        assert!(filter_for(0, 1.0, &near).bytes() >= 1 && filter_for(1, 1e9, &near).bytes() < 64);
    }
}
