//! What was where: before a transfer, the old and the new DAG side by side.

mod similar;

use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Bytes, Cid, CidMap, CidSet, Limits, may_link};

use crate::frame::pairs::{Link, Pair, links_of, pair};
use similar::{Sketch, Sketches};

/// Nodes that are read to find renamed files, and their bytes.
const MAX_NODES: usize = 8_192;
/// As [`MAX_NODES`].
const MAX_NODE_BYTES: usize = 16 << 20;
/// Nodes that are read without any leaf being found that has no old one at its place.
const MAX_IN_VAIN: usize = 512;
/// Visits whose blocks are looked up together.
const TOGETHER: usize = 32;
/// Leaves that are compared, on either side, and their bytes.
const MAX_LEAVES: usize = 4_096;
/// As [`MAX_LEAVES`].
const MAX_LEAF_BYTES: usize = 32 << 20;
/// Old leaves of how many bytes are read for each byte of new ones.
const OLD_FOR_NEW: usize = 8;

/// Goes through two DAGs side by side and finds out two things that the blocks of a transfer do not tell
/// by themselves: the way down to blocks that are wanted by their CIDs, as after a cut, and what renamed
/// and copied files were.
///
/// Answer its look-ups ([`poll`](Self::poll) until `None`), then ask what it found. It reads nodes that differ, and
/// leaves only where some stand at no old one's place; beyond its limits it finds less.
#[derive(Debug)]
pub struct Pairing {
    limits: Limits,
    seed: u64,
    /// Blocks whose place is looked for: the new node above each, once found.
    wanted: CidMap<Option<u32>>,
    unfound: usize,
    new: Vec<Node>,
    old: Vec<Node>,
    seen: CidSet,
    stack: Vec<Visit>,
    /// In the order in which they were begun; those at the front end first.
    visits: VecDeque<Visiting>,
    nodes: usize,
    node_bytes: usize,
    /// Whether renamed files are still looked for.
    compares: bool,
    added: Vec<Leaf>,
    removed: Vec<Leaf>,
    /// Leaves of old nodes that are still there: what a copy may be of.
    kept: Vec<Leaf>,
    comparing: Option<Comparing>,
    loads: VecDeque<Cid>,
    /// The old block that a new one is like, and the node above that.
    like: CidMap<(Option<u32>, Cid)>,
}

/// A node, and the one above it.
#[derive(Clone, Copy, Debug)]
struct Node {
    cid: Cid,
    above: Option<u32>,
    /// Of a new node, whether nothing stood in its place; of an old one, whether nothing stands there now.
    alone: bool,
}

/// A leaf, and the node above it.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    cid: Cid,
    above: u32,
}

/// A new node, the old one at its place, or both.
#[derive(Clone, Copy, Debug)]
struct Visit {
    new: Option<u32>,
    old: Option<u32>,
}

#[derive(Debug)]
struct Visiting {
    visit: Visit,
    new: Option<Asked>,
    old: Option<Asked>,
}

/// A block that was asked for, and the answer.
#[derive(Debug)]
struct Asked {
    cid: Cid,
    data: Option<Option<Bytes>>,
}

impl Asked {
    const fn of(cid: Cid) -> Self {
        Self { cid, data: None }
    }
}

impl Visiting {
    fn answer(&mut self, cid: &Cid, data: Option<&Bytes>) {
        for asked in self.new.iter_mut().chain(&mut self.old) {
            if asked.cid == *cid && asked.data.is_none() {
                asked.data = Some(data.cloned());
            }
        }
    }

    fn is_answered(&self) -> bool {
        self.new.iter().chain(&self.old).all(|asked| asked.data.is_some())
    }
}

/// Leaves that are looked up to be compared: first the new ones, then the old ones, those that are gone in
/// front.
#[derive(Debug)]
struct Comparing {
    leaves: VecDeque<(bool, Leaf)>,
    asked: Option<(bool, Leaf)>,
    new_bytes: usize,
    old_bytes: usize,
    sketches: Sketches<Leaf>,
}

impl Pairing {
    /// Of the DAG below `root` against the one below `old`; `wanted` are blocks below `root` whose place is
    /// asked for.
    #[must_use]
    pub fn new(
        root: Cid,
        old: Cid,
        wanted: impl IntoIterator<Item = Cid>,
        limits: &Limits,
        seed: u64,
    ) -> Self {
        let mut places = CidMap::with_seed(seed);
        for cid in wanted {
            places.insert(&cid, None);
        }
        places.remove(&root);
        let node = |cid| Node { cid, above: None, alone: false };
        let both = may_link(&root) && may_link(&old);
        let visit = Visit { new: Some(0), old: Some(0) };
        Self {
            limits: limits.clone(),
            seed,
            unfound: places.len(),
            wanted: places,
            new: Vec::from([node(root)]),
            old: Vec::from([node(old)]),
            seen: CidSet::with_seed(seed),
            stack: both.then_some(visit).into_iter().collect(),
            visits: VecDeque::new(),
            nodes: 0,
            node_bytes: 0,
            compares: true,
            added: Vec::new(),
            removed: Vec::new(),
            kept: Vec::new(),
            comparing: None,
            loads: VecDeque::new(),
            like: CidMap::with_seed(seed),
        }
    }

