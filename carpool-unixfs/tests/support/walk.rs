//! What a finished DAG looks like: the figures that the golden cases give.

use std::collections::{BTreeMap, HashMap, HashSet};

use carpool_core::{links, sha2_256};
use carpool_unixfs::{Cid, Limits, Node};

use super::Blocks;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub blocks: u64,
    pub bytes: u64,
    pub nodes: u64,
    pub depth: u64,
    pub shape: BTreeMap<String, u64>,
    pub order_sha256: String,
}

/// Walks depth first, parents first, each block once.
pub fn figures(root: Cid, blocks: &Blocks) -> Figures {
    let mut figures = Figures::default();
    let (mut order, mut seen, mut stack) = (Vec::new(), HashSet::new(), vec![root]);
    let mut visited = Vec::new();
    figures.shape.insert("max_links".into(), 0);
    while let Some(cid) = stack.pop() {
        if !seen.insert(cid) {
            continue;
        }
        let data = &blocks[&cid];
        let below = links(&cid, data, &Limits::default()).unwrap();
        figures.blocks += 1;
        figures.bytes += data.len() as u64;
        order.extend(cid.to_bytes());
        *figures.shape.entry(kind(&cid, blocks).into()).or_default() += 1;
        let widest = figures.shape.get_mut("max_links").unwrap();
        *widest = (*widest).max(below.len() as u64);
        stack.extend(below.iter().rev());
        visited.push((cid, below));
    }
    (figures.nodes, figures.depth) = nodes_and_depth(root, visited.into_iter().collect());
    figures.order_sha256 = sha2_256(&order).iter().map(|byte| format!("{byte:02x}")).collect();
    figures
}

fn nodes_and_depth(root: Cid, links: HashMap<Cid, Vec<Cid>>) -> (u64, u64) {
    fn count(
        cid: Cid,
        links: &HashMap<Cid, Vec<Cid>>,
        known: &mut HashMap<Cid, (u64, u64)>,
    ) -> (u64, u64) {
        if let Some(counted) = known.get(&cid) {
            return *counted;
        }
        let (mut nodes, mut depth) = (1, 0);
        for child in &links[&cid] {
            let below = count(*child, links, known);
            nodes += below.0;
            depth = depth.max(below.1 + 1);
        }
        known.insert(cid, (nodes, depth));
        (nodes, depth)
    }
    count(root, &links, &mut HashMap::new())
}

fn kind(cid: &Cid, blocks: &Blocks) -> &'static str {
    match Node::decode(cid, &blocks[cid], &Limits::default()).unwrap() {
        Node::Raw(_) => "raw",
        Node::File(_) => "file",
        Node::Directory(_) => "directory",
        Node::Shard(_) => "hamt",
        Node::Symlink(_) => "symlink",
    }
}
