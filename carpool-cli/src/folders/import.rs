//! Imports a folder of which something is remembered: what did not change is not read.

use carpool_core::{Block, Cid};
use carpool_store::BlockStore;
use carpool_unixfs::{DirectoryBuilder, Options, Root};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::SystemTime,
};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    memory::{Memory, Place},
    record::{Kind, Saved},
    stamp::Stamp,
    walk::{Before, Entry, Tree, What, walk},
};
use crate::{
    failure::Outcome,
    files::{Importer, Problem, Selection, import_as, put},
};

/// Of what is remembered so many roots are looked for in the store before it is believed.
const LOOKED_FOR: usize = 256;
/// Blocks of folders are stored in batches of about this many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// A folder to be imported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folder<'a> {
    /// Its path, as problems name it.
    pub(crate) dir: &'a Path,
    pub(crate) place: &'a Place,
    /// Whether all files are read, whatever is remembered.
    pub(crate) anew: bool,
}

/// What an import found.
#[derive(Debug)]
pub(crate) struct Found {
    /// `None` where the folder itself cannot be read.
    pub(crate) root: Option<Root>,
    pub(crate) problems: Vec<Problem>,
    /// Files and links that were not read.
    pub(crate) known: u64,
    /// What is to be remembered, where that is something else than before.
    pub(crate) memory: Option<Memory>,
}

/// Imports a folder; without a store nothing is kept but the root.
pub(crate) fn import_folder(
    importer: &Importer<'_>,
    folder: Folder<'_>,
    store: Option<&dyn BlockStore>,
) -> Outcome<Found> {
    let looked = SystemTime::now();
    let Ok(top) = folder.dir.symlink_metadata().map(|found| Stamp::of(&found)) else {
        return Ok(Found { root: None, problems: Vec::new(), known: 0, memory: None });
    };
    let settings = settings(importer.options, importer.selection, importer.empty_folders);
    let memory = folder
        .place
        .memory()
        .filter(|memory| memory.settings == settings && !memory.doubted && !folder.anew);
    let mut tree = walk(folder.dir, memory.as_ref(), &importer.selection.ignore);
    if !is_held(&tree, memory.as_ref(), store)? {
        tree = walk(folder.dir, None, &importer.selection.ignore);
    }
    let before = memory.as_ref().and_then(Memory::top);
    let mut making = Making::of(importer, store, &tree);
    let read = making.read(&tree)?;
    let root = making.fold(&mut tree, top, before.as_ref())?;
    let changed = read || making.rebuilt || tree.folders.iter().any(|folder| !folder.same_names);
    let memory = root
        .filter(|_| changed)
        .map(|root| making.remember(&tree, folder.place, settings, looked, (top, root)));
    tree.problems.append(&mut making.problems);
    Ok(Found { root, problems: tree.problems, known: making.known, memory })
}

/// What decides what becomes of files and folders, in short.
fn settings(options: &Options, selection: &Selection, empty_folders: bool) -> u128 {
    let Selection { dereference, mode, mtime, .. } = selection;
    let text = format!(
        "{:?} {} {} {} {} {} {} {:?} {dereference} {mode} {mtime} {empty_folders}",
        options.cid_version(),
        options.raw_leaves(),
        options.chunking(),
        options.max_file_links(),
        options.max_directory_links(),
        options.hamt_fanout(),
        options.hamt_threshold(),
        options.estimation(),
    );
    xxh3_128(text.as_bytes())
}

/// Whether the store has what is remembered: some of it, spread over the tree. A store says itself when
/// it loses blocks; this finds one that was put in another's place.
fn is_held(tree: &Tree, memory: Option<&Memory>, store: Option<&dyn BlockStore>) -> Outcome<bool> {
    let (Some(top), Some(store)) = (memory.and_then(Memory::top), store) else { return Ok(true) };
    let kept = || entries(tree).filter_map(|entry| entry.kept());
    let step = (kept().count() / LOOKED_FOR).max(1);
    let mut cids: Vec<Cid> = kept().step_by(step).map(|root| root.cid).collect();
    cids.push(top.root.cid);
    Ok(store.has_many(&cids)?.into_iter().all(|held| held))
}

fn entries(tree: &Tree) -> impl Iterator<Item = &Entry> {
    tree.folders.iter().flat_map(|folder| &folder.entries)
}

impl Entry {
    /// What it became the last time, where that is what it would become again.
    fn kept(&self) -> Option<Root> {
        let before = self.before.filter(|before| before.same && !before.foreign)?;
        (self.what.kind() != Kind::Folder).then_some(before.root)
    }
}

/// An import under way.
struct Making<'a> {
    importer: &'a Importer<'a>,
    store: Option<&'a dyn BlockStore>,
    /// Of each folder what its entries became, in their order.
    roots: Vec<Vec<Option<Root>>>,
    known: u64,
    rebuilt: bool,
    problems: Vec<Problem>,
    batch: Vec<Block>,
    batch_bytes: usize,
}

impl<'a> Making<'a> {
    fn of(importer: &'a Importer<'a>, store: Option<&'a dyn BlockStore>, tree: &Tree) -> Self {
        let roots: Vec<Vec<_>> = tree
            .folders
            .iter()
            .map(|folder| folder.entries.iter().map(Entry::kept).collect())
            .collect();
        let known = roots.iter().flatten().flatten().count() as u64;
        let (problems, batch) = (Vec::new(), Vec::new());
        Self { importer, store, roots, known, rebuilt: false, problems, batch, batch_bytes: 0 }
    }

