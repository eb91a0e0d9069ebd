//! What is to be done so that a folder becomes what a root is, and what speaks against it.

use carpool_core::{Cid, Limits, codec};
use carpool_store::BlockStore;
use carpool_unixfs::{List, Metadata, Node, Root};
use ignore::gitignore::Gitignore;
use std::path::{Path, PathBuf};

use super::{
    arrive::is_part,
    content,
    record::Kind,
    stamp::Stamp,
    walk::{Entry, Tree, What, name_of},
};
use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
    files::entry_name,
};

/// Entries that are planned at most: a small DAG can stand for more than any disk takes.
pub(crate) const MAX_ENTRIES: usize = 1 << 24;

/// How a folder is brought to a root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) root: Cid,
    /// What the root does not have goes.
    pub(crate) delete: bool,
    /// Local edits go.
    pub(crate) force: bool,
    /// What is neither written nor removed.
    pub(crate) ignore: &'a Gitignore,
    /// Files and folders that the root may have: [`MAX_ENTRIES`].
    pub(crate) max_entries: usize,
    /// Roots to which the folder was being brought by runs that were cut short.
    pub(crate) under_way: &'a [Cid],
}

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// Each behind the one that it is in; the first is the folder itself.
    pub(crate) folders: Vec<Wanted>,
    /// What goes before anything is written, because it is in the way; what lies below first.
    pub(crate) in_the_way: Vec<Removal>,
    /// What goes afterwards, because the root does not have it.
    pub(crate) surplus: Vec<Removal>,
    /// What speaks against it: paths, and why.
    pub(crate) edits: Vec<(PathBuf, &'static str)>,
    pub(crate) added: Vec<PathBuf>,
    pub(crate) changed: Vec<PathBuf>,
    pub(crate) removed: Vec<PathBuf>,
    /// Files that nothing shows a change of.
    pub(crate) known: u64,
    /// Files that were read to find out.
    pub(crate) read: u64,
    entries: usize,
}

impl Arrival {
    /// Whether anything is to be other than it is.
    pub(crate) fn has_work(&self) -> bool {
        let new = |folder: &Wanted| folder.stamp.is_none();
        let paths = [&self.added, &self.changed, &self.removed];
        paths.iter().any(|paths| !paths.is_empty())
            || !(self.surplus.is_empty() && self.in_the_way.is_empty())
            || self.folders.iter().any(new)
    }

    /// Whether the folder is as it was left, and as it is to be.
    pub(crate) fn is_done(&self) -> bool {
        let none = self.surplus.is_empty() && self.in_the_way.is_empty();
        none && self.folders.first().is_none_or(|top| top.untouched)
    }
}

/// A folder as it is to be.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Below the folder that is synced.
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
    /// As it lies there; `None` where it is to be made.
    pub(crate) stamp: Option<Stamp>,
    /// A file or link that lies there and goes.
    pub(crate) over: Option<Stamp>,
    /// Sorted by name.
    pub(crate) entries: Vec<Item>,
    /// Whether something of the root was left out of it.
    pub(crate) partial: bool,
    /// Nothing in it changes, itself included.
    pub(crate) untouched: bool,
}

/// What is to lie in a folder.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) name: Vec<u8>,
    pub(crate) root: Root,
    pub(crate) kind: Kind,
    pub(crate) act: Act,
    /// As it lies there, before and in the end; `None` where nothing does once what is in the way is
    /// gone.
    pub(crate) stamp: Option<Stamp>,
    /// Permissions of a file that is replaced.
    pub(crate) mode: Option<u32>,
    pub(crate) foreign: bool,
    /// What is remembered of it needs no second look.
    pub(crate) sure: bool,
}

/// What becomes of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is what it is to be.
    Keep,
    /// Its bytes are right.
    Stamp(Metadata),
    Write(Metadata),
    /// The target, and the time.
    Link(Vec<u8>, Metadata),
    /// The place of the folder among all.
    Folder(usize),
}

/// Something that goes.
#[derive(Clone, Debug)]
pub(crate) struct Removal {
    pub(crate) path: PathBuf,
    /// As it was seen; of a folder `None`, which goes once it is empty.
    pub(crate) stamp: Option<Stamp>,
}

/// What a node is to become.
enum Becomes {
    File(Metadata),
    Link(Vec<u8>, Metadata),
    Folder(Metadata),
}

