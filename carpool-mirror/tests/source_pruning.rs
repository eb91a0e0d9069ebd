//! Second looks at what a filter hits: a block with links is left out where those of its links that may
//! have links are hit too.

mod common;

use carpool_bloom::Filter;
use carpool_core::{Block, CidList, Limits};
use carpool_mirror::{Source, SourceOutput, Status, filter_of};
use carpool_selector::Order;
use common::{Blocks, leaf, map, node, round};

fn filter<'a>(blocks: impl IntoIterator<Item = &'a Block> + Clone) -> Option<Filter> {
    let n = blocks.clone().into_iter().count();
    filter_of(n, &Limits::default(), |insert| {
        blocks.into_iter().for_each(|block| insert(&block.cid().to_bytes()));
    })
}

fn sources() -> [Source; 2] {
    let limits = Limits::default();
    [Source::new, Source::forgetful].map(|new| new(Order::DepthFirst, &limits, 0))
}

/// What is sent of the DAG below `root` to a sink with this filter.
fn sent(source: &mut Source, root: &Block, have: Option<Filter>, held: &Blocks) -> Vec<Block> {
    let mut want = CidList::with_seed(0);
    want.push(root.cid());
    source.handle_request(want, have).expect("one want");
    round(source, held).0
}

/// A history of four nodes, newest first, each with a leaf.
fn history() -> (Vec<Block>, Vec<Block>) {
    let leaves = ["a", "b", "c", "d"].map(leaf);
    let mut nodes = vec![node(&[&leaves[0]])];
    for leaf in &leaves[1..] {
        let before = nodes[0].clone();
        nodes.insert(0, node(&[&before, leaf]));
    }
    (nodes, leaves.into())
}

#[test]
fn a_hit_block_whose_link_is_not_hit_is_sent() {
    let (nodes, leaves) = history();
    let all = map(nodes.iter().chain(&leaves));
    for mut source in sources() {
        let sent = sent(&mut source, &nodes[0], filter([&nodes[1]]), &all);
        assert_eq!(sent.len(), 8, "it was a false positive");
    }
}

#[test]
fn one_whose_links_are_hit_is_left_out_with_all_that_lies_below() {
    let (nodes, leaves) = history();
    let all = map(nodes.iter().chain(&leaves));
    for mut source in sources() {
        let sent = sent(&mut source, &nodes[0], filter([&nodes[1], &nodes[2]]), &all);
        assert_eq!(sent, [nodes[0].clone(), leaves[3].clone()]);
    }
}

/// A filter need not have leaves, and a hit leaf costs no more than itself.
#[test]
fn links_to_leaves_are_not_asked_about() {
    let (nodes, leaves) = history();
    let all = map(nodes.iter().chain(&leaves));
    for mut source in sources() {
        let sent = sent(&mut source, &nodes[2], filter([&nodes[3]]), &all);
        assert_eq!(sent, [nodes[2].clone(), leaves[1].clone()]);
    }
}

/// The sink knows of it by that block, so it says nothing against it.
#[test]
fn nor_about_links_that_are_wanted_by_name() {
    let (nodes, leaves) = history();
    let all = map(nodes.iter().chain(&leaves));
    let mut source = Source::new(Order::BreadthFirst, &Limits::default(), 0);
    let want = [&nodes[0], &nodes[2]].map(|block| *block.cid()).into();
    source.handle_status(Status { want, have: filter([&nodes[1]]) }).expect("two wants");
    assert!(!round(&mut source, &all).0.contains(&nodes[1]));
}

#[test]
fn what_is_looked_at_twice_and_not_held_is_lacking_to_nobody() {
    let (nodes, leaves) = history();
    let held = map([&nodes[0], &leaves[3]]);
    for mut source in sources() {
        let mut want = CidList::with_seed(0);
        want.push(nodes[0].cid());
        source.handle_request(want, filter([&nodes[1]])).expect("one want");
        let (sent, lacks) = round(&mut source, &held);
        assert_eq!((sent.len(), lacks.len()), (2, 0));
    }
}

/// As many as blocks with links are sent, and 64.
#[test]
fn looks_at_the_limit_and_one_past_it() {
    let leaf = leaf("a");
    for (children, looked_at) in [(64, 64), (65, 65), (66, 65), (300, 65)] {
        let below: Vec<Block> = (0..children).map(|n| node(&vec![&leaf; n + 1])).collect();
        let root = node(&below.iter().collect::<Vec<_>>());
        let held = map(below.iter().chain([&root, &leaf]));
        let mut source = Source::forgetful(Order::DepthFirst, &Limits::default(), 0);
        let mut want = CidList::with_seed(0);
        want.push(root.cid());
        source.handle_request(want, filter(&below)).expect("one want");
        let mut loads = 0;
        loop {
            match source.poll().expect("blocks parse").expect("look-ups are answered") {
                SourceOutput::Load(cid) => {
                    loads += 1;
                    source.handle_load(&cid, held.get(&cid).cloned());
                }
                SourceOutput::Transmit(block) => assert_eq!(block, root),
                SourceOutput::EndRound => break,
                SourceOutput::Missing(cid) => panic!("{cid} is held"),
            }
        }
        assert_eq!(loads, 1 + looked_at, "{children}");
    }
}
