//! What a change would have cost, had its files been cut in another way.

use carpool_core::{Block, Bytes, Cid, CidSet};
use carpool_store::BlockStore;
use carpool_unixfs::{
    Chunker, Chunking, EncodedLeaf, FileBuilder, List, Metadata, Node, Options, Overrides, Profile,
    hash_leaves,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{blocks, failure::Outcome, output::size, remote::random_seed};

/// Bytes of old and new files that are cut again, at most; of more, files are left out.
const MAX_BYTES: u64 = 256 << 20;
/// Leaves are hashed when so many bytes of them have gathered.
const HASHED_BYTES: usize = 1 << 20;

/// What the files of a change would have cost that were there before, cut in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Savings {
    /// Files that changed.
    changed: usize,
    /// Those that were looked at.
    files: usize,
    /// As they are cut now.
    used: Cost,
    /// As another profile cuts them.
    other: Cost,
}

/// What one way costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    profile: Profile,
    chunking: Chunking,
    /// Bytes of the new files' blocks that are not in the old ones.
    bytes: u64,
}

impl Savings {
    /// Cuts the files anew that differ between two folders, or files, of the store: as `options` of
    /// `profile` say, and by content where these cut everywhere alike, or the other way round. `None` where
    /// no file changed, none is small enough, or the old version is not all here.
    ///
    /// Blocks of folders count in neither way, since both have the same, and neither do files that were
    /// not there before. What a file shares with one that did not change is not seen.
    pub(crate) fn of_change(
        store: &dyn BlockStore,
        (old, new): (Cid, Cid),
        (profile, options): (Profile, &Options),
    ) -> Option<Self> {
        let changed = changed_files(store, old, new).ok()?;
        let other = match options.chunking().fixed() {
            Some(_) => Profile::CarpoolV1FastCdc,
            None => Profile::default(),
        };
        let others = Options::new(other, &Overrides::default()).ok()?;
        let looked_at = sample(&changed, MAX_BYTES);
        let (used, others) = (Cutting::new(profile, options), Cutting::new(other, &others));
        let [used, other] = costs([used, others], &looked_at, store).ok()?;
        let (changed, files) = (changed.len(), looked_at.len());
        (files > 0).then_some(Self { changed, files, used, other })
    }

    /// As a field of a transfer's JSON.
    pub(crate) fn json(&self) -> Value {
        let cost = |Cost { profile, chunking, bytes }: &Cost| json!({ "profile": profile.name(), "chunker": chunking.to_string(), "bytes": bytes });
        json!({
            "files_changed": self.changed,
            "files_compared": self.files,
            "used": cost(&self.used),
            "other": cost(&self.other),
        })
    }
}

impl fmt::Display for Savings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, files, used, other } = self;
        let of = if files < changed { format!("{files} of ") } else { String::new() };
        let plural = if *changed == 1 { "" } else { "s" };
        write!(f, "profiles: of {of}{changed} changed file{plural}, {used} is new")?;
        write!(f, ", {other} would have been")?;
        match used.bytes.checked_sub(other.bytes) {
            Some(0) | None => Ok(()),
            Some(saved) => write!(f, "; {} would have saved {}", other.profile, size(saved)),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, chunking, bytes } = self;
        write!(f, "{} under {profile} ({chunking})", size(*bytes))
    }
}

/// A file in two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Changed {
    old: Cid,
    new: Cid,
    /// Of both together.
    bytes: u64,
}

/// Files that are under the same path in both and differ, each pair once. What is the same in both is
/// not looked into, so the work follows the change.
fn changed_files(store: &dyn BlockStore, old: Cid, new: Cid) -> Outcome<BTreeSet<Changed>> {
    let (mut changed, mut left) = (BTreeSet::new(), vec![(old, new)]);
    while let Some((old, new)) = left.pop() {
        if old == new {
            continue;
        }
        let nodes = (blocks::node(store, &old)?, blocks::node(store, &new)?);
        match (file_bytes(&nodes.0), file_bytes(&nodes.1)) {
            (Some(before), Some(now)) => {
                changed.insert(Changed { old, new, bytes: before.saturating_add(now) });
            }
            (None, None) if is_folder(&nodes.0) && is_folder(&nodes.1) => {
                let before: BTreeMap<Bytes, Cid> = entries(store, old)?.collect();
                let both = |(name, now)| before.get(&name).map(|was| (*was, now));
                left.extend(entries(store, new)?.filter_map(both));
            }
            _ => {}
        }
    }
    Ok(changed)
}

