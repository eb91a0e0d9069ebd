//! What is below a new root and not below an old one, held to the difference of two sets.

use carpool_core::{Block, Bytes, Cid, Limits, codec, for_each_link};
use carpool_selector::{Difference, Order, Step, Walk, reference};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Dags {
    blocks: BTreeMap<Cid, Bytes>,
}

impl Dags {
    fn leaf(&mut self, name: u64) -> Cid {
        self.keep(Block::new(codec::RAW, name.to_be_bytes().to_vec().into()))
    }

    fn node(&mut self, links: &[Cid]) -> Cid {
        let mut out = vec![0x99];
        out.extend(u16::try_from(links.len()).expect("few links").to_be_bytes());
        for cid in links {
            out.extend([0xd8, 0x2a, 0x58, 37, 0]);
            out.extend(cid.to_bytes());
        }
        self.keep(Block::new(codec::DAG_CBOR, out.into()))
    }

    fn keep(&mut self, block: Block) -> Cid {
        let (cid, data) = block.into_parts();
        self.blocks.insert(cid, data);
        cid
    }

    /// A balanced tree; `ends` says after which leaf or node a parent ends.
    fn cut_tree(&mut self, leaves: &[u64], ends: &dyn Fn(usize, Cid) -> bool) -> Cid {
        let mut level: Vec<Cid> = leaves.iter().map(|name| self.leaf(*name)).collect();
        loop {
            let (mut above, mut children) = (Vec::new(), Vec::new());
            for cid in level {
                children.push(cid);
                if ends(children.len(), cid) {
                    above.push(self.node(&children));
                    children.clear();
                }
            }
            if !children.is_empty() {
                above.push(self.node(&children));
            }
            if let [root] = above[..] {
                return root;
            }
            level = above;
        }
    }

    fn tree(&mut self, leaves: &[u64], fanout: usize) -> Cid {
        self.cut_tree(leaves, &|n, _| n == fanout)
    }

    fn links(&self, cid: &Cid) -> usize {
        let mut links = 0;
        if let Some(data) = self.blocks.get(cid) {
            for_each_link(cid, data, &Limits::default(), |_| links += 1).expect("good blocks");
        }
        links
    }

    fn below(&self, roots: &[Cid]) -> BTreeSet<Cid> {
        reference::breadth_first(roots, &self.blocks).into_iter().collect()
    }
}

impl Dags {
    /// What a walk visits that enters what is lacking.
    fn entered(&self, new: &[Cid], difference: &Difference) -> BTreeSet<Cid> {
        let limits = Limits::default();
        let mut walk = Walk::new(new.iter().copied(), Order::DepthFirst, &limits, 7);
        let mut visited = BTreeSet::new();
        while let Some(step) = walk.poll(|cid| difference.lacks(cid)).expect("good blocks") {
            match step {
                Step::Load(cid) => walk.handle_load(&cid, self.blocks.get(&cid).cloned()),
                Step::Visit(block) => {
                    visited.insert(*block.cid());
                }
                Step::Missing { cid, .. } => unreachable!("{cid} is held"),
            }
        }
        visited
    }
}

struct Found {
    lacking: BTreeSet<Cid>,
    missing: BTreeSet<Cid>,
    /// Blocks that the comparison read.
    loads: usize,
    /// Links of those.
    compared: usize,
    /// Links of the blocks that are missing.
    links: usize,
    exact: bool,
}

impl Found {
    fn duplicates(&self) -> usize {
        self.lacking.difference(&self.missing).count()
    }

    /// Blocks that are read, the missing ones once more as they are sent.
    fn all_loads(&self) -> usize {
        self.loads + self.missing.len()
    }

    /// Links that are held against the other side, those of the missing blocks once more as they
    /// are sent.
    fn all_compared(&self) -> usize {
        self.compared + self.links
    }
}

fn run(dags: &Dags, new: &[Cid], old: &[Cid], capacity: usize) -> Found {
    let limits = Limits::default();
    let (new, old) = (new.to_vec(), old.to_vec());
    let mut difference = Difference::new(new.clone(), old.clone(), capacity, &limits, 7);
    let (mut loads, mut compared) = (0, 0);
    while let Some(cid) = difference.poll() {
        loads += 1;
        compared += dags.links(&cid);
        difference.handle_load(&cid, dags.blocks.get(&cid).cloned());
    }
    assert!(difference.is_done());
    let missing: BTreeSet<Cid> = dags.below(&new).difference(&dags.below(&old)).copied().collect();
    let lacking = dags.entered(&new, &difference);
    assert!(missing.is_subset(&lacking), "nothing that is missing is taken for held");
    let links = missing.iter().map(|cid| dags.links(cid)).sum();
    Found { lacking, missing, loads, compared, links, exact: difference.is_exact() }
}

