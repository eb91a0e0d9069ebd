use carpool_core::{Block, Bytes, Cid, Unverified, codec, verify};
use carpool_mirror::planner::Step;
use carpool_selector::Order;
use std::{collections::BTreeSet, time::Duration};

use crate::{
    Blocks, Direction, End, Framing, Pair, Report, Setup, SinkLie, SourceLie, Stuck,
    dag::{self, Dag, Shape, mix},
    link::{Conditions, Cut},
    reference,
};

/// More steps than any plan takes.
const STEPS: usize = 1_000_000;

/// Rounds that a liar is granted.
const ROUNDS_OF_LIARS: u32 = 30;

/// A transfer chosen at random: what is held where, the network, its faults, and who lies.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The transfer.
    pub setup: Setup,
    /// The root that is wanted.
    pub root: Cid,
    /// What the source holds.
    pub source: Blocks,
    /// What the sink holds.
    pub sink: Blocks,
    /// What the source does that it should not.
    pub source_lie: Option<SourceLie>,
    /// What the sink says that is not so.
    pub sink_lie: Option<SinkLie>,
}

/// Gives a number below the one that it is given.
type Choose<'a> = dyn FnMut(u64) -> u64 + 'a;

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut n = 0;
        Self::pick(&mut |below| {
            n += 1;
            mix(mix(seed).wrapping_add(n)) % below
        })
    }

    /// A plan by choices: `choose(n)` gives a number below `n`. Zeros are the plainest plan.
    pub fn pick(choose: &mut Choose<'_>) -> Self {
        let (new, old) = versions(choose);
        let all = [&new.blocks[..], &old.blocks[..]].concat();
        let source = part(&all, *of(choose, &[100, 100, 100, 90, 50]), choose);
        let held = part(&old.blocks, *of(choose, &[0, 100, 80]), choose);
        let more = part(&new.blocks, *of(choose, &[0, 0, 50, 95]), choose);
        let sink = held.into_iter().chain(more).collect();
        let mut setup = setup(choose);
        let hint = if choose(2) == 1 { vec![old.root] } else { vec![] };
        setup.estimate = if setup.direction == Direction::Push { hint.clone() } else { vec![] };
        setup.seeds = hint;
        let mut plan =
            Self { setup, root: new.root, source, sink, source_lie: None, sink_lie: None };
        plan.pick_lies(&new, choose);
        plan.setup.session = plan.setup.direction == Direction::Pull && choose(2) == 1;
        plan.setup.steps = match choose(8) {
            1 => vec![Step::Bitmaps],
            2 => vec![Step::InteriorFilter],
            3 => vec![Step::Filter, Step::Everything],
            4 => vec![Step::Everything],
            5 => vec![Step::InteriorFilter, Step::Bitmaps],
            6 => vec![Step::Sketch, Step::InteriorFilter],
            _ => vec![],
        };
        plan.setup.forgets = choose(4) == 1;
        plan
    }

    fn pick_lies(&mut self, dag: &Dag, choose: &mut Choose<'_>) {
        let count = dag.blocks.len() as u64;
        self.source_lie = match choose(24) {
            6 => Some(SourceLie::WrongBytes(choose(count))),
            1 => Some(SourceLie::Skips(*of(choose, &dag.blocks).cid())),
            2 => Some(SourceLie::Unrelated),
            3 => Some(SourceLie::Repeats),
            4 => Some(SourceLie::Nothing),
            5 => Some(SourceLie::Endless),
            _ => None,
        };
        self.sink_lie = match choose(32) {
            4 => Some(SinkLie::Nothing),
            1 => Some(SinkLie::Unheld),
            2 => Some(SinkLie::Sent),
            3 => Some(SinkLie::Endless),
            _ => None,
        };
        if !self.is_honest() {
            self.setup.limits.max_rounds = ROUNDS_OF_LIARS;
            self.setup.limits.max_unwanted_bytes = *of(choose, &[1000, 20_000, 100_000]);
        }
    }

    fn is_honest(&self) -> bool {
        self.source_lie.is_none() && self.sink_lie.is_none()
    }

    /// Runs to the end: the report, and what the sink holds then.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn run(&self) -> Result<(Report, Blocks), Stuck> {
        let (source, sink) = (self.source.clone().into(), self.sink.clone().into());
        let mut pair = Pair::new(&self.setup, self.root, source, sink);
        if let Some(lie) = self.source_lie {
            pair = pair.with_source_lie(lie);
        }
        if let Some(lie) = self.sink_lie {
            pair = pair.with_sink_lie(lie);
        }
        let report = pair.drive(STEPS)?;
        Ok((report, pair.into_sink_store().blocks().clone()))
    }

    /// Holds an end to what may come of the plan: the sink has the closure, or there is a named
    /// error, and nothing that is unverified or unreachable is stored.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn check(&self, report: &Report, held: &Blocks) {
        let expected = reference::expected(self.root, &self.source, &self.sink);
        let keys: BTreeSet<Cid> = held.keys().copied().collect();
        assert!(keys.is_subset(&expected.held), "an unreachable block is stored");
        let claims = held.iter().map(|(cid, data)| Unverified { cid: *cid, data: data.clone() });
        assert!(verify(claims.collect()).iter().all(Result::is_ok), "an unverified one is stored");
        let all = keys == expected.held;
        let closed = all && expected.missing.is_empty();
        match &report.end {
            End::Complete => assert!(closed || self.sink_lie.is_some(), "it is not complete"),
            End::Incomplete(outcome) => {
                assert!(outcome.missing > 0 && !outcome.named.is_empty(), "nothing is named");
                let lacks = !expected.missing.is_empty() && (all || self.asks_in_portions());
                assert!(lacks || self.may_give_up(), "it could have gone on");
            }
            End::Failed(failure) => assert!(!self.is_honest(), "{failure:?}"),
        }
    }

    /// A server does not remember what a client could not give: where it asks in portions, the
    /// portion that the client lacks stays the first, and the push ends there.
    fn asks_in_portions(&self) -> bool {
        self.setup.direction == Direction::Push && self.setup.limits.max_wanted < 10_000
    }

    /// A body that ends early and looks whole says of blocks that they are not held, as a liar does.
    fn may_give_up(&self) -> bool {
        !self.is_honest() || self.setup.cuts.iter().any(|cut| matches!(cut, Cut::Clean(_)))
    }
}