/// Compares `tree`, with what is remembered of it, with a root.
pub(crate) fn plan(
    store: &dyn BlockStore,
    dir: &Path,
    tree: &Tree,
    top: Stamp,
    remembered: Option<Root>,
    wish: Wish<'_>,
) -> Outcome<Arrival> {
    let clean = clean(tree);
    let mut planner = Planner { store, dir, tree, clean, wish, arrival: Arrival::default() };
    let root = Root { cid: wish.root, size: 0, tsize: 0 };
    if clean_top(&planner, remembered) {
        planner.keep(0, PathBuf::new(), top)?;
        return Ok(planner.arrival);
    }
    let Becomes::Folder(metadata) = node(store, &root.cid)? else {
        let what = format_args!("{} is a file and no folder; `carpool get` writes it", root.cid);
        return Err(Failure::new(Exit::Io, what));
    };
    planner.begin(PathBuf::new(), metadata, Some(top));
    let mut open = vec![(0, Some(0), root.cid)];
    while let Some((at, local, cid)) = open.pop() {
        planner.folder(at, local, cid, &mut open)?;
    }
    Ok(planner.arrival)
}

fn clean_top(planner: &Planner<'_>, remembered: Option<Root>) -> bool {
    planner.clean[0] && remembered.is_some_and(|root| root.cid == planner.wish.root)
}

/// Of each folder whether all below it is as it is remembered, names too.
fn clean(tree: &Tree) -> Vec<bool> {
    let mut clean = vec![false; tree.folders.len()];
    for (at, folder) in tree.folders.iter().enumerate().rev() {
        clean[at] = folder.same_names
            && !folder.unreadable
            && folder.entries.iter().all(|entry| match (entry.what, entry.before) {
                (What::Folder(below), Some(before)) => {
                    let stamp = (before.stamp.mode, before.stamp.mtime);
                    clean[below]
                        && !before.partial
                        && stamp == (entry.stamp.mode, entry.stamp.mtime)
                }
                (_, Some(before)) => before.same,
                (_, None) => false,
            });
    }
    clean
}

fn node(store: &dyn BlockStore, cid: &Cid) -> Outcome<Becomes> {
    if cid.codec() == codec::RAW {
        return Ok(Becomes::File(Metadata::NONE));
    }
    Ok(match blocks::node(store, cid)? {
        Node::Raw(_) => Becomes::File(Metadata::NONE),
        Node::File(file) => Becomes::File(file.metadata),
        Node::Symlink(link) => Becomes::Link(link.target.to_vec(), link.metadata),
        Node::Directory(folder) => Becomes::Folder(folder.metadata),
        Node::Shard(shard) => Becomes::Folder(shard.metadata),
    })
}

struct Planner<'a> {
    store: &'a dyn BlockStore,
    dir: &'a Path,
    tree: &'a Tree,
    clean: Vec<bool>,
    wish: Wish<'a>,
    arrival: Arrival,
}

type Open = Vec<(usize, Option<usize>, Cid)>;

impl<'a> Planner<'a> {
    fn begin(&mut self, path: PathBuf, metadata: Metadata, stamp: Option<Stamp>) -> usize {
        let (over, entries, partial, untouched) = (None, Vec::new(), false, false);
        let wanted = Wanted { path, metadata, stamp, over, entries, partial, untouched };
        self.arrival.folders.push(wanted);
        self.arrival.folders.len() - 1
    }

    /// Plans one folder, `local` being what lies there; folders below go to `open`.
    fn folder(&mut self, at: usize, local: Option<usize>, cid: Cid, open: &mut Open) -> Outcome {
        let here = local.map_or(&[][..], |local| &self.tree.folders[local].entries);
        let path = self.arrival.folders[at].path.clone();
        let mut here = here.iter().peekable();
        for (name, cid, tsize) in self.entries(cid)? {
            while let Some(surplus) = here.next_if(|entry| entry.name < name) {
                self.surplus(&path, surplus)?;
            }
            let found = here.next_if(|entry| entry.name == name);
            let below = path.join(name_of(&name));
            let root = Root { cid, size: 0, tsize };
            if let Some(item) = self.item(below, name, root, found, open)? {
                self.arrival.folders[at].entries.push(item);
            } else {
                self.arrival.folders[at].partial = true;
            }
        }
        here.try_for_each(|surplus| self.surplus(&path, surplus))
    }

