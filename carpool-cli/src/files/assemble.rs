//! Turns the events of a scan into blocks and roots: one thread reads, one a core hashes, and reads
//! large files, one builds, one writes.

use carpool_core::{Block, Cid, CidSet};
use carpool_store::BlockStore;
use carpool_unixfs::{Built, DirectoryBuilder, FileBuilder, Metadata, Options, Root, symlink};
use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{
    scan::{Event, Problem, Scanner, argument_name},
    selection::Selection,
    span::Large,
    spread::{Hash, Hashed, InOrder, spread},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    remote::random_seed,
};

/// Batches that wait between two threads.
const QUEUE: usize = 2;
/// What a block counts for beside its bytes, so that empty ones are batched too.
const BLOCK_OVERHEAD: usize = 128;
/// Blocks are handed to the writer in batches of about this many bytes.
const WRITE_BYTES: usize = 4 << 20;

/// Counters of an import that goes on.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) files: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) new_blocks: AtomicU64,
    pub(crate) new_bytes: AtomicU64,
    pub(crate) blocks: AtomicU64,
}

/// What an import made.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// Each argument's name and root, or the wrapping folder's alone.
    pub(crate) roots: Vec<(String, Root)>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) hidden_skipped: u64,
}

/// What an import is to do.
#[derive(Debug)]
pub(crate) struct Importer<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) options: &'a Options,
    pub(crate) empty_folders: bool,
    pub(crate) wrap: bool,
    pub(crate) tally: &'a Tally,
}

/// Imports `paths`, each under its last component's name; without a store nothing is kept but the
/// roots.
pub(crate) fn import(
    importer: &Importer<'_>,
    paths: &[PathBuf],
    store: Option<&dyn BlockStore>,
) -> Outcome<Imported> {
    import_as(importer, paths.iter().map(|path| (argument_name(path), path.clone())), store)
}

/// As [`import`], each under the name beside it.
pub(crate) fn import_as(
    importer: &Importer<'_>,
    paths: impl Iterator<Item = (OsString, PathBuf)> + Send,
    store: Option<&dyn BlockStore>,
) -> Outcome<Imported> {
    let (blocks_to, blocks) = sync_channel::<Vec<Block>>(QUEUE);
    thread::scope(|scope| {
        let kept = store.is_some();
        let (events_to, hashed) = spread(scope, importer.options, kept);
        scope.spawn(move || {
            let mut scanner = Scanner::new(importer.selection, importer.options, events_to, kept);
            paths.for_each(|(name, path)| scanner.argument(&path, &name));
            scanner.finish();
        });
        let writer = scope.spawn(move || write(&blocks, store, importer.tally));
        let blocks_to = kept.then_some(blocks_to);
        let assembled = assemble(importer, hashed, blocks_to);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.and(assembled)
    })
}

fn write(blocks: &Receiver<Vec<Block>>, store: Option<&dyn BlockStore>, tally: &Tally) -> Outcome {
    blocks.iter().try_for_each(|batch| put(&batch, store, tally))?;
    store.map_or(Ok(()), |store| Ok(store.flush()?))
}

/// Stores blocks, where there is a store, and counts them.
pub(crate) fn put(batch: &[Block], store: Option<&dyn BlockStore>, tally: &Tally) -> Outcome {
    tally.blocks.fetch_add(batch.len() as u64, Relaxed);
    let Some(store) = store else { return Ok(()) };
    let cids: Vec<Cid> = batch.iter().map(|block| *block.cid()).collect();
    let mut seen = CidSet::with_seed(random_seed());
    for (held, block) in store.has_many(&cids)?.into_iter().zip(batch) {
        if !held && seen.insert(block.cid()) {
            tally.new_blocks.fetch_add(1, Relaxed);
            tally.new_bytes.fetch_add(block.data().len() as u64, Relaxed);
        }
    }
    Ok(store.put_many(batch)?)
}

fn assemble(
    importer: &Importer<'_>,
    hashed: InOrder,
    blocks_to: Option<SyncSender<Vec<Block>>>,
) -> Outcome<Imported> {
    let mut assembly = Assembly {
        importer,
        folders: Vec::new(),
        file: None,
        short: false,
        imported: Imported::default(),
        out: Vec::new(),
        out_bytes: 0,
        blocks_to,
    };
    if importer.wrap {
        assembly.folders.push(DirectoryBuilder::new(importer.options, Metadata::NONE));
    }
    for batch in hashed {
        assembly.batch(batch)?;
    }
    assembly.finish()
}

struct Assembly<'a> {
    importer: &'a Importer<'a>,
    folders: Vec<DirectoryBuilder>,
    file: Option<FileBuilder>,
    /// The file has ended before its length said.
    short: bool,
    imported: Imported,
    out: Vec<Block>,
    out_bytes: usize,
    /// `None` where blocks are not stored.
    blocks_to: Option<SyncSender<Vec<Block>>>,
}