    /// Leaves renamed and copied files alone.
    #[must_use]
    pub const fn without_comparing(mut self) -> Self {
        self.compares = false;
        self
    }

    /// A block to be looked up, to be answered with [`handle_load`](Self::handle_load); `None` while answers are
    /// awaited, and at the end.
    pub fn poll(&mut self) -> Option<Cid> {
        loop {
            if let Some(cid) = self.loads.pop_front() {
                return Some(cid);
            }
            if !self.visits.is_empty() || self.comparing.as_ref().is_some_and(Comparing::waits) {
                return None;
            }
            while self.visits.len() < TOGETHER && self.begin_visit() {}
            if self.visits.is_empty() && !self.compare() {
                return None;
            }
        }
    }

    /// Answers a look-up; `None` where the block is not there.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        if self.visits.is_empty() {
            return self.handle_leaf(data);
        }
        for visiting in &mut self.visits {
            visiting.answer(cid, data.as_ref());
        }
        if self.visits.iter().all(Visiting::is_answered) {
            for visiting in core::mem::take(&mut self.visits) {
                self.end_visit(visiting);
            }
        }
    }

    /// The way down to a block that was wanted: the nodes from the root on, without the block itself.
    /// Empty where it was not found.
    #[must_use]
    pub fn above(&self, cid: &Cid) -> Vec<Cid> {
        let above = self.wanted.get(cid).copied().flatten();
        above.map_or_else(Vec::new, |node| path(&self.new, node))
    }

    /// The way down from the old root to what a block was copied or renamed from, that block included. Empty where the
    /// place of the block tells as much.
    #[must_use]
    pub fn like(&self, cid: &Cid) -> Vec<Cid> {
        let Some((above, like)) = self.like.get(cid) else { return Vec::new() };
        let mut way = above.map_or_else(Vec::new, |node| path(&self.old, node));
        way.push(*like);
        way
    }

    fn begin_visit(&mut self) -> bool {
        let in_vain = self.added.is_empty() && self.nodes > MAX_IN_VAIN;
        let many = self.nodes > MAX_NODES || self.node_bytes > MAX_NODE_BYTES;
        self.compares &= !in_vain && !many;
        if self.unfound == 0 && !self.compares {
            self.stack.clear();
        }
        let Some(visit) = self.stack.pop() else { return false };
        let new = visit.new.map(|new| Asked::of(self.new[new as usize].cid));
        let old = visit.old.map(|old| Asked::of(self.old[old as usize].cid));
        self.loads.extend(new.iter().chain(&old).map(|asked| asked.cid));
        self.nodes += 1;
        self.visits.push_back(Visiting { visit, new, old });
        true
    }

    fn end_visit(&mut self, Visiting { visit, new, old }: Visiting) {
        let links = |asked: Option<Asked>| {
            let Asked { cid, data } = asked?;
            let data = data.flatten()?;
            Some((links_of(&cid, &data, &self.limits), data.len()))
        };
        let (new_links, new_bytes) = links(new).unwrap_or_default();
        let (old_links, old_bytes) = links(old).unwrap_or_default();
        self.node_bytes += new_bytes + old_bytes;
        self.go_through(visit, new_links, &old_links);
    }

    fn go_through(&mut self, visit: Visit, mut links: Vec<Link>, olds: &[Link]) {
        let mut by_cid = CidMap::with_seed(self.seed);
        for (n, link) in links.iter().enumerate() {
            by_cid.insert_absent(&link.cid, || n);
        }
        pair(&mut links, &by_cid, olds, self.seed);
        let mut left: Vec<bool> = olds.iter().map(|old| !by_cid.contains(&old.cid)).collect();
        let first = self.stack.len();
        for link in &links {
            if let Some(above) = visit.new {
                self.find(&link.cid, above);
                self.go_below(link, above, visit.old, olds, &mut left);
            }
        }
        // The first comes up first.
        self.stack[first..].reverse();
        if let Some(above) = visit.old.filter(|_| self.compares) {
            self.go_below_old(olds, &left, above);
        }
    }

    fn find(&mut self, cid: &Cid, above: u32) {
        if let Some(place @ None) = self.wanted.get_mut(cid) {
            *place = Some(above);
            self.unfound -= 1;
        }
    }

    /// Goes on below a link of a new node that the old one has not.
    fn go_below(
        &mut self,
        link: &Link,
        above: u32,
        old_above: Option<u32>,
        olds: &[Link],
        left: &mut [bool],
    ) {
        if matches!(link.pair, Pair::Same(_)) || !self.seen.insert(&link.cid) {
            return;
        }
        // Of those with names others are as likely as neighbours.
        let paired = link.pair.link().filter(|n| !link.has_name() || link.pair == Pair::Named(*n));
        let same_kind = |n: &usize| may_link(&olds[*n].cid) == may_link(&link.cid);
        let paired = paired.filter(same_kind);
        if let Some(n) = paired {
            left[n] = false;
        }
        if !may_link(&link.cid) {
            if paired.is_none() && self.compares && self.added.len() < MAX_LEAVES {
                self.added.push(Leaf { cid: link.cid, above });
            }
            return;
        }
        let new = push(&mut self.new, link.cid, above, paired.is_none());
        let old = paired.zip(old_above);
        let old = old.and_then(|(n, above)| push(&mut self.old, olds[n].cid, above, false));
        self.stack.push(Visit { new, old });
    }

    /// Goes on below the links of an old node at whose places nothing stands any more.
    fn go_below_old(&mut self, olds: &[Link], left: &[bool], above: u32) {
        for (old, left) in olds.iter().zip(left) {
            let leaf = Leaf { cid: old.cid, above };
            match (may_link(&old.cid), *left) {
                (false, true) if self.removed.len() < MAX_LEAVES => self.removed.push(leaf),
                (false, false) if self.kept.len() < MAX_LEAVES => self.kept.push(leaf),
                (true, true) if self.seen.insert(&old.cid) => {
                    let old = push(&mut self.old, old.cid, above, true);
                    self.stack.push(Visit { new: None, old });
                }
                _ => {}
            }
        }
    }

    /// Begins to compare, or goes on; whether there is more to do.
    fn compare(&mut self) -> bool {
        if !core::mem::take(&mut self.compares) && self.comparing.is_none() {
            return false;
        }
        let comparing = self.comparing.get_or_insert_with(|| {
            let olds = self.removed.iter().chain(&self.kept).take(MAX_LEAVES);
            let olds = olds.map(|leaf| (false, *leaf)).filter(|_| !self.added.is_empty());
            let leaves = self.added.iter().map(|leaf| (true, *leaf)).chain(olds).collect();
            let (asked, sketches) = (None, Sketches::default());
            Comparing { leaves, asked, new_bytes: 0, old_bytes: 0, sketches }
        });
        let Some(leaf) = comparing.next() else {
            let sketches = self.comparing.take().map(|comparing| comparing.sketches);
            for (new, old) in sketches.into_iter().flat_map(Sketches::into_pairs) {
                self.note_like(new, old.above, old.cid);
            }
            return false;
        };
        self.loads.push_back(leaf.cid);
        true
    }

    fn handle_leaf(&mut self, data: Option<Bytes>) {
        let Some(comparing) = &mut self.comparing else { return };
        let (Some((is_new, leaf)), Some(data)) = (comparing.asked.take(), data) else { return };
        let sketch = Sketch::of(&data);
        if is_new {
            comparing.new_bytes += data.len();
            comparing.sketches.add(sketch, leaf);
        } else {
            comparing.old_bytes += data.len();
            comparing.sketches.compare(&sketch, leaf);
        }
    }

    /// Where both leaves are of files that stand for themselves, the files are alike; all else follows
    /// from that.
    fn note_like(&mut self, leaf: Leaf, old_above: u32, old: Cid) {
        let (new_node, old_node) = (self.new[leaf.above as usize], self.old[old_above as usize]);
        if new_node.alone && old_node.alone {
            self.like.insert_absent(&new_node.cid, || (old_node.above, old_node.cid));
        } else {
            self.like.insert(&leaf.cid, (Some(old_above), old));
        }
    }
}

impl Comparing {
    const fn waits(&self) -> bool {
        self.asked.is_some()
    }

    /// The next leaf to be looked up, as long as there were not too many bytes.
    fn next(&mut self) -> Option<Leaf> {
        while let Some((is_new, leaf)) = self.leaves.pop_front() {
            let few = if is_new {
                self.new_bytes < MAX_LEAF_BYTES
            } else {
                self.old_bytes < MAX_LEAF_BYTES.min(OLD_FOR_NEW * self.new_bytes)
            };
            if few {
                self.asked = Some((is_new, leaf));
                return Some(leaf);
            }
        }
        None
    }
}

fn push(nodes: &mut Vec<Node>, cid: Cid, above: u32, alone: bool) -> Option<u32> {
    let at = u32::try_from(nodes.len()).ok()?;
    nodes.push(Node { cid, above: Some(above), alone });
    Some(at)
}

/// From the root down to a node, that included.
fn path(nodes: &[Node], node: u32) -> Vec<Cid> {
    let up = core::iter::successors(Some(node), |node| nodes[*node as usize].above);
    let mut path: Vec<Cid> = up.map(|node| nodes[node as usize].cid).collect();
    path.reverse();
    path
}
