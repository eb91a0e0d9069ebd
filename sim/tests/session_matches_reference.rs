//! Random DAGs, random parts of them on either side, random cuts: what the sink holds afterwards is
//! what the reference says, however the transfer went.

mod common;

use carpool_core::{Block, Bytes, Cid, codec};
use common::transfer;
use proptest::prelude::*;
use sim::{
    Blocks, Direction, Framing, Setup,
    dag::{Dag, mix, node},
    link::{Conditions, Cut},
};

/// Node `i` links to nodes before it, repeats included; every second block is a leaf.
fn dag(shape: &[Vec<usize>]) -> Dag {
    let mut blocks = vec![Block::new(codec::RAW, "leaf".into())];
    for (i, links) in shape.iter().enumerate() {
        blocks.push(Block::new(codec::RAW, Bytes::from(i.to_string().repeat(i % 7 + 1))));
        let picked: Vec<Cid> = links.iter().map(|n| *blocks[n % blocks.len()].cid()).collect();
        let last = *blocks[blocks.len() - 1].cid();
        blocks.push(node(picked.iter().chain([&last])));
    }
    blocks.reverse();
    Dag { root: *blocks[0].cid(), blocks }
}

/// About `percent` of the blocks.
fn part(dag: &Dag, percent: u64, seed: u64) -> Blocks {
    let chosen = |i: u64| mix(mix(seed) ^ i) % 100 < percent;
    let held = dag.blocks.iter().enumerate().filter(|(i, _)| chosen(*i as u64));
    held.map(|(_, block)| block.clone().into_parts()).collect()
}

fn cut() -> impl Strategy<Value = Cut> {
    (0u64..4000, any::<bool>())
        .prop_map(|(at, clean)| if clean { Cut::Clean(at) } else { Cut::Broken(at) })
}

prop_compose! {
    fn setup()(
        push: bool,
        plain: bool,
        cuts in prop::collection::vec(cut(), 0..4),
        seed: u64,
        answers: u64,
        cold_call_bytes in 0u64..2000,
        max_bloom_bytes in prop::sample::select(vec![1usize, 32, 1 << 20]),
        segment in prop::sample::select(vec![7usize, 200, 1 << 14]),
        window in prop::sample::select(vec![1usize, 1 << 20]),
    ) -> Setup {
        let mut setup = if push { Setup::push() } else { Setup::pull() };
        setup.limits.max_bloom_bytes = max_bloom_bytes;
        let framing = if plain { Framing::Plain } else { Framing::Car };
        let network = Conditions { segment, window, seed, ..Conditions::default() };
        Setup { framing, cuts, seed, answers, cold_call_bytes, network, ..setup }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_on_the_way(
        shape in prop::collection::vec(prop::collection::vec(0usize..64, 0..6), 1..40),
        setup in setup(),
        source_holds in prop::sample::select(vec![100u64, 100, 90, 50]),
        sink_holds in 0u64..100,
        seed: u64,
        old in prop::option::of(0usize..80),
    ) {
        let dag = dag(&shape);
        let source = part(&dag, source_holds, seed);
        let sink = part(&dag, sink_holds, seed.wrapping_add(1));
        let old: Vec<Cid> = old.map(|n| *dag.blocks[n % dag.blocks.len()].cid()).into_iter().collect();
        let estimate = if setup.direction == Direction::Push { old.clone() } else { vec![] };
        let setup = Setup { seeds: old, estimate, ..setup };
        let (first, _) = transfer(&setup, dag.root, &source, &sink);
        let other = Setup { seed: !setup.seed, answers: !setup.answers, ..setup };
        prop_assert_eq!(transfer(&other, dag.root, &source, &sink).0, first);
    }
}
