//! How a CAR is taken apart by the DAGs below its roots.

use carpool_car::{header, section_len, section_prefix};
use carpool_core::{Cid, CidMap, CidSet, for_each_link};

use super::{
    input::Input,
    inputs::each_section,
    manifest::{Manifest, raw_cid},
    scan::Scan,
    split::{Plan, begin, finish},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    remote::random_seed,
};

/// Children in one part at most: so many roots its header can name.
const MAX_CHILDREN: usize = 10_000;
/// How much more than the CAR its parts may come to, where DAGs have blocks in common.
const MAX_GROWTH: u64 = 8;

/// The blocks of a CAR, and their links to each other: about 90 bytes a block and 4 a link.
#[derive(Debug, Default)]
struct Graph {
    /// Where each section begins and ends.
    places: Vec<(u64, u64)>,
    /// Where the links of each begin in `links`; one more at the end.
    starts: Vec<usize>,
    links: Vec<u32>,
    /// The part that each block was put into last, counted from 1.
    marks: Vec<u32>,
    /// What is in some part.
    placed: Vec<bool>,
}

/// A part for the DAG of every child of a root, or of as many as `max` bytes hold, and one with
/// all else: the roots, and what cannot be reached from them.
pub(super) fn plan(
    scan: Scan<'_>,
    input: &Input,
    max: Option<u64>,
) -> Outcome<(Manifest, Vec<Plan>)> {
    let opening = scan.opening(input)?;
    let (mut manifest, mut hasher) = begin(&opening.header.roots);
    let mut names = CidMap::with_seed(random_seed());
    let mut graph = Graph::default();
    each_section(scan, input, |section| {
        let (cid, data) = (&section.cid, &section.data);
        hasher.update(section_prefix(cid, data.len()));
        hasher.update(data);
        let n = u32::try_from(graph.places.len());
        let n = n.map_err(|_| Failure::new(Exit::Io, "more than 2^32 blocks"))?;
        names.insert_absent(cid, || n);
        let len = section_len(cid, data.len()) as u64;
        let at = opening.data_offset + section.offset;
        graph.places.push((at, at + len));
        (manifest.blocks, manifest.bytes) = (manifest.blocks + 1, manifest.bytes + len);
        Ok(())
    })?;
    manifest.cid = raw_cid(hasher);
    let mut cids = Children::new(&manifest.roots);
    link(scan, input, &names, &mut graph, &mut cids)?;
    graph.marks = vec![0; graph.places.len()];
    graph.placed = vec![false; graph.places.len()];
    let children = cids.list(&names);
    let budget = manifest.bytes.saturating_mul(MAX_GROWTH);
    let mut plans = pack(&mut graph, &children, max, budget)?;
    plans.extend(rest(&graph, &manifest.roots, &names, scan, input)?);
    Ok((manifest, plans))
}

/// The children of the roots, in the order of the roots and of their links.
struct Children {
    roots: CidSet,
    order: Vec<Cid>,
    of: CidMap<Vec<Cid>>,
}

impl Children {
    fn new(order: &[Cid]) -> Self {
        let mut roots = CidSet::with_seed(random_seed());
        order.iter().for_each(|root| {
            roots.insert(root);
        });
        Self { roots, order: order.to_vec(), of: CidMap::with_seed(random_seed()) }
    }

    fn list(&self, names: &CidMap<u32>) -> Vec<(u32, Cid)> {
        let mut seen = CidSet::with_seed(random_seed());
        let all = self.order.iter().filter_map(|root| self.of.get(root)).flatten();
        let new = all.filter(|cid| !self.roots.contains(cid) && seen.insert(cid));
        new.filter_map(|cid| names.get(cid).map(|n| (*n, *cid))).collect()
    }
}

