//! The paths in which two folders differ.

use carpool_core::{Cid, Limits, codec};
use carpool_store::BlockStore;
use carpool_unixfs::{List, Metadata, Node};
use std::cmp::Ordering;

use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
};

/// Paths that are looked at at most: a small DAG can have more than anybody reads.
const MAX_PATHS: usize = 1 << 24;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink,
    /// A node that is none of UnixFS.
    Other,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Symlink => "symlink",
            Self::Other => "other",
        }
    }
}

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Added,
    Modified,
    Removed,
    /// It is of another kind.
    Retyped,
}

impl Status {
    /// As git names it.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Modified => 'M',
            Self::Removed => 'D',
            Self::Retyped => 'T',
        }
    }
}

/// A path that differs: what is there on each side, and the bytes of files and of links' targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) before: Option<(Kind, u64)>,
    pub(crate) after: Option<(Kind, u64)>,
}

impl Change {
    pub(crate) fn status(&self) -> Status {
        match (self.before, self.after) {
            (None, _) => Status::Added,
            (_, None) => Status::Removed,
            (Some((before, _)), Some((after, _))) if before != after => Status::Retyped,
            _ => Status::Modified,
        }
    }
}

/// One side of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    cid: Cid,
    kind: Kind,
    bytes: u64,
    metadata: Metadata,
}

/// Gives the paths that differ, in order, all of them where there is nothing `before`: of folders those of what is in them, and the folder itself
/// where it is empty or says something else of itself. What is the same is not looked into. Returns
/// whether the roots have paths at all.
pub(crate) fn changes(
    store: &dyn BlockStore,
    before: Option<Cid>,
    after: Cid,
    each: impl FnMut(Change),
) -> Outcome<bool> {
    changes_within(store, before, after, MAX_PATHS, each)
}

fn changes_within(
    store: &dyn BlockStore,
    before: Option<Cid>,
    after: Cid,
    max: usize,
    mut each: impl FnMut(Change),
) -> Outcome<bool> {
    let before = before.map(|before| side(store, before)).transpose()?;
    let after = side(store, after)?;
    if before.into_iter().chain([after]).any(|side| side.kind == Kind::Other) {
        return Ok(false);
    }
    let (mut open, mut paths) = (vec![(String::new(), before, Some(after))], 0);
    // The last is the next, so those of a folder go on the list the wrong way round.
    while let Some((path, before, after)) = open.pop() {
        if before.map(|side| side.cid) == after.map(|side| side.cid) {
            continue;
        }
        let below = pairs(store, &path, before, after)?;
        if is_told(before, after, below.is_empty()) {
            let told = |side: Side| (side.kind, side.bytes);
            each(Change { path, before: before.map(told), after: after.map(told) });
        }
        paths += below.len();
        if paths > max {
            let what = format_args!("more than {max} paths differ");
            return Err(Failure::new(Exit::Refused, what));
        }
        open.extend(below.into_iter().rev());
    }
    Ok(true)
}

/// Whether a path is named itself, beside those below it.
fn is_told(before: Option<Side>, after: Option<Side>, empty: bool) -> bool {
    let is_folder = |side: Option<Side>| side.is_some_and(|side| side.kind == Kind::Folder);
    match (before, after) {
        (Some(before), Some(after))
            if before.kind == Kind::Folder && after.kind == Kind::Folder =>
        {
            before.metadata != after.metadata
        }
        (Some(_), Some(_)) => true,
        _ => empty || !(is_folder(before) || is_folder(after)),
    }
}

type Pair = (String, Option<Side>, Option<Side>);

/// What lies in a folder of either side, by name.
fn pairs(
    store: &dyn BlockStore,
    path: &str,
    before: Option<Side>,
    after: Option<Side>,
) -> Outcome<Vec<Pair>> {
    let (mut old, mut new) =
        (entries(store, before)?.peekable(), entries(store, after)?.peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return Ok(pairs),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let same = before.as_ref().map(|entry| entry.1) == after.as_ref().map(|entry| entry.1);
        if same {
            continue;
        }
        let name = before.as_ref().or(after.as_ref()).map(|entry| &entry.0[..]).unwrap_or_default();
        let path = joined(path, name);
        let look =
            |entry: Option<(Vec<u8>, Cid)>| entry.map(|entry| side(store, entry.1)).transpose();
        pairs.push((path, look(before)?, look(after)?));
    }
}

fn joined(path: &str, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") }
}

fn entries(
    store: &dyn BlockStore,
    folder: Option<Side>,
) -> Outcome<impl Iterator<Item = (Vec<u8>, Cid)>> {
    let mut all = Vec::new();
    if let Some(folder) = folder.filter(|side| side.kind == Kind::Folder) {
        let mut machine = List::new(folder.cid, &Limits::default());
        while let Some(entry) = blocks::next_entry(store, &mut machine)? {
            all.push((entry.name.to_vec(), entry.cid));
        }
    }
    all.sort_unstable();
    Ok(all.into_iter())
}

fn side(store: &dyn BlockStore, cid: Cid) -> Outcome<Side> {
    let of = |kind, bytes, metadata| Ok(Side { cid, kind, bytes, metadata });
    let length = || Outcome::Ok(store.size_many(&[cid])?.pop().flatten());
    if cid.codec() == codec::RAW {
        let missing = || Failure::from(carpool_unixfs::Error::Missing { cid });
        return of(Kind::File, length()?.ok_or_else(missing)?, Metadata::NONE);
    }
    match blocks::node(store, &cid) {
        Ok(Node::Raw(data)) => of(Kind::File, data.len() as u64, Metadata::NONE),
        Ok(Node::File(file)) => of(Kind::File, file.size, file.metadata),
        Ok(Node::Directory(folder)) => of(Kind::Folder, 0, folder.metadata),
        Ok(Node::Shard(shard)) => of(Kind::Folder, 0, shard.metadata),
        Ok(Node::Symlink(link)) => of(Kind::Symlink, link.target.len() as u64, link.metadata),
        Err(failure) if failure.exit == Exit::Damaged => of(Kind::Other, 0, Metadata::NONE),
        // A store that keeps the lengths of leaves alone has those.
        Err(failure) => match length()? {
            Some(bytes) if failure.exit == Exit::Incomplete => {
                of(Kind::File, bytes, Metadata::NONE)
            }
            _ => Err(failure),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_store::MemoryStore;
    use carpool_unixfs::{DirectoryBuilder, Options};

    #[test]
    fn paths_at_the_limit_and_past_it() {
        let store = MemoryStore::default();
        let mut roots = Vec::new();
        for _ in 0..3 {
            let mut builder = DirectoryBuilder::new(&Options::default(), Metadata::NONE);
            for (cid, n) in roots.last().into_iter().flat_map(|cid| (0..5).map(move |n| (cid, n))) {
                builder.insert(n.to_string().as_bytes(), cid, 1).unwrap();
            }
            let mut blocks = builder.finish().unwrap();
            store.put(&blocks.poll().unwrap()).unwrap();
            roots.push(blocks.root().unwrap().cid);
        }
        for (max, fits) in [(30, true), (29, false)] {
            let mut told = 0;
            let done = changes_within(&store, None, roots[2], max, |_| told += 1);
            assert_eq!((done.is_ok(), told == 25), (fits, fits), "{max}: {told}");
        }
    }
}
