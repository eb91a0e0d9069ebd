use carpool_car::{Options, Sections};
use carpool_core::{Cid, Limits, for_each_link};
use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
};

use super::{
    node::Node,
    versions::{Side, Totals, Versions},
};

/// Two versions that were made elsewhere, from CARs of them: their shapes and sizes, in memory.
#[derive(Debug)]
pub struct Recorded {
    roots: [Node; 2],
    blocks: HashMap<Node, Block>,
    totals: [Totals; 2],
    depth: u64,
}

#[derive(Debug, Default)]
struct Block {
    links: Vec<Node>,
    size: u64,
    is_in_new: bool,
    /// Blocks at and below it, those that are there twice counted twice.
    subtree: u64,
    /// Links to the deepest leaf below.
    height: u64,
}

/// What a CAR has: its root, and each block's links and size.
struct Dag {
    root: Cid,
    blocks: BTreeMap<Cid, (Vec<Cid>, u64)>,
}

impl Dag {
    fn read(car: &[u8]) -> Result<Self, Box<dyn Error>> {
        let (header, sections) = Sections::open(car, &Options::default())?;
        let root = *header.roots.first().ok_or("a CAR without a root")?;
        let (mut blocks, limits) = (BTreeMap::new(), Limits::default());
        for section in sections {
            let section = section?;
            let cid = section.to_cid().ok_or("a CID that is too long")?;
            let mut links = Vec::new();
            for_each_link(&cid, section.data, &limits, |link| links.push(link))?;
            blocks.insert(cid, (links, section.data.len() as u64));
        }
        Ok(Self { root, blocks })
    }
}

impl Recorded {
    /// Reads a CAR of each version: all of the DAG below its first root.
    ///
    /// # Errors
    /// What is wrong with the CARs; a block that is linked to and not there is a leaf of no bytes.
    pub fn read(old: &[u8], new: &[u8]) -> Result<Self, Box<dyn Error>> {
        let (old, new) = (Dag::read(old)?, Dag::read(new)?);
        let mut names: BTreeMap<Cid, Node> = BTreeMap::new();
        for (dag, make) in [(&old, Node::old as fn(u32, u64) -> Node), (&new, Node::new)] {
            for (index, (cid, (links, _))) in (0..).zip(&dag.blocks) {
                let node = make(u32::from(!links.is_empty()), index);
                names.entry(*cid).or_insert(node);
            }
        }
        let name = |cid: &Cid| names.get(cid).copied().ok_or("a link to a block that is not there");
        let mut blocks: HashMap<Node, Block> = HashMap::new();
        for dag in [&old, &new] {
            for (cid, (links, size)) in &dag.blocks {
                let links = links.iter().map(name).collect::<Result<_, _>>()?;
                let is_in_new = new.blocks.contains_key(cid);
                let block = Block { links, size: *size, is_in_new, ..Block::default() };
                blocks.insert(name(cid)?, block);
            }
        }
        let totals = [&old, &new].map(|dag| Totals {
            blocks: dag.blocks.len() as u64,
            interior: dag.blocks.values().filter(|(links, _)| !links.is_empty()).count() as u64,
        });
        let roots = [name(&old.root)?, name(&new.root)?];
        let mut recorded = Self { roots, blocks, totals, depth: 0 };
        roots.into_iter().for_each(|root| recorded.sum(root));
        recorded.depth = recorded.blocks[&roots[0]].height;
        Ok(recorded)
    }

    /// Sums up what is below a node, from the leaves on.
    fn sum(&mut self, root: Node) {
        let mut stack = vec![(root, false)];
        while let Some((node, is_below_summed)) = stack.pop() {
            if self.blocks[&node].subtree > 0 {
                continue;
            }
            let links = self.blocks[&node].links.clone();
            if !is_below_summed {
                stack.push((node, true));
                stack.extend(links.into_iter().map(|link| (link, false)));
                continue;
            }
            let below = || links.iter().map(|link| &self.blocks[link]);
            let subtree = 1 + below().map(|block| block.subtree).sum::<u64>();
            let height = below().map(|block| block.height + 1).max().unwrap_or(0);
            let block = self.blocks.get_mut(&node).expect("it was found before");
            (block.subtree, block.height) = (subtree, height);
        }
    }
}

impl Versions for Recorded {
    fn root(&self, side: Side) -> Node {
        self.roots[side as usize]
    }

    fn links(&self, node: Node) -> Vec<Node> {
        self.blocks[&node].links.clone()
    }

    fn link_count(&self, node: Node) -> u64 {
        self.blocks[&node].links.len() as u64
    }

    fn is_in_new(&self, node: Node) -> bool {
        self.blocks[&node].is_in_new
    }

    fn totals(&self, side: Side) -> Totals {
        self.totals[side as usize]
    }

    fn subtree(&self, node: Node) -> u64 {
        self.blocks[&node].subtree
    }

    fn fan_out(&self) -> u64 {
        self.blocks.values().map(|block| block.links.len() as u64).max().unwrap_or(0)
    }

    fn depth(&self) -> u64 {
        self.depth
    }

    fn distinct(&self, mut nodes: Vec<Node>) -> Vec<Node> {
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// On average.
    fn leaf_bytes(&self) -> u64 {
        let leaves = || self.blocks.values().filter(|block| block.links.is_empty());
        leaves().map(|block| block.size).sum::<u64>() / (leaves().count() as u64).max(1)
    }

    fn size(&self, node: Node) -> u64 {
        self.blocks[&node].size
    }
}

#[cfg(test)]
mod tests {
    use super::{super::versions::only_in, *};
    use carpool_car::{header, write_section};
    use carpool_core::{
        Block,
        cbor::{ARRAY, write_head, write_link},
        codec,
    };

    fn leaf(name: u8) -> Block {
        Block::new(codec::RAW, vec![name; 10].into())
    }

    fn node(links: &[&Block]) -> Block {
        let mut out = Vec::new();
        write_head(&mut out, ARRAY, links.len() as u64);
        links.iter().for_each(|link| write_link(&mut out, link.cid()));
        Block::new(codec::DAG_CBOR, out.into())
    }

    fn car(blocks: &[&Block]) -> Vec<u8> {
        let mut out = header(&[*blocks[0].cid()]).to_vec();
        for block in blocks {
            write_section(&mut out, block.cid(), block.data());
        }
        out
    }

    #[test]
    fn shapes_and_sizes_are_those_of_the_blocks() {
        let leaves: Vec<Block> = (0..4).map(leaf).collect();
        let below = node(&[&leaves[0], &leaves[1]]);
        let old = node(&[&below, &leaves[2]]);
        let new = node(&[&below, &leaves[3]]);
        let old_car = car(&[&old, &below, &leaves[0], &leaves[1], &leaves[2]]);
        let new_car = car(&[&new, &below, &leaves[0], &leaves[1], &leaves[3]]);
        let recorded = Recorded::read(&old_car, &new_car).expect("good CARs");
        assert_eq!(recorded.totals(Side::Old), Totals { blocks: 5, interior: 2 });
        assert_eq!((recorded.depth(), recorded.fan_out(), recorded.leaf_bytes()), (2, 2, 10));
        assert_eq!(recorded.subtree(recorded.root(Side::Old)), 5);
        let missing = only_in(&recorded, Side::New);
        let sizes: Vec<u64> = missing.iter().map(|node| recorded.size(*node)).collect();
        assert_eq!(sizes, [10, new.data().len() as u64]);
        assert_eq!(only_in(&recorded, Side::Old).len(), 2);
    }
}