impl Assembly<'_> {
    fn batch(&mut self, Hashed { events, leaves }: Hashed) -> Outcome {
        let mut leaves = leaves.into_iter();
        events.into_iter().try_for_each(|event| self.event(event, &mut leaves))
    }

    fn event(&mut self, event: Event, leaves: &mut impl Iterator<Item = Hash>) -> Outcome {
        let options = self.importer.options;
        match event {
            Event::BeginFile(metadata) => {
                (self.file, self.short) = (Some(FileBuilder::new(options, metadata)), false);
            }
            Event::Chunk(..) => {
                let leaf = leaves.next().expect("a leaf was hashed for each chunk");
                self.leaf(leaf)?;
            }
            Event::Span(_) => unreachable!("spans are read before they come here"),
            Event::Short => self.short = true,
            Event::EndFile(name) => self.end_file(&name)?,
            Event::EndLarge(name, large) => self.end_large(&name, &large)?,
            Event::DropFile => self.file = None,
            Event::BeginFolder(metadata) => {
                self.folders.push(DirectoryBuilder::new(options, metadata));
            }
            Event::EndFolder(name, empty) => self.end_folder(&name, empty)?,
            Event::Symlink(name, target, metadata) => {
                let link = symlink(&target, &metadata, options);
                self.built(&name, link)?;
            }
            Event::Problem(problem) => self.imported.problems.push(problem),
            Event::HiddenSkipped => self.imported.hidden_skipped += 1,
        }
        Ok(())
    }

    fn leaf(&mut self, (leaf, block): Hash) -> Outcome {
        // Of a large file more may be on its way when it turns out that it ends, or fails, before.
        let Some(file) = self.file.as_mut().filter(|_| !self.short) else { return Ok(()) };
        self.importer.tally.bytes.fetch_add(leaf.size(), Relaxed);
        file.handle_link(&leaf);
        let node = file.poll();
        self.count_or_keep(block)?;
        node.map_or(Ok(()), |node| self.keep(node))
    }

    fn end_file(&mut self, name: &[u8]) -> Outcome {
        self.importer.tally.files.fetch_add(1, Relaxed);
        let file = self.file.take().expect("a file ends after it began");
        self.built(name, file.finish())
    }

    fn end_large(&mut self, name: &[u8], large: &Large) -> Outcome {
        if self.file.is_some() {
            self.end_file(name)?;
            self.imported.problems.extend(large.problem());
        }
        Ok(())
    }

    /// An empty folder that is to be left out is still the root where it is all there is. As in
    /// Kubo, a folder of empty folders is not empty.
    fn end_folder(&mut self, name: &[u8], empty: bool) -> Outcome {
        let folder = self.folders.pop().expect("a folder ends after it began");
        let inner = !self.folders.is_empty();
        if empty && inner && !self.importer.empty_folders {
            return Ok(());
        }
        let root = self.finish_folder(folder)?;
        self.place(name, root)
    }

    fn finish_folder(&mut self, folder: DirectoryBuilder) -> Outcome<Root> {
        let mut blocks = folder.finish()?;
        while let Some(block) = blocks.poll() {
            self.keep(block)?;
        }
        Ok(blocks.root().expect("all blocks were taken"))
    }

    fn built(&mut self, name: &[u8], built: Built) -> Outcome {
        built.blocks.into_iter().try_for_each(|block| self.keep(block))?;
        self.place(name, built.root)
    }

    /// Puts a finished thing into the folder around it, or among the roots.
    fn place(&mut self, name: &[u8], root: Root) -> Outcome {
        match self.folders.last_mut() {
            Some(folder) => Ok(folder.insert(name, &root.cid, root.tsize)?),
            None => {
                let name = String::from_utf8_lossy(name).into_owned();
                self.imported.roots.push((name, root));
                Ok(())
            }
        }
    }

    fn keep(&mut self, block: Block) -> Outcome {
        self.count_or_keep(self.blocks_to.is_some().then_some(block))
    }

    /// A block that is not there is one that is not stored.
    fn count_or_keep(&mut self, block: Option<Block>) -> Outcome {
        let Some(block) = block else {
            self.importer.tally.blocks.fetch_add(1, Relaxed);
            return Ok(());
        };
        self.out_bytes += block.data().len() + BLOCK_OVERHEAD;
        self.out.push(block);
        if self.out_bytes >= WRITE_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Outcome {
        self.out_bytes = 0;
        let batch = std::mem::take(&mut self.out);
        let Some(blocks_to) = &self.blocks_to else { return Ok(()) };
        // The writer has gone only after an error, which is the one to be told.
        let gone = |_| Failure::new(Exit::Io, "the store takes no more");
        blocks_to.send(batch).map_err(gone)
    }

    fn finish(mut self) -> Outcome<Imported> {
        if self.importer.wrap {
            let folder = self.folders.pop().expect("the wrapping folder is the last");
            let root = self.finish_folder(folder)?;
            self.imported.roots.push((String::new(), root));
        }
        self.send()?;
        Ok(self.imported)
    }
}
