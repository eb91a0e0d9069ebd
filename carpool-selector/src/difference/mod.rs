//! Two versions of a DAG side by side.

mod leaves;
mod level;
mod nodes;

use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{Bytes, Cid, CidSet, Limits, for_each_link, identity_data, may_link};

use leaves::{Leaves, Side};
use level::{Level, Unmatched};
use nodes::{Link, Nodes, Seen};

/// Blocks that are read at once.
const WINDOW: usize = 32;
/// How often a level is held against the old side before what is not found there counts as new.
const PASSES: u8 = 8;
/// Old nodes that may be opened beyond three loads a missing block, once that is spent, and links
/// that they may have: where a version lost leaves or a level, old nodes have to be opened that have
/// no counterpart, or what was kept of them is sent again.
const SPARE: usize = 64;

/// Finds which blocks below some roots are not below others, in work that follows their number and
/// not the size of either DAG.
///
/// Level by level, a node that the old side lacks is held against its counterpart there: the node
/// between the same neighbours, whoever its parent is, else the one at the same place below the
/// parent's counterpart. A child of any old node that was opened counts as held, whatever the level
/// and the place. So a tree may grow a level, an insertion may shift a list, and leaves may move
/// across parents; only what was copied out of a subtree that did not change is found missing. Equality is by CID
/// throughout: what order and counterparts decide is work, never the result's truth.
///
/// Give it look-ups' answers until [`is_done`](Self::is_done), then ask [`lacks`](Self::lacks).
///
/// Each link of a block that was opened, of either side, is compared once: both sides' links are in
/// one table, which is told which side has a link and tells whether the other has it, whichever came
/// first. Old nodes are opened against one load for each node that is missing and two for each leaf
/// (so that with the reading and the sending of what is missing it is three loads a block), old roots
/// beyond the first apart. Those that are nothing's counterpart are opened only while the old side's
/// links are not many more than the new side's, and not where the new side links to an old root:
/// roots that have nothing to do with what is wanted cost little.
#[derive(Debug)]
pub struct Difference {
    limits: Limits,
    capacity: usize,
    hasher: CidSet,
    nodes: Nodes,
    leaves: Leaves,
    links: Links,
    level: Level,
    glance: Glance,
    /// What a glance found where the tree did not grow, which is of the level below, and its counterpart.
    ahead: (Vec<Link>, Option<u32>),
    passes: u8,
    depth: u32,
    jobs: VecDeque<Job>,
    batch: Vec<Lookup>,
    /// How many of the batch were asked for.
    asked: usize,
    outcome: Outcome,
}

/// How many links were compared.
#[derive(Clone, Copy, Debug, Default)]
struct Links {
    old: usize,
    new: usize,
    /// Of the new side, those that the old side has.
    both: usize,
    /// The most of an old node.
    widest: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Exact,
    /// One of the sides has more than there is room for.
    TooLarge,
}

/// Whether the new side is a level higher than the old one, so that the roots are no counterparts: a
/// glance at the first node below a new root tells, where nothing below it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glance {
    Before,
    /// The new node is being read: its hash, its counterpart if the roots are such, and how many
    /// links were known of both sides.
    At(u64, Link, usize),
    /// So is its counterpart, as none of its links was known.
    Beside(u64, Link),
    Over,
}

/// A block that has to be read, and what for.
#[derive(Clone, Copy, Debug)]
enum Job {
    Old(Cid),
    /// Of a new node, with the place of its counterpart among the old nodes that were opened.
    New(Cid, Option<u32>),
}

impl Job {
    const fn cid(&self) -> &Cid {
        match self {
            Self::Old(cid) | Self::New(cid, _) => cid,
        }
    }
}

#[derive(Debug)]
struct Lookup {
    job: Job,
    answer: Option<Option<Bytes>>,
}

impl Difference {
    /// What is below `new` and not below `old`. `capacity` bounds how many CIDs are kept of each side,
    /// 16 bytes a leaf; beyond it the result is a rougher one, see [`is_exact`](Self::is_exact). `seed` is
    /// for hash tables, see [`CidMap`](carpool_core::CidMap).
    pub fn new(
        new: impl IntoIterator<Item = Cid>,
        old: impl IntoIterator<Item = Cid>,
        capacity: usize,
        limits: &Limits,
        seed: u64,
    ) -> Self {
        let mut difference = Self {
            limits: limits.clone(),
            capacity,
            hasher: CidSet::with_seed(seed),
            nodes: Nodes::default(),
            leaves: Leaves::default(),
            links: Links::default(),
            level: Level::default(),
            glance: Glance::Before,
            ahead: (Vec::new(), None),
            passes: 0,
            depth: 0,
            jobs: VecDeque::new(),
            batch: Vec::new(),
            asked: 0,
            outcome: Outcome::Open,
        };
        for root in old {
            difference.nodes.add_root(root, difference.hasher.hash(&root));
            difference.jobs.push_back(Job::Old(root));
        }
        for (root, number) in new.into_iter().zip(0..) {
            difference.link_new(root);
            difference.level.end_group(None, Some(number));
        }
        if difference.nodes.missing() + difference.leaves.missing() == 0 {
            difference.jobs.clear();
        }
        difference
    }

