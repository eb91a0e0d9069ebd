//! Filters that lie, and blocks that were made to be hit by them: whatever a filter says costs a few
//! rounds, and work that is paid for with blocks.

mod common;

use carpool_bloom::{Filter, Limits};
use carpool_core::{Block, Cid, codec};
use carpool_mirror::{Sink, SinkOutput};
use common::{STEPS, blocks, tree};
use sim::{
    Direction, End, Failure, Pair, Report, Setup,
    dag::{Dag, Shape, chain, generate, mix, node, original, scattered},
};
use std::collections::BTreeSet;

/// Rounds that filters may cost: those that hid something, one without a filter, and a push's first.
const MOST_ROUNDS: u32 = 7;

const DIRECTIONS: [Direction; 2] = [Direction::Pull, Direction::Push];

fn setup(direction: Direction) -> Setup {
    match direction {
        Direction::Pull => Setup::pull(),
        Direction::Push => Setup { cold_call_bytes: 0, ..Setup::push() },
    }
}

/// A transfer of `new` to a sink that holds `old`, in which the sink's filters are forged.
fn forged(
    setup: &Setup,
    (new, old): (&Dag, &Dag),
    forge: impl FnMut(Option<Filter>) -> Option<Filter> + 'static,
) -> Report {
    let setup = Setup { seeds: vec![old.root], ..setup.clone() };
    let (source, sink) = (blocks(new).into(), blocks(old).into());
    let mut pair = Pair::with_forged_filters(&setup, new.root, source, sink, forge);
    pair.drive(STEPS).expect("a transfer ends")
}

fn filter(bytes: Vec<u8>, k: u32) -> Option<Filter> {
    let limits = Limits { max_bytes: 8 << 20, max_k: 64 };
    Filter::from_wire(bytes, k, &limits).expect("within the limits")
}

fn versions() -> (Dag, Dag) {
    let shape = Shape { seed: 21, leaves: 3000, leaf_size: 50, fanout: 6 };
    (original(&shape), generate(&shape, &scattered(4, 3000, 300)))
}

#[test]
fn a_filter_of_ones_hides_a_history_for_a_few_rounds() {
    let (old, new) = (chain(9, 10, 10), chain(9, 400, 10));
    for direction in DIRECTIONS {
        let report = forged(&setup(direction), (&new, &old), |have| {
            have.and_then(|_| filter(vec![0xff; 64], 1))
        });
        assert_eq!(report.end, End::Complete, "{direction:?}");
        // A source that goes on without a filter sends what the sink holds below.
        assert!(report.blocks_sent <= new.blocks.len() as u64, "{}", report.blocks_sent);
        assert!(report.rounds <= MOST_ROUNDS, "{direction:?}: {} rounds", report.rounds);
    }
}

#[test]
fn a_polluted_filter_costs_a_few_rounds() {
    let (old, new) = versions();
    for percent in [69, 90, 99] {
        for direction in DIRECTIONS {
            let report = forged(&setup(direction), (&new, &old), move |have| {
                let have = have?;
                let (k, mut bytes) = (have.k(), have.into_bytes());
                for bit in 0..bytes.len() * 8 {
                    if mix(bit as u64) % 100 < percent {
                        bytes[bit / 8] |= 1 << (bit % 8);
                    }
                }
                filter(bytes, k)
            });
            assert_eq!(report.end, End::Complete, "{percent} {direction:?}");
            assert!(report.rounds <= MOST_ROUNDS, "{percent} {direction:?}: {}", report.rounds);
        }
    }
}

#[test]
fn k_at_the_limit_and_one_past_it() {
    let (old, new) = versions();
    let at = |k| forged(&Setup::pull(), (&new, &old), move |_| filter(vec![0xaa; 64], k)).end;
    assert_eq!(at(64), End::Complete);
    let one_less = |limits: &mut carpool_core::Limits| limits.max_bloom_k = 63;
    let mut setup = Setup::pull();
    one_less(&mut setup.limits);
    let end = forged(&setup, (&new, &old), |_| filter(vec![0xaa; 64], 64)).end;
    assert!(matches!(end, End::Failed(Failure::Message(_))), "{end:?}");
}