fn link(
    scan: Scan<'_>,
    input: &Input,
    names: &CidMap<u32>,
    graph: &mut Graph,
    children: &mut Children,
) -> Outcome {
    let limits = scan.read.limits();
    each_section(scan, input, |section| {
        graph.starts.push(graph.links.len());
        let is_root = children.roots.contains(&section.cid);
        let mut of_root = Vec::new();
        let links = &mut graph.links;
        // A block that does not parse has the links that came before the fault.
        let _ = for_each_link(&section.cid, &section.data, &limits, |link| {
            links.extend(names.get(&link));
            if is_root {
                of_root.push(link);
            }
        });
        if is_root {
            children.of.insert(&section.cid, of_root);
        }
        Ok(())
    })?;
    graph.starts.push(graph.links.len());
    Ok(())
}

impl Graph {
    fn bytes(&self, n: u32) -> u64 {
        let (from, to) = self.places[n as usize];
        to - from
    }

    /// Adds the DAG below `top` to a part: what is not in it yet. Returns how many bytes that is.
    fn gather(&mut self, top: u32, part: u32, into: &mut Vec<u32>) -> u64 {
        let (mut bytes, mut next) = (0, vec![top]);
        while let Some(n) = next.pop() {
            if std::mem::replace(&mut self.marks[n as usize], part) == part {
                continue;
            }
            bytes += self.bytes(n);
            into.push(n);
            let links = self.starts[n as usize]..self.starts[n as usize + 1];
            let new = self.links[links].iter().filter(|link| self.marks[**link as usize] != part);
            next.extend(new);
        }
        bytes
    }

    fn part(&mut self, mut blocks: Vec<u32>, roots: Vec<Cid>) -> Plan {
        blocks.sort_unstable();
        let mut plan = Plan { roots, ..Plan::default() };
        for n in blocks {
            self.placed[n as usize] = true;
            let (from, to) = self.places[n as usize];
            plan.push(n.into(), from, to);
        }
        plan
    }
}

fn pack(
    graph: &mut Graph,
    children: &[(u32, Cid)],
    max: Option<u64>,
    budget: u64,
) -> Outcome<Vec<Plan>> {
    let (mut plans, mut spent) = (Vec::new(), 0u64);
    let (mut blocks, mut bytes, mut roots) = (Vec::new(), 0, Vec::<Cid>::new());
    let mut part = 1;
    for (child, cid) in children {
        let before = blocks.len();
        let mut more = graph.gather(*child, part, &mut blocks);
        let header = header(&[*cid]).len() as u64 * (roots.len() as u64 + 1);
        let fits = max.is_some_and(|max| header + bytes + more <= max);
        if !roots.is_empty() && (!fits || roots.len() == MAX_CHILDREN) {
            blocks.truncate(before);
            let full = std::mem::take(&mut blocks);
            plans.push(graph.part(full, std::mem::take(&mut roots)));
            (part, bytes) = (part + 1, 0);
            more = graph.gather(*child, part, &mut blocks);
        }
        roots.push(*cid);
        (bytes, spent) = (bytes + more, spent + more);
        if spent > budget {
            let what = format_args!(
                "the DAGs have so much in common that their parts would come to more than \
                 {MAX_GROWTH} times the CAR; say a larger --size, or leave --subgraph out"
            );
            return Err(Failure::new(Exit::Refused, what));
        }
    }
    if !roots.is_empty() {
        plans.push(graph.part(blocks, roots));
    }
    Ok(plans)
}

/// What is in no part, the roots among it.
fn rest(
    graph: &Graph,
    roots: &[Cid],
    names: &CidMap<u32>,
    scan: Scan<'_>,
    input: &Input,
) -> Outcome<Option<Plan>> {
    let mut plan = Plan::default();
    for (n, (from, to)) in (0..).zip(&graph.places) {
        if !graph.placed[usize::try_from(n).unwrap_or(usize::MAX)] {
            plan.push(n, *from, *to);
        }
    }
    let here = |root: &&Cid| names.get(root).is_some_and(|n| !graph.placed[*n as usize]);
    plan.roots = roots.iter().filter(here).copied().collect();
    let Some((from, to)) = plan.ranges.first().copied() else {
        return Ok(graph.places.is_empty().then(|| finish(plan, None)));
    };
    let mut cursor = super::cursor::Cursor::new(input, scan.read.limits(), from, to);
    let first = cursor.next()?.map(|(cid, _)| cid);
    Ok(Some(finish(plan, first)))
}
