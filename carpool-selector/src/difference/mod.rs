//! Two versions of a DAG side by side.

mod level;
mod old;

use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::{
    Bytes, Cid, CidSet, Fingerprints, Limits, for_each_link, identity_data, may_link,
};

use level::{Group, Unmatched};
use old::{Link, Old};

/// Blocks that are read at once.
const WINDOW: usize = 32;
/// How often a level is held against the old side before what is not found there counts as new.
const PASSES: u8 = 8;
/// Old nodes that may be opened for nothing.
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
/// Give it look-ups' answers until [`is_done`](Self::is_done), then ask [`lacks`](Self::lacks). The
/// old side is opened at most once for each block that is missing, and roots, so that roots that have nothing to do
/// with what is wanted cost little.
#[derive(Debug)]
pub struct Difference {
    limits: Limits,
    capacity: usize,
    hasher: CidSet,
    old: Old,
    /// New nodes that were found.
    seen: Fingerprints,
    missing: Fingerprints,
    missing_leaves: usize,
    level: Vec<Group>,
    next: Vec<Group>,
    passes: u8,
    depth: u32,
    jobs: VecDeque<Job>,
    batch: Vec<Lookup>,
    /// How many of the batch were asked for.
    asked: usize,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Exact,
    /// One of the sides has more than there is room for.
    TooLarge,
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
            old: Old::default(),
            seen: Fingerprints::default(),
            missing: Fingerprints::default(),
            missing_leaves: 0,
            level: Vec::new(),
            next: Vec::new(),
            passes: 0,
            depth: 0,
            jobs: VecDeque::new(),
            batch: Vec::new(),
            asked: 0,
            outcome: Outcome::Open,
        };
        for root in old {
            difference.old.add_root(root, difference.hasher.hash(&root));
            difference.jobs.push_back(Job::Old(root));
        }
        let hasher = &difference.hasher;
        difference.level.extend(new.into_iter().zip(0..).map(|(root, number)| Group {
            links: Vec::from([(root, hasher.hash(&root))]),
            counterpart: None,
            root: Some(number),
        }));
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
        self.old.is_known()
    }

    /// Whether the old side lacks `cid`, which is a new root or a link of a block that it lacks: so a
    /// [`Walk`](crate::Walk) that enters what is lacking visits what is missing.
    #[must_use]
    pub fn lacks(&self, cid: &Cid) -> bool {
        let hash = self.hasher.hash(cid);
        let reached = self.outcome != Outcome::Exact || self.missing.contains(hash);
        reached && !self.old.contains(hash)
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
        let (hasher, old, mut nodes) = (&self.hasher, &mut self.old, Vec::new());
        let index = old.next_index();
        each_link(cid, data, &self.limits, &mut |link| {
            let hash = hasher.hash(&link);
            if may_link(&link) {
                old.add_node(hash, index, nodes.len());
                nodes.push((link, hash));
            } else {
                old.add_leaf(hash);
            }
        });
        old.open(hasher.hash(cid), nodes);
    }

    fn open_new(&mut self, cid: &Cid, data: &[u8], counterpart: Option<u32>) {
        let Self { hasher, old, missing, missing_leaves, .. } = self;
        let mut links = Vec::new();
        each_link(cid, data, &self.limits, &mut |link| {
            let hash = hasher.hash(&link);
            if may_link(&link) {
                links.push((link, hash));
            } else if !old.contains(hash) {
                *missing_leaves += usize::from(missing.insert(hash));
            }
        });
        if !links.is_empty() {
            self.next.push(Group { links, counterpart, root: None });
        }
    }

    fn check_capacity(&mut self) {
        if self.old.len().max(self.missing.len()) > self.capacity {
            self.outcome = Outcome::TooLarge;
            self.jobs.clear();
        }
    }

    /// What comes after the jobs of a step: old nodes that this level has to be held against, then
    /// the new nodes without an equal, then the level below.
    fn go_on(&mut self) {
        if self.level.is_empty() {
            self.level = core::mem::take(&mut self.next);
            self.passes = 0;
            self.depth += 1;
        }
        if self.depth > self.limits.max_depth {
            self.outcome = Outcome::TooLarge;
            return;
        }
        self.note_held();
        let missing = &self.missing;
        let unmatched = level::unmatched(&self.level, &self.old, |hash| missing.contains(hash));
        self.passes += 1;
        let last = self.level.is_empty();
        if (self.passes < PASSES || last) && self.open_counterparts(&unmatched) {
            return;
        }
        if self.level.is_empty() {
            self.outcome = Outcome::Exact;
        }
        self.enter(&unmatched);
    }

    /// What both sides link to did not change, so nothing has to be held against it.
    fn note_held(&mut self) {
        let links = self.level.iter().flat_map(|group| &group.links);
        for (_, hash) in links.filter(|(_, hash)| self.old.contains(*hash)) {
            self.seen.insert(*hash);
        }
    }

    /// Whether there are any to open.
    fn open_counterparts(&mut self, unmatched: &[Unmatched]) -> bool {
        for pair in unmatched.iter().filter_map(|unmatched| unmatched.pair) {
            self.open(pair, unmatched.len());
        }
        // What is no counterpart may be where leaves came from, as in trees that are cut by content.
        // Of what lies deeper nobody knows yet whether the new side links to it, until its end.
        let ends = self.level.is_empty() && !self.missing.is_empty();
        let (most, level) = if ends { (WINDOW, u32::MAX) } else { (unmatched.len(), self.depth) };
        while self.jobs.len() < most && self.credit(unmatched.len()) > 0 {
            let Some(link) = self.old.next_closed(level) else { break };
            self.open(link, unmatched.len());
        }
        !self.jobs.is_empty()
    }

    fn open(&mut self, (cid, hash): Link, unmatched: usize) {
        let differs = self.old.is_closed(hash) && !self.seen.contains(hash);
        if differs && self.credit(unmatched) > 0 {
            self.old.announce(hash);
            self.jobs.push_back(Job::Old(cid));
        }
    }

    /// How many old nodes may still be opened: one for each missing node, which is read twice, and
    /// two for each missing leaf, which is read once.
    fn credit(&self, unmatched: usize) -> usize {
        let nodes = self.missing.len() - self.missing_leaves + unmatched;
        (SPARE + nodes + 2 * self.missing_leaves).saturating_sub(self.old.opened_nodes())
    }

    fn enter(&mut self, unmatched: &[Unmatched]) {
        self.level.clear();
        for Unmatched { cid, hash, pair } in unmatched {
            if self.missing.insert(*hash) && may_link(cid) {
                let counterpart = pair.and_then(|(_, hash)| self.old.opened(hash));
                self.jobs.push_back(Job::New(*cid, counterpart));
            }
            self.seen.insert(*hash);
        }
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