fn file_bytes(node: &Node) -> Option<u64> {
    match node {
        Node::Raw(data) => Some(data.len() as u64),
        Node::File(file) => Some(file.size),
        Node::Directory(_) | Node::Shard(_) | Node::Symlink(_) => None,
    }
}

const fn is_folder(node: &Node) -> bool {
    matches!(node, Node::Directory(_) | Node::Shard(_))
}

fn entries(store: &dyn BlockStore, folder: Cid) -> Outcome<impl Iterator<Item = (Bytes, Cid)>> {
    let (mut machine, mut all) = (List::new(folder, &carpool_core::Limits::default()), Vec::new());
    while let Some(entry) = blocks::next_entry(store, &mut machine)? {
        all.push((entry.name, entry.cid));
    }
    Ok(all.into_iter())
}

/// Files that have at most `max` bytes together: those that still fit, in an order that says nothing
/// of their sizes.
fn sample(changed: &BTreeSet<Changed>, max: u64) -> Vec<Changed> {
    let mut left = max;
    let fits = |file: &&Changed| {
        left.checked_sub(file.bytes).is_some_and(|rest| {
            left = rest;
            true
        })
    };
    changed.iter().filter(fits).copied().collect()
}

/// Cuts all old files and then all new ones, each in both ways while it is read.
fn costs(mut ways: [Cutting; 2], files: &[Changed], store: &dyn BlockStore) -> Outcome<[Cost; 2]> {
    for file in files {
        cut(&mut ways, file.old, store)?;
    }
    ways.iter_mut().for_each(|way| way.cost.bytes = 0);
    for file in files {
        cut(&mut ways, file.new, store)?;
    }
    Ok(ways.map(|way| way.cost))
}

fn cut(ways: &mut [Cutting; 2], file: Cid, store: &dyn BlockStore) -> Outcome {
    let mut cuts = ways.each_mut().map(Cut::begin);
    blocks::read_file(store, file, |data| {
        cuts.iter_mut().for_each(|cut| cut.data(data.clone()));
        Ok(())
    })?;
    cuts.into_iter().for_each(Cut::end);
    Ok(())
}

/// One way to cut, and the blocks that came of it.
struct Cutting {
    options: Options,
    seen: CidSet,
    /// Its bytes are those of the blocks that were new.
    cost: Cost,
}

impl Cutting {
    fn new(profile: Profile, options: &Options) -> Self {
        let cost = Cost { profile, chunking: options.chunking(), bytes: 0 };
        Self { options: options.clone(), seen: CidSet::with_seed(random_seed()), cost }
    }

    fn count(&mut self, block: &Block) {
        if self.seen.insert(block.cid()) {
            self.cost.bytes += block.data().len() as u64;
        }
    }
}

/// A file on its way through the knife.
struct Cut<'a> {
    way: &'a mut Cutting,
    chunker: Chunker,
    file: FileBuilder,
    leaves: Vec<EncodedLeaf>,
    bytes: usize,
}

impl<'a> Cut<'a> {
    fn begin(way: &'a mut Cutting) -> Self {
        let chunker = Chunker::new(&way.options);
        let file = FileBuilder::new(&way.options, Metadata::NONE);
        Self { way, chunker, file, leaves: Vec::new(), bytes: 0 }
    }

    fn data(&mut self, data: Bytes) {
        self.chunker.handle_data(data);
        self.chunks();
    }