/// The filter of a sink that holds `old`, as anybody can make it who knows that.
fn first_filter(old: &Dag) -> Filter {
    let nowhere = *Block::new(codec::DAG_CBOR, vec![0x80].into()).cid();
    let limits = carpool_core::Limits::default();
    let (held, mut sink) = (blocks(old), Sink::new([nowhere], [old.root], &limits, 0));
    loop {
        match sink.poll().expect("good blocks").expect("look-ups are answered") {
            SinkOutput::Load(cid) => sink.handle_load(&cid, held.get(&cid).cloned()),
            SinkOutput::Has(cid) => sink.handle_has(&cid, held.contains_key(&cid)),
            SinkOutput::Transmit(status) => return status.have.expect("a filter"),
            other @ (SinkOutput::Store(_)
            | SinkOutput::Plan(_)
            | SinkOutput::Ask(_)
            | SinkOutput::Summary
            | SinkOutput::Done(_)) => {
                unreachable!("{other:?}")
            }
        }
    }
}

/// A history in which the filter hits every node that `hit` says, by a leaf chosen for that.
fn ground(filter: &Filter, length: u64, hit: impl Fn(u64) -> bool) -> Dag {
    let mut all: Vec<Block> = Vec::new();
    let mut before: Option<Cid> = None;
    for height in 0..length {
        let leaves = (0_u64..).map(|n| {
            let text = format!("{height} {n}");
            Block::new(codec::RAW, text.into())
        });
        let mut nodes = leaves.map(|leaf| (node(before.iter().chain([leaf.cid()])), leaf));
        let wish = hit(height);
        let chosen = nodes.find(|(node, _)| filter.contains(&node.cid().to_bytes()) == wish);
        let (top, leaf) = chosen.expect("one in a few thousand");
        before = Some(*top.cid());
        all.extend([leaf, top]);
    }
    let root = before.expect("not empty");
    all.reverse();
    let mut seen = BTreeSet::new();
    all.retain(|block| seen.insert(*block.cid()));
    Dag { root, blocks: all }
}

fn sends(setup: &Setup, new: &Dag, old: &Dag) -> Report {
    let setup = Setup { seeds: vec![old.root], ..setup.clone() };
    let mut pair = Pair::new(&setup, new.root, blocks(new).into(), blocks(old).into());
    pair.drive(STEPS).expect("a transfer ends")
}

/// Every node is hit, so a second look at its link says the same.
#[test]
fn a_history_ground_against_the_filter_costs_a_few_rounds() {
    let (old, _) = versions();
    let new = ground(&first_filter(&old), 60, |_| true);
    for direction in DIRECTIONS {
        let report = sends(&setup(direction), &new, &old);
        assert_eq!(report.end, End::Complete, "{direction:?}");
        assert!(report.rounds <= MOST_ROUNDS, "{direction:?}: {} rounds", report.rounds);
        assert_eq!(report.blocks_sent, new.blocks.len() as u64, "nothing else is sent");
    }
}

/// Every third node is hit: a second look at its link shows that it is not held.
#[test]
fn single_false_positives_in_a_history_cost_no_round() {
    let (old, _) = versions();
    let filter = first_filter(&old);
    let new = ground(&filter, 90, |height| height % 3 == 1);
    let hit = new.blocks.iter().filter(|block| filter.contains(&block.cid().to_bytes())).count();
    assert!(hit >= 30, "{hit} are hit");
    let report = sends(&Setup::pull(), &new, &old);
    assert_eq!(report.end, End::Complete);
    // Leaves that the filter hits, one in a thousand, come in a second one.
    assert!(report.rounds <= 2, "{} rounds", report.rounds);
}

#[test]
fn a_filter_buys_no_look_ups() {
    let tree = tree();
    let old = Dag { root: tree.root, blocks: vec![tree.blocks[0].clone()] };
    let (source, sink) = (blocks(&tree).into(), blocks(&old).into());
    let ones = |_| filter(vec![0xff; 64], 1);
    let mut pair = Pair::with_forged_filters(&Setup::pull(), tree.root, source, sink, ones);
    let report = pair.drive(STEPS).expect("a transfer ends");
    assert_eq!(report.end, End::Complete);
    let rounds = u64::from(report.rounds);
    let reads = pair.source_store().look_ups();
    assert!(reads <= 2 * report.blocks_sent + 64 * rounds, "{reads} for {}", report.blocks_sent);
}