fn leaves(n: u64) -> Vec<u64> {
    (0..n).collect()
}

/// How much work a comparison may be.
#[derive(Clone, Copy)]
enum Bound {
    /// Three loads a missing block and three comparisons a link of those.
    ToTheLetter,
    /// So much more of either.
    And { loads: usize, compared: usize },
}

/// The new DAG's difference is found exactly, within a bound.
fn exact_within(bound: Bound, case: &str, dags: &Dags, new: Cid, old: Cid) {
    let found = run(dags, &[new], &[old], 1 << 20);
    let missing = found.missing.len();
    assert_eq!(found.duplicates(), 0, "{case}, {missing} missing");
    assert!(found.exact, "{case}");
    let (more_loads, more) = match bound {
        Bound::ToTheLetter => (0, 0),
        Bound::And { loads, compared } => (loads, compared),
    };
    let (loads, compared, links) = (found.all_loads(), found.all_compared(), found.links);
    assert!(loads <= 3 * missing + more_loads, "{case}: {loads} loads, {missing} missing");
    assert!(compared <= 3 * links + more, "{case}: {compared} comparisons, {links} links");
}

fn exact(case: &str, dags: &Dags, new: Cid, old: Cid) {
    exact_within(Bound::ToTheLetter, case, dags, new, old);
}

#[test]
fn kinds_of_change() {
    let mut dags = Dags::default();
    let base = leaves(1000);
    let old = dags.tree(&base, 8);
    let with = |change: &dyn Fn(&mut Vec<u64>)| {
        let mut changed = base.clone();
        change(&mut changed);
        changed
    };
    let letter = Bound::ToTheLetter;
    // What the old nodes had more.
    let removed = Bound::And { loads: 0, compared: 1 };
    let cases: [(&str, Vec<u64>, Bound); 8] = [
        ("nothing changes", with(&|_| {}), letter),
        ("a leaf is replaced", with(&|l| l[77] = 5000), letter),
        ("scattered leaves", with(&|l| (0..1000).step_by(90).for_each(|i| l[i] += 5000)), letter),
        ("an insertion shifts the list", with(&|l| l.insert(0, 5000)), letter),
        ("an insertion in the middle", with(&|l| l.insert(500, 5000)), letter),
        ("a removal shifts the list", with(&|l| l.retain(|leaf| *leaf != 3)), removed),
        ("appended to", with(&|l| l.extend(6000..6100)), letter),
        ("everything changes", with(&|l| l.iter_mut().for_each(|i| *i += 5000)), letter),
    ];
    for (case, leaves, bound) in cases {
        let new = dags.tree(&leaves, 8);
        exact_within(bound, case, &dags, new, old);
    }
}

#[test]
fn a_tree_grows_and_shrinks_a_level_while_a_leaf_changes() {
    let mut dags = Dags::default();
    let small = leaves(64);
    let mut large = leaves(65);
    large[20] = 5000;
    let (small, large) = (dags.tree(&small, 4), dags.tree(&large, 4));
    exact("grows", &dags, large, small);
    // The first child of the new root is read to find out whether the tree grew.
    let glance = Bound::And { loads: 2, compared: 8 };
    exact_within(glance, "shrinks", &dags, small, large);
    let over = dags.node(&[small, large]);
    exact("the old root is a child of the new", &dags, over, small);
}

#[test]
fn a_chain_is_appended_to() {
    let mut dags = Dags::default();
    let mut head = dags.leaf(0);
    let mut old = head;
    for i in 1..300 {
        let entry = dags.leaf(i);
        head = dags.node(&[head, entry]);
        old = if i == 250 { head } else { old };
    }
    exact("a chain", &dags, head, old);
}

#[test]
fn leaves_move_across_parents_cut_by_content() {
    let mut dags = Dags::default();
    let ends = |n: usize, cid: Cid| n > 1 && cid.hash().digest()[0] < 32;
    let old = dags.cut_tree(&leaves(1000), &ends);
    let mut changed = leaves(1000);
    changed.splice(300..310, 7000..7004);
    changed.insert(800, 8000);
    let new = dags.cut_tree(&changed, &ends);
    // A node more of the old side, which the new one has no node for.
    exact_within(Bound::And { loads: 0, compared: 8 }, "cut by content", &dags, new, old);
}