fn of<'a, T>(choose: &mut Choose<'_>, all: &'a [T]) -> &'a T {
    let n = choose(all.len() as u64);
    &all[usize::try_from(n).expect("below a length")]
}

fn setup(choose: &mut Choose<'_>) -> Setup {
    let mut setup = if choose(2) == 1 { Setup::push() } else { Setup::pull() };
    setup.framing = *of(choose, &[Framing::Car, Framing::Car, Framing::Plain]);
    setup.order = *of(choose, &[setup.order, Order::DepthFirst, Order::BreadthFirst]);
    setup.limits.max_bloom_bytes = *of(choose, &[1 << 20, 32, 1]);
    setup.limits.max_wanted = *of(choose, &[10_000, 4, 1]);
    setup.cold_call_bytes = choose(2000);
    (setup.seed, setup.answers) = (choose(1 << 16), choose(1 << 16));
    setup.summary = setup.seed % 2 == 1;
    setup.network = network(choose);
    setup.cuts = (0..choose(5)).map(|_| cut(choose)).collect();
    setup.status_cuts = (0..choose(3)).map(|_| status_cut(choose)).collect();
    let late = *of(choose, &[None, Some(0), Some(30), Some(500)]);
    setup.late = late.map(Duration::from_millis);
    setup
}

fn network(choose: &mut Choose<'_>) -> Conditions {
    Conditions {
        latency: Duration::from_millis(choose(150)),
        rate: *of(choose, &[None, Some(20_000), Some(1_000_000)]),
        reader: *of(choose, &[None, None, Some(10_000)]),
        window: *of(choose, &[1 << 20, 1000, 1]),
        segment: *of(choose, &[1 << 14, 200, 7]),
        patience: Duration::from_secs(1 + choose(60)),
        seed: choose(1 << 16),
    }
}

fn cut(choose: &mut Choose<'_>) -> Cut {
    let at = choose(6000);
    match choose(8) {
        0 => Cut::Never,
        1 | 2 => Cut::Broken(at),
        3 => Cut::Clean(at),
        4 | 5 => Cut::Stalled(at),
        6 => Cut::SourceDied(at),
        _ => Cut::SinkDied(at),
    }
}

fn status_cut(choose: &mut Choose<'_>) -> Cut {
    let at = choose(200);
    *of(choose, &[Cut::Never, Cut::Broken(at), Cut::Stalled(at)])
}

/// A DAG and the one before it.
fn versions(choose: &mut Choose<'_>) -> (Dag, Dag) {
    let (seed, leaves) = (choose(1 << 16), 1 + choose(40));
    let (leaf_size, fanout) = (*of(choose, &[1, 30, 300]), *of(choose, &[2, 3, 16]));
    let shape = Shape { seed, leaves, leaf_size, fanout };
    let changed = dag::scattered(seed, leaves, choose(leaves + 1));
    let before = 1 + choose(leaves);
    match choose(7) {
        0 => (dag::generate(&shape, &changed), dag::original(&shape)),
        1 => (dag::hamt(&shape, &changed), dag::hamt(&shape, &BTreeSet::new())),
        2 => (dag::chain(seed, leaves, leaf_size), dag::chain(seed, before, leaf_size)),
        3 => (dag::wide(seed, leaves, leaf_size), dag::wide(seed, before, leaf_size)),
        4 => (dag::diamond(seed, leaves, leaf_size), dag::diamond(seed, before, leaf_size)),
        5 => (dag::identities(seed, leaves, leaf_size), dag::identities(seed, before, leaf_size)),
        _ => tangle(leaves, before, choose),
    }
}

/// Every node links to the one before it and to any others before that, repeats included; the
/// version before is what the first nodes make.
fn tangle(nodes: u64, before: u64, choose: &mut Choose<'_>) -> (Dag, Dag) {
    let mut blocks = vec![Block::new(codec::RAW, "leaf".into())];
    let mut old = None;
    for i in 0..nodes {
        let leaf = i.to_string().repeat(1 + blocks.len() % 7);
        blocks.push(Block::new(codec::RAW, Bytes::from(leaf)));
        let picked: Vec<Cid> = (0..choose(5)).map(|_| *of(choose, &blocks).cid()).collect();
        let last = *blocks[blocks.len() - 1].cid();
        blocks.push(dag::node(picked.iter().chain([&last])));
        if i + 1 == before {
            old = Some(top_down(&blocks));
        }
    }
    let new = top_down(&blocks);
    (new.clone(), old.unwrap_or(new))
}

fn top_down(blocks: &[Block]) -> Dag {
    let blocks: Vec<Block> = blocks.iter().rev().cloned().collect();
    Dag { root: *blocks[0].cid(), blocks }
}

/// About `percent` of the blocks.
fn part(blocks: &[Block], percent: u64, choose: &mut Choose<'_>) -> Blocks {
    let seed = mix(choose(1 << 16));
    let chosen = |i: usize| mix(seed ^ i as u64) % 100 < percent;
    let held = blocks.iter().enumerate().filter(|(i, _)| chosen(*i));
    held.map(|(_, block)| block.clone().into_parts()).collect()
}
