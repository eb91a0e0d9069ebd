use alloc::vec::Vec;
use carpool_core::{
    Block, Cid, CidSet, Error, Fingerprints, Limits, for_each_link, identity_data, may_link,
};

/// Times that all links are gone through. In a tree the first is enough, since what is below comes
/// behind what is above; where parts are shared, some more.
const PASSES: usize = 8;

/// Which of some held blocks are held with all that lies below them. It is told of those with links
/// and keeps 8 bytes for each link to another of them.
#[derive(Debug)]
pub(crate) struct Completeness {
    hasher: CidSet,
    limits: Limits,
    nodes: Vec<Node>,
    /// Links to blocks that may have links.
    links: Vec<u64>,
    incomplete: Fingerprints,
}

#[derive(Debug)]
struct Node {
    hash: u64,
    /// Where its links end; they begin where those of the node before end.
    end: usize,
}

impl Completeness {
    pub(crate) fn new(limits: &Limits, seed: u64) -> Self {
        let (hasher, limits) = (CidSet::with_seed(seed), limits.clone());
        let (nodes, links, incomplete) = (Vec::new(), Vec::new(), Fingerprints::default());
        Self { hasher, limits, nodes, links, incomplete }
    }

    /// Adds a block, of which those that are in `held` are held as well.
    pub(crate) fn add(&mut self, block: &Block, held: &CidSet) {
        let hash = self.hasher.hash(block.cid());
        let whole = self.add_links(block.cid(), block.data(), held);
        if !whole.unwrap_or(false) {
            self.incomplete.insert(hash);
        }
        self.nodes.push(Node { hash, end: self.links.len() });
    }

    /// Whether all that is linked to is held.
    fn add_links(&mut self, cid: &Cid, data: &[u8], held: &CidSet) -> Result<bool, Error> {
        let (mut whole, mut inlined) = (true, Vec::new());
        let (hasher, links) = (&self.hasher, &mut self.links);
        for_each_link(cid, data, &self.limits, |link| {
            if identity_data(&link).is_some() {
                inlined.push(link);
            } else {
                whole &= held.contains(&link);
                if may_link(&link) {
                    links.push(hasher.hash(&link));
                }
            }
        })?;
        for cid in inlined {
            whole &= self.add_links(&cid, identity_data(&cid).unwrap_or(&[]), held)?;
        }
        Ok(whole)
    }

    /// Takes out of `held` what is not held with all that lies below it. Where that is not known after
    /// so many passes, all blocks with links are taken out.
    pub(crate) fn leave(mut self, held: &mut CidSet) {
        let known = (0..PASSES).any(|_| !self.pass());
        let goes = |hash: u64| !known || self.incomplete.contains(hash);
        let gone: Vec<u64> = self.nodes.iter().map(|node| node.hash).filter(|h| goes(*h)).collect();
        let mut all = Fingerprints::default();
        gone.into_iter().for_each(|hash| {
            all.insert(hash);
        });
        let mut out = Vec::new();
        held.for_each(|cid| {
            if all.contains(self.hasher.hash_bytes(cid)) {
                out.push(cid.to_vec());
            }
        });
        out.iter().for_each(|cid| {
            held.remove_bytes(cid);
        });
    }

    /// Marks what links to something incomplete; whether anything was new.
    fn pass(&mut self) -> bool {
        let before = self.incomplete.len();
        for at in (0..self.nodes.len()).rev() {
            let begin = at.checked_sub(1).map_or(0, |before| self.nodes[before].end);
            let Node { hash, end } = self.nodes[at];
            if self.links[begin..end].iter().any(|link| self.incomplete.contains(*link)) {
                self.incomplete.insert(hash);
            }
        }
        self.incomplete.len() > before
    }
}