    /// The names of a folder, sorted.
    fn entries(&mut self, cid: Cid) -> Outcome<Vec<(Vec<u8>, Cid, u64)>> {
        let (mut list, mut all) = (List::new(cid, &Limits::default()), Vec::new());
        while let Some(entry) = blocks::next_entry(self.store, &mut list)? {
            entry_name(&entry.name)?;
            all.push((entry.name.to_vec(), entry.cid, entry.tsize));
            self.count(1)?;
        }
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    fn count(&mut self, more: usize) -> Outcome {
        self.arrival.entries += more;
        let max = self.wish.max_entries;
        if self.arrival.entries > max {
            let what = format_args!("the root has more than {max} files and folders");
            return Err(Failure::new(Exit::Refused, what));
        }
        Ok(())
    }

    /// Plans one entry; `None` where it is left out.
    fn item(
        &mut self,
        path: PathBuf,
        name: Vec<u8>,
        root: Root,
        found: Option<&'a Entry>,
        open: &mut Open,
    ) -> Outcome<Option<Item>> {
        if let Some(entry) = found
            && let Some(before) = entry.before.filter(|before| before.root.cid == root.cid)
        {
            let folder = if let What::Folder(local) = entry.what { Some(local) } else { None };
            let untouched = folder.is_some_and(|local| self.untouched(local, entry));
            if untouched || (folder.is_none() && before.same) {
                return self.kept(path, entry).map(Some);
            }
        }
        let node = node(self.store, &root.cid)?;
        let is_folder = matches!(node, Becomes::Folder(_));
        if self.wish.ignore.matched(&path, is_folder).is_ignore() {
            return Ok(None);
        }
        // A folder in the place of something else is gone by then.
        let there = |entry: &&Entry| is_folder || entry.what.kind() != Kind::Folder;
        let mut item = Item {
            name,
            root,
            kind: Kind::File,
            act: Act::Keep,
            stamp: found.filter(there).map(|entry| entry.stamp),
            mode: found.filter(|entry| entry.what == What::File).map(|entry| entry.stamp.mode),
            foreign: true,
            sure: false,
        };
        match node {
            Becomes::Folder(metadata) => {
                item.kind = Kind::Folder;
                let at = self.below(path, metadata, root.cid, found, open)?;
                item.act = Act::Folder(at);
            }
            Becomes::File(metadata) => item.act = self.file(&path, &root.cid, metadata, found)?,
            Becomes::Link(target, metadata) => {
                item.kind = Kind::Symlink;
                item.act = self.link(&path, &root.cid, (target, metadata), found)?;
            }
        }
        Ok(Some(item))
    }

    fn untouched(&self, local: usize, entry: &Entry) -> bool {
        let same = |before: super::walk::Before| {
            let (then, now) = (before.stamp, entry.stamp);
            before.kind == Kind::Folder
                && !before.partial
                && (then.mode, then.mtime) == (now.mode, now.mtime)
        };
        self.clean[local] && entry.before.is_some_and(same)
    }

    /// An entry that is what it is to be, with all below it.
    fn kept(&mut self, path: PathBuf, entry: &Entry) -> Outcome<Item> {
        let before = entry.before.expect("what is kept is remembered");
        let act = match entry.what {
            What::Folder(local) => Act::Folder(self.keep(local, path, entry.stamp)?),
            What::File | What::Symlink => {
                self.arrival.known += 1;
                Act::Keep
            }
        };
        let (name, stamp) = (entry.name.clone(), Some(entry.stamp));
        let (kind, foreign) = (entry.what.kind(), before.foreign);
        Ok(Item { name, root: before.root, kind, act, stamp, mode: None, foreign, sure: true })
    }

    /// A folder in which nothing changed. Those below wait on a list and not on the call stack.
    fn keep(&mut self, local: usize, path: PathBuf, stamp: Stamp) -> Outcome<usize> {
        let first = self.begin(path, Metadata::NONE, Some(stamp));
        let mut open = vec![(first, local)];
        while let Some((at, local)) = open.pop() {
            self.arrival.folders[at].untouched = true;
            let path = self.arrival.folders[at].path.clone();
            for entry in &self.tree.folders[local].entries {
                self.count(1)?;
                let item = if let What::Folder(local) = entry.what {
                    let below = path.join(name_of(&entry.name));
                    let next = self.begin(below, Metadata::NONE, Some(entry.stamp));
                    open.push((next, local));
                    let before = entry.before.expect("what is kept is remembered");
                    Item {
                        name: entry.name.clone(),
                        root: before.root,
                        kind: Kind::Folder,
                        act: Act::Folder(next),
                        stamp: Some(entry.stamp),
                        mode: None,
                        foreign: before.foreign,
                        sure: true,
                    }
                } else {
                    self.kept(PathBuf::new(), entry)?
                };
                self.arrival.folders[at].entries.push(item);
            }
        }
        Ok(first)
    }

    fn below(
        &mut self,
        path: PathBuf,
        metadata: Metadata,
        cid: Cid,
        found: Option<&'a Entry>,
        open: &mut Open,
    ) -> Outcome<usize> {
        let (mut local, mut stamp, mut over) = (None, None, None);
        match found.map(|entry| (entry, entry.what)) {
            Some((entry, What::Folder(there))) => {
                (local, stamp) = (Some(there), Some(entry.stamp));
            }
            Some((entry, What::File | What::Symlink)) => {
                self.displace(&path, entry)?;
                self.arrival.changed.push(path.clone());
                over = Some(entry.stamp);
            }
            None => {}
        }
        let at = self.begin(path, metadata, stamp);
        self.arrival.folders[at].over = over;
        open.push((at, local, cid));
        Ok(at)
    }

    fn file(
        &mut self,
        path: &Path,
        cid: &Cid,
        metadata: Metadata,
        found: Option<&Entry>,
    ) -> Outcome<Act> {
        let Some(entry) = found else {
            self.arrival.added.push(path.to_path_buf());
            return Ok(Act::Write(metadata));
        };
        if entry.what == What::File && self.has(entry, path, cid)? {
            return Ok(self.stamped(path, entry, metadata));
        }
        self.displace(path, entry)?;
        self.arrival.changed.push(path.to_path_buf());
        Ok(Act::Write(metadata))
    }

    /// The bytes of a file are right; perhaps its mode and time are not.
    fn stamped(&mut self, path: &Path, entry: &Entry, metadata: Metadata) -> Act {
        if entry.stamp.has(&metadata) {
            return Act::Keep;
        }
        self.arrival.changed.push(path.to_path_buf());
        Act::Stamp(metadata)
    }

    fn link(
        &mut self,
        path: &Path,
        cid: &Cid,
        (target, metadata): (Vec<u8>, Metadata),
        found: Option<&Entry>,
    ) -> Outcome<Act> {
        let Some(entry) = found else {
            self.arrival.added.push(path.to_path_buf());
            return Ok(Act::Link(target, metadata));
        };
        let same = entry.what == What::Symlink && self.has(entry, path, cid)?;
        if same && entry.stamp.has(&Metadata { mode: None, ..metadata }) {
            return Ok(Act::Keep);
        }
        if !same {
            self.displace(path, entry)?;
        }
        self.arrival.changed.push(path.to_path_buf());
        Ok(Act::Link(target, metadata))
    }

    /// Whether what lies there has these bytes. The file is read unless it is known to have others.
    fn has(&mut self, entry: &Entry, path: &Path, cid: &Cid) -> Outcome<bool> {
        self.arrival.read += u64::from(entry.what == What::File);
        content::is_same(self.store, cid, &self.dir.join(path))
    }

    /// Something is to be where something else is, which may be what nobody else has.
    fn displace(&mut self, path: &Path, entry: &Entry) -> Outcome {
        match entry.what {
            What::Folder(local) => {
                if !self.wish.delete && !self.wish.force {
                    let why = "is a folder, and something else in the root; --delete removes it";
                    self.arrival.edits.push((path.to_path_buf(), why));
                    return Ok(());
                }
                self.remove_all(path, local, true)
            }
            What::File | What::Symlink => {
                if let Some(why) = self.edited(path, entry)? {
                    self.arrival.edits.push((path.to_path_buf(), why));
                }
                Ok(())
            }
        }
    }

    /// Why a file or link is not to be lost: it is not what the last sync left.
    fn edited(&mut self, path: &Path, entry: &Entry) -> Outcome<Option<&'static str>> {
        if self.wish.force || entry.before.is_some_and(|before| before.same) {
            return Ok(None);
        }
        if let Some(before) = entry.before
            && self.has(entry, path, &before.root.cid)?
        {
            return Ok(None);
        }
        for root in self.wish.under_way {
            if let Some(cid) = content::at(self.store, *root, path)?
                && self.has(entry, path, &cid)?
            {
                return Ok(None);
            }
        }
        let new = "is here, and another in the root";
        Ok(Some(if entry.before.is_some() { "was changed here" } else { new }))
    }

