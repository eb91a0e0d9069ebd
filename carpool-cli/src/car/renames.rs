//! What becomes of the CIDs of a text whose blocks were edited.

use carpool_core::{Cid, CidMap, IDENTITY, Multihash, digest};
use std::collections::VecDeque;

use super::{
    input::Input,
    text::{Body, Edit, Entry, Error},
    texts::{Place, Texts, wrong},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    remote::random_seed,
};

/// The CIDs that changed, and what they are now.
pub(super) struct Renames {
    map: CidMap<Cid>,
    /// The same in the order in which they came to be: children before parents.
    pub(super) list: Vec<(Cid, Cid)>,
}

impl Renames {
    /// What a CID is now, where it changed.
    pub(super) fn get(&self, cid: &Cid) -> Option<Cid> {
        self.map.get(cid).copied()
    }

    /// Finds out what changed in a text. Where nothing did, that takes one pass and no memory;
    /// otherwise about 80 bytes a block and 8 a link.
    pub(super) fn of(input: &Input, trust: bool) -> Outcome<Self> {
        let mut edited = CidMap::with_seed(random_seed());
        let (_, mut texts) = Texts::open(input)?;
        while let Some((place, entry)) = texts.next()? {
            let block = entry.body().and_then(Body::encode);
            let block = block.map_err(|error| wrong(input, place.line, &error))?;
            if cid_of(&entry.cid, &block, trust, input, place)? != entry.cid {
                edited.insert(&entry.cid, ());
            }
        }
        let mut renames = Self { map: CidMap::with_seed(random_seed()), list: Vec::new() };
        if !edited.is_empty() {
            Graph::of(input, &edited)?.rename(input, trust, &mut renames)?;
        }
        Ok(renames)
    }
}

/// The CID of `block`, of the kind that `cid` is.
fn cid_of(cid: &Cid, block: &[u8], trust: bool, input: &Input, place: Place) -> Outcome<Cid> {
    let code = cid.hash().code();
    let Some(mut digest) = digest(code, block) else {
        if trust {
            return Ok(*cid);
        }
        let what = format_args!(
            "{}, from line {}: hash function 0x{code:x} of {cid} is not supported; --trust takes \
             the CID as it is",
            input.shown(),
            place.line,
        );
        return Err(Failure::new(Exit::Damaged, what));
    };
    if code != IDENTITY {
        digest.truncate(usize::from(cid.hash().size()));
    }
    let hash = Multihash::wrap(code, &digest).map_err(|_| {
        let what = format_args!(
            "{}, from line {}: {} bytes are too many for an identity CID",
            input.shown(),
            place.line,
            digest.len(),
        );
        Failure::new(Exit::Damaged, what)
    })?;
    let made = match cid.version() {
        carpool_core::Version::V0 => Cid::new_v0(hash).unwrap_or(*cid),
        carpool_core::Version::V1 => Cid::new_v1(cid.codec(), hash),
    };
    Ok(made)
}

/// The blocks of a text, and which of them have links to which.
struct Graph {
    names: CidMap<u32>,
    blocks: Vec<(Cid, Place)>,
    /// Pairs of child and parent, sorted.
    edges: Vec<(u32, u32)>,
    /// What was edited, and what has links to that.
    affected: Vec<bool>,
}

impl Graph {
    fn of(input: &Input, edited: &CidMap<()>) -> Outcome<Self> {
        let (names, blocks) = (CidMap::with_seed(random_seed()), Vec::new());
        let mut graph = Self { names, blocks, edges: Vec::new(), affected: Vec::new() };
        graph.name(input, edited)?;
        graph.link(input)?;
        graph.spread(edited);
        Ok(graph)
    }

    fn name(&mut self, input: &Input, edited: &CidMap<()>) -> Outcome {
        let (_, mut texts) = Texts::open(input)?;
        while let Some((place, entry)) = texts.next()? {
            if let Some(&first) = self.names.get(&entry.cid) {
                if edited.get(&entry.cid).is_some() {
                    self.same(first, &entry, place, input)?;
                }
                continue;
            }
            let n = u32::try_from(self.blocks.len());
            let n = n.map_err(|_| Failure::new(Exit::Io, "more than 2^32 blocks"))?;
            self.names.insert(&entry.cid, n);
            self.blocks.push((entry.cid, place));
        }
        Ok(())
    }