    /// The next CID to look up; `None` while answers are awaited and at the end. Call again after
    /// every [`handle_load`](Self::handle_load), until `None`.
    pub fn poll(&mut self) -> Option<Cid> {
        loop {
            if let Some(lookup) = self.batch.get(self.asked) {
                self.asked += 1;
                return Some(*lookup.job.cid());
            }
            if self.is_done() || self.batch.iter().any(|lookup| lookup.answer.is_none()) {
                return None;
            }
            self.take_batch();
            self.check_capacity();
            if self.jobs.is_empty() && !self.is_done() {
                self.go_on();
            }
            self.fill_batch();
        }
    }

    /// Answers a look-up, in any order: the block's bytes, or `None` where it is not held.
    pub fn handle_load(&mut self, cid: &Cid, data: Option<Bytes>) {
        let asked = &mut self.batch[..self.asked];
        let of = |lookup: &&mut Lookup| lookup.answer.is_none() && lookup.job.cid() == cid;
        if let Some(lookup) = asked.iter_mut().find(of) {
            lookup.answer = Some(data);
        }
    }

    /// Whether all is known.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome != Outcome::Open
    }

    /// Whether [`lacks`](Self::lacks) tells exactly what is not below the old roots. Where a side
    /// was too large it may say of a block that it is lacking although it is there.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.outcome == Outcome::Exact
    }

    /// Whether any of the old roots was there to be compared with.
    #[must_use]
    pub fn knows_old(&self) -> bool {
        self.nodes.is_known()
    }

    /// Whether the old side lacks `cid`, which is a new root or a link of a block that it lacks: so a
    /// [`Walk`](crate::Walk) that enters what is lacking visits what is missing.
    #[must_use]
    pub fn lacks(&self, cid: &Cid) -> bool {
        let hash = self.hasher.hash(cid);
        let sides = if may_link(cid) { self.nodes.sides(hash) } else { self.leaves.sides(hash) };
        match self.outcome {
            Outcome::Exact => sides.is_missing(),
            Outcome::Open | Outcome::TooLarge => !sides.has(Side::Old),
        }
    }

    fn fill_batch(&mut self) {
        let n = self.jobs.len().min(WINDOW);
        self.batch.extend(self.jobs.drain(..n).map(|job| Lookup { job, answer: None }));
    }

    fn take_batch(&mut self) {
        self.asked = 0;
        for Lookup { job, answer } in core::mem::take(&mut self.batch) {
            let Some(data) = answer.flatten() else { continue };
            match job {
                Job::Old(cid) => self.open_old(&cid, &data),
                Job::New(cid, counterpart) => self.open_new(&cid, &data, counterpart),
            }
        }
    }

    fn open_old(&mut self, cid: &Cid, data: &[u8]) {
        let Self { hasher, nodes, leaves, links, level, .. } = self;
        let (index, mut below, mut count) = (nodes.next_index(), Vec::new(), 0);
        each_link(cid, data, &self.limits, &mut |link| {
            count += 1;
            let hash = hasher.hash(&link);
            if !may_link(&link) {
                links.both += usize::from(leaves.link(hash, Side::Old).is_missing());
                return;
            }
            let place = u32::try_from(below.len()).ok().map(|at| (index, at));
            if let (Some(number), Some(place)) = (nodes.link_old(hash, place), place) {
                links.both += 1;
                level.found(number, hash, place);
            }
            below.push((link, hash));
        });
        links.old += count;
        links.widest = links.widest.max(count);
        nodes.open(hasher.hash(cid), below);
    }

    fn open_new(&mut self, cid: &Cid, data: &[u8], counterpart: Option<u32>) {
        let limits = self.limits.clone();
        each_link(cid, data, &limits, &mut |link| {
            self.links.new += 1;
            self.link_new(link);
        });
        self.level.end_group(counterpart, None);
    }

    fn link_new(&mut self, link: Cid) {
        let hash = self.hasher.hash(&link);
        if !may_link(&link) {
            let held = self.leaves.link(hash, Side::New).has(Side::Old);
            self.links.both += usize::from(held);
            return;
        }
        let seen = self.nodes.link_new(hash, self.level.next_number());
        self.links.both += usize::from(matches!(seen, Seen::Old(_)));
        self.level.push(link, hash, seen);
    }

    fn check_capacity(&mut self) {
        let old = self.nodes.old() + self.leaves.old();
        let missing = self.nodes.missing() + self.leaves.missing();
        if old.max(missing) > self.capacity {
            self.outcome = Outcome::TooLarge;
            self.jobs.clear();
        }
    }

    /// What comes after the jobs of a step: old nodes that this level has to be held against, then
    /// the new nodes without an equal, whose links are the level below.
    fn go_on(&mut self) {
        if self.depth > self.limits.max_depth {
            self.outcome = Outcome::TooLarge;
            return;
        }
        if self.is_glancing() {
            return;
        }
        self.passes += 1;
        let last = self.level.is_empty() && self.ahead.0.is_empty();
        if (self.passes <= PASSES || last) && self.open_counterparts() {
            return;
        }
        if last {
            self.outcome = Outcome::Exact;
        }
        self.enter();
    }

    /// Whether a glance has to be waited for.
    fn is_glancing(&mut self) -> bool {
        match self.glance {
            Glance::Before if self.depth > 0 => self.glance_at_first(),
            Glance::At(_, _, both) if self.links.both > both => {
                self.level.forget_counterparts();
                self.glance = Glance::Over;
            }
            Glance::At(hash, pair, _) => {
                self.glance = Glance::Beside(hash, pair);
                if self.nodes.is_of_use(pair.1) {
                    self.open(pair);
                }
            }
            Glance::Beside(hash, (_, pair)) => {
                let below = self.level.take_last();
                if !self.nodes.sides(hash).has(Side::Old) {
                    self.ahead = (below, self.nodes.opened(pair));
                }
                self.glance = Glance::Over;
            }
            Glance::Before | Glance::Over => {}
        }
        !self.jobs.is_empty()
    }

    fn glance_at_first(&mut self) {
        self.glance = Glance::Over;
        let unmatched = self.level.unmatched(&self.nodes);
        let Some(Unmatched { cid, hash, pair: Some(pair) }) = unmatched.first().copied() else {
            return;
        };
        // A tree that got higher has no more nodes below its root than the old one had.
        if self.links.both == 0 && self.links.new <= self.links.old {
            self.level.enter_first();
            self.jobs.push_back(Job::New(cid, None));
            self.glance = Glance::At(hash, pair, self.links.both);
        }
    }

    /// Whether there are any to open.
    fn open_counterparts(&mut self) -> bool {
        let unmatched = self.level.unmatched(&self.nodes);
        let (all, pairs): (usize, Vec<Link>) =
            (unmatched.len(), unmatched.iter().filter_map(|unmatched| unmatched.pair).collect());
        for pair in pairs {
            if self.nodes.is_of_use(pair.1) {
                self.open(pair);
            }
        }
        // What is no counterpart may be where leaves came from, as in trees that are cut by content.
        // Of what lies deeper nobody knows yet whether the new side links to it, until its end.
        let ends = self.level.is_empty() && self.nodes.missing() + self.leaves.missing() > 0;
        let (most, level) = if ends { (WINDOW, u32::MAX) } else { (all, self.depth) };
        while self.jobs.len() < most && self.may_open() && self.may_look_around() {
            let Some(link) = self.nodes.next_of_use(level) else { break };
            self.open(link);
        }
        !self.jobs.is_empty()
    }

    fn open(&mut self, (cid, hash): Link) {
        if self.may_open() {
            self.nodes.announce(hash);
            self.jobs.push_back(Job::Old(cid));
        }
    }

    /// Whether one more old node may be opened: one for each missing node, which is read twice, and
    /// two for each missing leaf, which is read once.
    fn may_open(&self) -> bool {
        self.nodes.opened_nodes() < self.nodes.missing() + 2 * self.leaves.missing() + SPARE
    }

    /// Whether to open one more old node that is nothing's counterpart, be it as wide as any. Where
    /// the new side links to an old root, nothing was lost, so nothing can have come from elsewhere.
    fn may_look_around(&self) -> bool {
        let Links { old, new, both, widest } = self.links;
        let most = new + new / 2 + both + SPARE;
        !self.nodes.root_is_kept() && old + (self.jobs.len() + 1) * widest <= most
    }

    fn enter(&mut self) {
        for Unmatched { cid, pair, .. } in self.level.take() {
            let counterpart = pair.and_then(|(_, hash)| self.nodes.opened(hash));
            self.jobs.push_back(Job::New(cid, counterpart));
        }
        let (ahead, counterpart) = core::mem::take(&mut self.ahead);
        for (cid, hash) in ahead {
            let seen = self.nodes.wait_again(hash, self.level.next_number());
            self.level.push(cid, hash, seen);
        }
        self.level.end_group(counterpart, None);
        self.passes = 0;
        self.depth += 1;
    }
}

/// The links of a block, and those in identity CIDs among them; none behind a fault.
fn each_link(cid: &Cid, data: &[u8], limits: &Limits, each: &mut dyn FnMut(Cid)) {
    let mut inner = Vec::new();
    let _ = for_each_link(cid, data, limits, |link| match identity_data(&link) {
        Some(_) => inner.push(link),
        None => each(link),
    });
    // An identity CID is shorter than the block that names it, so this ends.
    for link in inner {
        each_link(&link, identity_data(&link).unwrap_or(&[]), limits, each);
    }
}