    /// What the root does not have.
    fn surplus(&mut self, folder: &Path, entry: &Entry) -> Outcome {
        let path = folder.join(name_of(&entry.name));
        if !self.wish.under_way.is_empty() && is_part(&entry.name) {
            // Before the name is used again.
            self.removal(Removal { path, stamp: Some(entry.stamp) }, true);
            return Ok(());
        }
        if !self.wish.delete {
            return Ok(());
        }
        match entry.what {
            What::Folder(local) => self.remove_all(&path, local, false),
            What::File | What::Symlink => self.remove(path, entry, false),
        }
    }

    fn remove(&mut self, path: PathBuf, entry: &Entry, in_the_way: bool) -> Outcome {
        // What was never synced is what --delete speaks of; what was, and was changed, is an edit.
        if (entry.before.is_some() || in_the_way)
            && let Some(why) = self.edited(&path, entry)?
        {
            self.arrival.edits.push((path, why));
            return Ok(());
        }
        self.arrival.removed.push(path.clone());
        self.removal(Removal { path, stamp: Some(entry.stamp) }, in_the_way);
        Ok(())
    }

    fn removal(&mut self, removal: Removal, in_the_way: bool) {
        let Arrival { in_the_way: before, surplus: after, .. } = &mut self.arrival;
        if in_the_way { before.push(removal) } else { after.push(removal) }
    }

