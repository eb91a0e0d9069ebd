//! How much a CAR's files and folders come to, told before any of them is written.

use carpool_core::{Cid, CidMap, Limits, codec};
use carpool_store::BlockStore;
use carpool_unixfs::{List, Node};

use super::blocks::CarBlocks;
use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
    remote::random_seed,
};

/// What there is to be written, told before anything is. Every folder is looked at once, however
/// many paths lead to it.
pub(super) struct Survey<'a> {
    car: &'a CarBlocks,
    known: CidMap<Extent>,
}

/// What may lie there at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) depth: u64,
    pub(super) paths: u64,
    pub(super) bytes: u64,
}

/// What lies at and below a place.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    paths: u64,
    bytes: u64,
    depth: u64,
}

/// A folder that is being looked at.
struct Looked {
    cid: Cid,
    entries: List,
    extent: Extent,
}

impl<'a> Survey<'a> {
    pub(super) fn new(car: &'a CarBlocks) -> Self {
        Self { car, known: CidMap::with_seed(random_seed()) }
    }

    /// Looks at these roots together.
    pub(super) fn check(&mut self, roots: impl IntoIterator<Item = Cid>, max: Bounds) -> Outcome {
        let mut all = Extent::default();
        for root in roots {
            let extent = self.extent(root, max.depth)?;
            all.paths = all.paths.saturating_add(extent.paths);
            all.bytes = all.bytes.saturating_add(extent.bytes);
            all.depth = all.depth.max(extent.depth);
        }
        limit("folders within folders", all.depth, max.depth, "--max-depth")?;
        limit("files, folders and links", all.paths, max.paths, "--max-paths")?;
        limit("bytes of files", all.bytes, max.bytes, "--max-bytes")
    }

    fn extent(&mut self, cid: Cid, max_depth: u64) -> Outcome<Extent> {
        let mut open = Vec::new();
        let mut done = self.enter(cid, &mut open)?;
        while let Some(folder) = open.last_mut() {
            if let Some(below) = done.take() {
                folder.extent.add(below);
            }
            match next(self.car, &mut folder.entries)? {
                Some(cid) => done = self.enter(cid, &mut open)?,
                None => {
                    let Looked { cid, extent, .. } = open.pop().expect("it is the last");
                    self.known.insert(&cid, extent);
                    done = Some(extent);
                }
            }
            let depth = open.len() as u64;
            limit("folders within folders", depth.saturating_sub(1), max_depth, "--max-depth")?;
        }
        Ok(done.unwrap_or_default())
    }

    /// What is known at once, or a folder more that is open.
    fn enter(&self, cid: Cid, open: &mut Vec<Looked>) -> Outcome<Option<Extent>> {
        if let Some(known) = self.known.get(&cid) {
            return Ok(Some(*known));
        }
        let file = |bytes| Ok(Some(Extent { paths: 1, bytes, depth: 0 }));
        if cid.codec() == codec::RAW {
            return file(self.car.size_many(&[cid])?.pop().flatten().unwrap_or(0));
        }
        let node = match blocks::node(self.car, &cid) {
            Ok(node) => node,
            Err(failure) if failure.exit == Exit::Incomplete => return file(0),
            Err(failure) => return Err(failure),
        };
        match node {
            Node::Raw(data) => file(data.len() as u64),
            Node::File(found) => file(found.size),
            Node::Symlink(_) => file(0),
            Node::Directory(_) | Node::Shard(_) => {
                let extent = Extent { paths: 1, bytes: 0, depth: 0 };
                open.push(Looked { cid, entries: List::new(cid, &Limits::default()), extent });
                Ok(None)
            }
        }
    }
}

impl Extent {
    fn add(&mut self, below: Self) {
        self.paths = self.paths.saturating_add(below.paths);
        self.bytes = self.bytes.saturating_add(below.bytes);
        self.depth = self.depth.max(below.depth + 1);
    }
}

/// The next entry of a folder that is looked at; the end where a shard is missing, which is told
/// when it is written.
fn next(car: &CarBlocks, entries: &mut List) -> Outcome<Option<Cid>> {
    match blocks::next_entry(car, entries) {
        Ok(entry) => Ok(entry.map(|entry| entry.cid)),
        Err(failure) if failure.exit == Exit::Incomplete => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Refuses more than there may be.
pub(super) fn limit(what: &str, found: u64, max: u64, flag: &str) -> Outcome {
    if found <= max {
        return Ok(());
    }
    let what = format_args!("the CAR has {found} {what}, the limit is {max}; see {flag}");
    Err(Failure::new(Exit::Refused, what))
}