    fn chunks(&mut self) {
        while let Some(chunk) = self.chunker.poll() {
            self.bytes += chunk.data.len();
            self.leaves.push(EncodedLeaf::new(chunk, &Metadata::NONE, &self.way.options));
            if self.bytes >= HASHED_BYTES {
                self.hash();
            }
        }
    }

    fn hash(&mut self) {
        self.bytes = 0;
        for leaf in hash_leaves(std::mem::take(&mut self.leaves)) {
            self.file.handle_leaf(&leaf);
            self.way.count(leaf.block());
        }
        while let Some(node) = self.file.poll() {
            self.way.count(&node);
        }
    }

    fn end(mut self) {
        self.chunker.handle_end();
        self.chunks();
        self.hash();
        self.file.finish().blocks.iter().for_each(|block| self.way.count(block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::codec;
    use carpool_store::MemoryStore;
    use carpool_unixfs::DirectoryBuilder;

    fn leaf(store: &MemoryStore, data: &[u8]) -> (Cid, u64) {
        let block = Block::new(codec::RAW, data.to_vec().into());
        store.put_many(std::slice::from_ref(&block)).expect("memory");
        (*block.cid(), data.len() as u64)
    }

    fn folder(store: &MemoryStore, entries: &[(&str, Cid)]) -> Cid {
        let mut builder = DirectoryBuilder::new(&Options::default(), Metadata::NONE);
        for (name, cid) in entries {
            builder.insert(name.as_bytes(), cid, 1).expect("names differ");
        }
        let mut built = builder.finish().expect("it fits");
        while let Some(block) = built.poll() {
            store.put_many(&[block]).expect("memory");
        }
        built.root().expect("all was taken").cid
    }

    #[test]
    fn files_that_changed_are_found_by_their_paths() {
        let store = MemoryStore::new();
        let [a, b, c, d] = [&b"a"[..], b"bb", b"ccc", b"dddd"].map(|data| leaf(&store, data));
        let old_inner = folder(&store, &[("same", a.0), ("changed", b.0), ("gone", c.0)]);
        let new_inner = folder(&store, &[("same", a.0), ("changed", d.0), ("added", c.0)]);
        let old = folder(&store, &[("in", old_inner), ("again", b.0), ("was folder", old_inner)]);
        let new = folder(&store, &[("in", new_inner), ("again", d.0), ("was folder", a.0)]);
        let changed = changed_files(&store, old, new).expect("all is held");
        let expected = Changed { old: b.0, new: d.0, bytes: b.1 + d.1 };
        assert_eq!(changed.into_iter().collect::<Vec<_>>(), [expected], "once");
        assert!(changed_files(&store, old, old).expect("all is held").is_empty());
    }

    #[test]
    fn bytes_at_the_limit_and_past_it() {
        let store = MemoryStore::new();
        let file = |data: &[u8], bytes| {
            let (cid, _) = leaf(&store, data);
            Changed { old: cid, new: cid, bytes }
        };
        let files: BTreeSet<Changed> = [file(b"a", 60), file(b"b", 40)].into();
        for (max, expected) in [(100, 2), (99, 1), (40, 1), (39, 0)] {
            assert_eq!(sample(&files, max).len(), expected, "{max}");
        }
    }

    #[test]
    fn an_old_version_that_is_not_here_says_nothing() {
        let (store, other) = (MemoryStore::new(), MemoryStore::new());
        let (new, old) = (leaf(&store, b"new").0, leaf(&other, b"old").0);
        let options = Options::default();
        let of = |old, new| Savings::of_change(&store, (old, new), (Profile::default(), &options));
        assert_eq!(of(old, new), None);
        assert_eq!(of(new, new), None);
        let (was, _) = leaf(&store, b"was");
        let savings = of(was, new).expect("both are held");
        assert_eq!((savings.used.bytes, savings.other.bytes), (3, 3));
        let line = savings.to_string();
        assert!(
            line.starts_with("profiles: of 1 changed file, 3 B under unixfs-v1-2025"),
            "{line}"
        );
        assert!(!line.contains("saved"), "{line}");
    }
}