    /// A folder with all below it: files first, then the folders, those below first.
    fn remove_all(&mut self, path: &Path, local: usize, in_the_way: bool) -> Outcome {
        let mut folders = vec![(path.to_path_buf(), local)];
        let mut next = 0;
        while let Some((path, local)) = folders.get(next).cloned() {
            next += 1;
            for entry in &self.tree.folders[local].entries {
                let below = path.join(name_of(&entry.name));
                match entry.what {
                    What::Folder(local) => folders.push((below, local)),
                    What::File | What::Symlink => self.remove(below, entry, in_the_way)?,
                }
            }
        }
        for (path, _) in folders.into_iter().rev() {
            self.removal(Removal { path, stamp: None }, in_the_way);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::walk;
    use carpool_store::MemoryStore;
    use carpool_unixfs::{DirectoryBuilder, Options};

    /// A folder of so many folders, each of them the same.
    fn folder(store: &MemoryStore, of: Option<Cid>, entries: usize) -> Cid {
        let mut builder = DirectoryBuilder::new(&Options::default(), Metadata::NONE);
        for (cid, n) in of.into_iter().flat_map(|cid| (0..entries).map(move |n| (cid, n))) {
            builder.insert(n.to_string().as_bytes(), &cid, 1).unwrap();
        }
        let mut blocks = builder.finish().unwrap();
        store.put(&blocks.poll().unwrap()).unwrap();
        blocks.root().unwrap().cid
    }

    #[test]
    fn entries_at_the_limit_and_past_it() {
        let (store, dir) = (MemoryStore::default(), tempfile::tempdir().unwrap());
        let mut root = folder(&store, None, 0);
        for _ in 0..3 {
            root = folder(&store, Some(root), 4);
        }
        let all = 4 + 16 + 64;
        let ignore = Gitignore::empty();
        for (max_entries, fits) in [(all, true), (all - 1, false)] {
            let (delete, force, ignore) = (false, false, &ignore);
            let wish = Wish { root, delete, force, ignore, max_entries, under_way: &[] };
            let tree = walk(dir.path(), None, ignore);
            let planned = plan(&store, dir.path(), &tree, Stamp::default(), None, wish);
            assert_eq!(planned.is_ok(), fits, "{max_entries}");
        }
    }
}