#[test]
fn a_subtree_gets_another_name() {
    let mut dags = Dags::default();
    let (a, b) = (dags.tree(&leaves(100), 4), dags.tree(&[200, 201, 202], 4));
    let (name, other) = (dags.leaf(900), dags.leaf(901));
    let old = dags.node(&[name, a, b]);
    let new = dags.node(&[other, b, a]);
    exact("renamed", &dags, new, old);
}

#[test]
fn a_subtree_moves_to_another_level() {
    let mut dags = Dags::default();
    let moved = dags.tree(&leaves(100), 4);
    let (keep, other) = (dags.tree(&[200, 201, 202], 4), dags.tree(&[300], 4));
    let (inner, bare) = (dags.node(&[keep, moved]), dags.node(&[keep]));
    let (old, new) = (dags.node(&[inner, other]), dags.node(&[bare, other, moved]));
    exact("up", &dags, new, old);
}

#[test]
fn roots_that_have_nothing_in_common_cost_no_more_than_what_is_missing() {
    let mut dags = Dags::default();
    let old = dags.tree(&(10_000..20_000).collect::<Vec<_>>(), 4);
    let new = dags.tree(&leaves(50), 4);
    // The old side is looked at for as long as something of it might be found.
    exact_within(Bound::And { loads: 0, compared: 64 + 34 }, "unrelated", &dags, new, old);
}

#[test]
fn an_old_root_that_is_not_there_hides_nothing() {
    let mut dags = Dags::default();
    let new = dags.tree(&leaves(50), 4);
    let absent = Dags::default().tree(&leaves(49), 4);
    let mut difference = Difference::new([new], [absent], 1 << 20, &Limits::default(), 7);
    while let Some(cid) = difference.poll() {
        difference.handle_load(&cid, dags.blocks.get(&cid).cloned());
    }
    assert!(difference.is_exact() && !difference.knows_old());
    assert!(dags.below(&[new]).iter().all(|cid| difference.lacks(cid)));
}

#[test]
fn beyond_the_capacity_nothing_that_is_missing_is_taken_for_held() {
    let mut dags = Dags::default();
    let old = dags.tree(&leaves(1000), 8);
    let mut changed = leaves(1000);
    (0..1000).step_by(8).for_each(|i| changed[i] += 5000);
    let new = dags.tree(&changed, 8);
    let needed = (0..).find(|n| run(&dags, &[new], &[old], *n).exact).expect("some capacity");
    assert!(!run(&dags, &[new], &[old], needed - 1).exact);
    assert_eq!(run(&dags, &[new], &[old], needed).duplicates(), 0);
}

proptest! {
    #[test]
    fn any_edits(
        n in 1..400_u64,
        fanout in 2..9_usize,
        edits in prop::collection::vec((0..3_u8, any::<prop::sample::Index>(), 1000..1100_u64), 0..8),
    ) {
        let (mut dags, mut changed) = (Dags::default(), leaves(n));
        let old = dags.tree(&changed, fanout);
        let mut is_shorter = false;
        for (kind, at, name) in edits {
            let at = at.index(changed.len());
            match kind {
                0 => changed[at] = name,
                1 => changed.insert(at, name),
                _ if changed.len() > 1 => {
                    changed.remove(at);
                    is_shorter = true;
                }
                _ => {}
            }
        }
        let new = dags.tree(&changed, fanout);
        let found = run(&dags, &[new], &[old], 1 << 20);
        prop_assert_eq!(found.duplicates(), 0, "{} of {}", found.duplicates(), found.missing.len());
        let is_higher = height(n, fanout) != height(changed.len() as u64, fanout);
        let spare = if is_shorter || is_higher { 64 } else { 0 };
        let (loads, missing) = (found.all_loads(), found.missing.len());
        prop_assert!(loads <= 3 * missing + 2 * spare, "{} loads of {}", loads, missing);
        let (compared, links) = (found.all_compared(), found.links);
        prop_assert!(compared <= 3 * links + 4 * spare, "{} compared of {}", compared, links);
    }
}

fn height(n: u64, fanout: usize) -> u32 {
    (1..).find(|level| (fanout as u64).pow(*level) >= n).expect("powers grow")
}