    /// A block that stands there twice was edited twice, and in the same way.
    fn same(&self, first: u32, entry: &Entry<'_>, place: Place, input: &Input) -> Outcome {
        let (cid, before) = self.blocks[first as usize];
        let block = |entry: &Entry<'_>| entry.body().and_then(Body::encode).ok();
        let text = input.read_at(before.offset, before.len)?;
        let other = Entry::read(&text).ok().and_then(|entry| block(&entry));
        if other.is_some() && other == block(entry) {
            return Ok(());
        }
        let what = format_args!(
            "{}: block {cid} stands at line {} and at line {} with different contents: which one \
             do links to it mean?",
            input.shown(),
            before.line,
            place.line,
        );
        Err(Failure::new(Exit::Damaged, what))
    }

    fn link(&mut self, input: &Input) -> Outcome {
        let (_, mut texts) = Texts::open(input)?;
        while let Some((place, entry)) = texts.next()? {
            let Some(&parent) = self.names.get(&entry.cid) else { continue };
            if self.blocks[parent as usize].1.offset != place.offset {
                continue;
            }
            let mut body = entry.body().map_err(|error| wrong(input, place.line, &error))?;
            body.each_link(|cid| {
                if let Some(&child) = self.names.get(cid) {
                    self.edges.push((child, parent));
                }
            });
        }
        self.edges.sort_unstable();
        self.edges.dedup();
        Ok(())
    }

    fn parents(&self, child: u32) -> &[(u32, u32)] {
        let from = self.edges.partition_point(|(other, _)| *other < child);
        let to = self.edges.partition_point(|(other, _)| *other <= child);
        &self.edges[from..to]
    }

    fn spread(&mut self, edited: &CidMap<()>) {
        let mut affected = vec![false; self.blocks.len()];
        let mut next: Vec<u32> = (0..).zip(&self.blocks).map(|(n, _)| n).collect();
        next.retain(|n| edited.get(&self.blocks[*n as usize].0).is_some());
        while let Some(n) = next.pop() {
            if !std::mem::replace(&mut affected[n as usize], true) {
                next.extend(self.parents(n).iter().map(|(_, parent)| *parent));
            }
        }
        self.affected = affected;
    }

    /// Gives new names to what is affected, children before parents.
    fn rename(&self, input: &Input, trust: bool, renames: &mut Renames) -> Outcome {
        let mut waits = vec![0u32; self.blocks.len()];
        for (child, parent) in &self.edges {
            waits[*parent as usize] += u32::from(self.affected[*child as usize]);
        }
        let all = (0..).zip(&self.affected).filter(|(_, affected)| **affected).map(|(n, _)| n);
        let mut ready: VecDeque<u32> = all.clone().filter(|n| waits[*n as usize] == 0).collect();
        while let Some(n) = ready.pop_front() {
            self.rename_one(n, input, trust, renames)?;
            for (_, parent) in self.parents(n) {
                let waits = &mut waits[*parent as usize];
                *waits -= 1;
                if *waits == 0 {
                    ready.push_back(*parent);
                }
            }
        }
        let stuck = all.clone().find(|n| waits[*n as usize] > 0);
        stuck.map_or(Ok(()), |n| Err(self.circle(n, input)))
    }

    fn rename_one(&self, n: u32, input: &Input, trust: bool, renames: &mut Renames) -> Outcome {
        let (cid, place) = self.blocks[n as usize];
        let text = input.read_at(place.offset, place.len)?;
        let block = Entry::read(&text).and_then(|entry| {
            let mut body = entry.body()?;
            let edit = body.rewrite(|cid| renames.get(cid))?;
            Ok((edit, body.encode()?))
        });
        let (edit, block) = block.map_err(|error: Error| wrong(input, place.line, &error))?;
        let trust = trust && edit == Edit::Same;
        let new = cid_of(&cid, &block, trust, input, place)?;
        renames.map.insert(&cid, new);
        renames.list.push((cid, new));
        Ok(())
    }

    fn circle(&self, n: u32, input: &Input) -> Failure {
        let (cid, place) = self.blocks[n as usize];
        let what = format_args!(
            "{}, from line {}: block {cid} is in a circle of links, or below one, that no CIDs can \
             be found for",
            input.shown(),
            place.line,
        );
        Failure::new(Exit::Damaged, what)
    }
}