    /// Reads what is new or has changed; returns whether there was any.
    fn read(&mut self, tree: &Tree) -> Outcome<bool> {
        let mut places = Vec::new();
        for (at, folder) in tree.folders.iter().enumerate() {
            for (n, entry) in folder.entries.iter().enumerate() {
                let known = self.roots[at][n].is_some() || entry.what.kind() == Kind::Folder;
                places.extend((!known).then_some((at, n)));
            }
        }
        if places.is_empty() {
            return Ok(false);
        }
        // Each goes by its number, by which it is known again.
        let paths = places.iter().enumerate().map(|(number, (at, n))| {
            let folder = &tree.folders[*at];
            (OsString::from(number.to_string()), folder.below(*n))
        });
        let imported = import_as(self.importer, paths, self.store)?;
        for (number, root) in imported.roots {
            let (at, n) = places[number.parse::<usize>().expect("it is a number")];
            self.roots[at][n] = Some(root);
        }
        self.problems = imported.problems;
        Ok(true)
    }

    /// Makes the folders that changed, those below first; returns what the topmost became.
    fn fold(
        &mut self,
        tree: &mut Tree,
        top: Stamp,
        saved: Option<&Saved<'_>>,
    ) -> Outcome<Option<Root>> {
        let before = saved.map(|saved| Before::of(saved, Kind::Folder, &top));
        let mut places = vec![None; tree.folders.len()];
        for (at, folder) in tree.folders.iter().enumerate() {
            for (n, entry) in folder.entries.iter().enumerate() {
                if let What::Folder(below) = entry.what {
                    places[below] = Some((at, n));
                }
            }
        }
        for at in (1..tree.folders.len()).rev() {
            let (above, n) = places[at].expect("each folder is in another");
            let entry = &tree.folders[above].entries[n];
            let (stamp, before) = (entry.stamp, entry.before);
            self.roots[above][n] = self.folder(tree, at, stamp, before)?;
        }
        let root = self.folder(tree, 0, top, before)?;
        self.store_batch()?;
        if let Some(store) = self.store.filter(|_| self.rebuilt) {
            store.flush()?;
        }
        Ok(root)
    }

    fn folder(
        &mut self,
        tree: &Tree,
        at: usize,
        stamp: Stamp,
        before: Option<Before>,
    ) -> Outcome<Option<Root>> {
        let folder = &tree.folders[at];
        let left_out = folder.empty && at > 0 && !self.importer.empty_folders;
        if folder.unreadable || left_out {
            return Ok(None);
        }
        let metadata = stamp.metadata(self.importer.selection);
        if let Some(before) = before
            && before.kind == Kind::Folder
            && !before.foreign
            && folder.same_names
            && before.stamp.metadata(self.importer.selection) == metadata
            && self.same_entries(tree, at)
        {
            return Ok(Some(before.root));
        }
        self.rebuilt = true;
        let mut builder = DirectoryBuilder::new(self.importer.options, metadata);
        for (entry, root) in folder.entries.iter().zip(&self.roots[at]) {
            if let Some(root) = root {
                builder.insert(&entry.name, &root.cid, root.tsize)?;
            }
        }
        let mut blocks = builder.finish()?;
        while let Some(block) = blocks.poll() {
            self.keep(block)?;
        }
        Ok(blocks.root())
    }

    fn same_entries(&self, tree: &Tree, at: usize) -> bool {
        let entries = tree.folders[at].entries.iter().zip(&self.roots[at]);
        entries
            .into_iter()
            .all(|(entry, root)| entry.before.is_some_and(|before| Some(before.root) == *root))
    }

    fn keep(&mut self, block: Block) -> Outcome {
        self.batch_bytes += block.data().len();
        self.batch.push(block);
        if self.batch_bytes >= BATCH_BYTES { self.store_batch() } else { Ok(()) }
    }

    fn store_batch(&mut self) -> Outcome {
        self.batch_bytes = 0;
        put(&std::mem::take(&mut self.batch), self.store, self.importer.tally)
    }

    /// All that is known now.
    fn remember(
        &self,
        tree: &Tree,
        place: &Place,
        settings: u128,
        looked: SystemTime,
        (stamp, root): (Stamp, Root),
    ) -> Memory {
        let mut builder = place.begin(settings);
        let mut records = vec![0; tree.folders.len()];
        for (at, folder) in tree.folders.iter().enumerate().rev() {
            let entries = folder
                .entries
                .iter()
                .zip(&self.roots[at])
                .filter_map(|(entry, root)| Some(saved(entry, (*root)?, looked, &records)));
            let record = builder.record(entries);
            records[at] = record;
        }
        let (name, kind) = (&b""[..], Kind::Folder);
        let (unsure, foreign, partial, below) = (false, false, false, records[0]);
        builder.end(&Saved { name, kind, stamp, root, unsure, foreign, partial, below })
    }
}

fn saved<'a>(entry: &'a Entry, root: Root, looked: SystemTime, records: &[u64]) -> Saved<'a> {
    let Entry { name, what, stamp, .. } = entry;
    let below = if let What::Folder(below) = what { records[*below] } else { 0 };
    // What was believed a moment ago is believed still.
    let unsure = entry.kept().is_none() && stamp.is_racy(looked);
    let (kind, stamp) = (what.kind(), *stamp);
    Saved { name, kind, stamp, root, unsure, foreign: false, partial: false, below }
}

impl super::walk::Folder {
    /// The path of an entry.
    pub(super) fn below(&self, n: usize) -> PathBuf {
        self.path.join(super::walk::name_of(&self.entries[n].name))
    }
}
