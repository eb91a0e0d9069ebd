//! Reads files and folders into a stream of events, in batches, on a thread of its own.

use carpool_unixfs::{Chunk, Chunker, Metadata, Mtime, Options};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    pieces::Pieces,
    selection::{Selection, identity},
    span::{Large, Span, Spans},
    spread::Spread,
};

/// Batches are sent on when they hold this many bytes,
const BATCH_BYTES: usize = 4 << 20;
/// or this many events.
const BATCH_EVENTS: usize = 2048;

/// One step through the tree.
#[derive(Debug)]
pub(crate) enum Event {
    BeginFile(Metadata),
    Chunk(Chunk, Metadata),
    /// Chunks of a large file that are still to be read.
    Span(Span),
    /// A large file has ended early: what comes of it behind this is left out.
    Short,
    EndFile(Vec<u8>),
    EndLarge(Vec<u8>, Arc<Large>),
    /// The file turned out to be unreadable: it is left out.
    DropFile,
    BeginFolder(Metadata),
    /// Name, and whether there was anything in it to be taken.
    EndFolder(Vec<u8>, bool),
    Symlink(Vec<u8>, Vec<u8>, Metadata),
    /// Something was left out or is not as it should be.
    Problem(Problem),
    HiddenSkipped,
}

/// A path that could not be taken as it is.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) what: String,
}

/// The reader of one import.
pub(crate) struct Scanner<'a> {
    selection: &'a Selection,
    options: &'a Options,
    to: Spread,
    pieces: Pieces,
    spans: Spans,
    batch: Vec<Event>,
    batch_bytes: usize,
    /// Folders that are being read, each below the one before.
    open: Vec<Folder>,
    gone: bool,
    /// The argument that is being read: patterns speak of paths below it.
    root: PathBuf,
}

/// A folder that is being read.
struct Folder {
    path: PathBuf,
    name: Vec<u8>,
    names: std::vec::IntoIter<OsString>,
    /// Device and file number: links that lead back to a folder above are no trees.
    id: (u64, u64),
    empty: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(
        selection: &'a Selection,
        options: &'a Options,
        to: Spread,
        kept: bool,
    ) -> Self {
        let (batch, open) = (Vec::new(), Vec::new());
        let chunking = options.chunking();
        let (pieces, root) = (Pieces::new(whole_piece(chunking.longest())), PathBuf::new());
        let spans = Spans::new(chunking, kept);
        let (batch_bytes, gone) = (0, false);
        Self { selection, options, to, pieces, spans, batch, batch_bytes, open, gone, root }
    }

    /// Reads one argument, which is called `name`.
    pub(crate) fn argument(&mut self, path: &Path, name: &OsStr) {
        self.root = path.to_path_buf();
        self.entry(path, name);
        self.folders();
    }

    /// Sends what is left.
    pub(crate) fn finish(mut self) {
        self.send();
    }

    fn emit(&mut self, event: Event, bytes: usize) {
        self.batch.push(event);
        self.batch_bytes += bytes;
        if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_EVENTS {
            self.send();
        }
    }

    fn send(&mut self) {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.gone |= !self.to.send(batch);
    }

    fn problem(&mut self, path: &Path, what: impl std::fmt::Display) {
        let problem = Problem { path: path.to_path_buf(), what: what.to_string() };
        self.emit(Event::Problem(problem), 0);
    }

    fn entry(&mut self, path: &Path, name: &OsStr) {
        let Some(name) = name.to_str().map(|name| name.as_bytes().to_vec()) else {
            return self.problem(path, "skipped: its name is not UTF-8");
        };
        match self.selection.look(path) {
            Err(error) => self.problem(path, format_args!("skipped: {error}")),
            Ok(found) if found.is_dir() => self.folder(path, name, &found),
            Ok(found) if self.selection.excludes(&found) => {}
            Ok(found) if found.is_file() => self.file(path, name),
            Ok(found) if found.is_symlink() => self.symlink(path, name, &found),
            Ok(_) => self.problem(path, "skipped: neither a file, a folder nor a symbolic link"),
        }
    }

    fn folder(&mut self, path: &Path, name: Vec<u8>, found: &fs::Metadata) {
        let id = identity(found);
        if self.open.iter().any(|folder| folder.id == id) {
            let what = "skipped: a symbolic link that leads back to a folder above";
            return self.problem(path, what);
        }
        match sorted_names(path) {
            Err(error) => self.problem(path, format_args!("skipped: {error}")),
            Ok(names) => {
                let (path, names) = (path.to_path_buf(), names.into_iter());
                self.open.push(Folder { path, name, names, id, empty: true });
                self.emit(Event::BeginFolder(self.metadata(found)), 0);
            }
        }
    }

    /// Reads the folders that are open to their ends. They wait on a list and not on the call
    /// stack, which deep trees exhaust.
    fn folders(&mut self) {
        while let Some(folder) = self.open.last_mut()
            && !self.gone
        {
            let Some(name) = folder.names.next() else {
                let folder = self.open.pop().expect("it is the last");
                self.emit(Event::EndFolder(folder.name, folder.empty), 0);
                continue;
            };
            let below = folder.path.join(&name);
            if !self.is_left_out(&below, &name) {
                self.open.last_mut().expect("it is the last").empty = false;
                self.entry(&below, &name);
            }
        }
    }

    fn is_left_out(&mut self, path: &Path, name: &OsStr) -> bool {
        if self.selection.hides(name) {
            self.emit(Event::HiddenSkipped, 0);
            return true;
        }
        self.selection.ignores(&self.root, path)
    }

    fn symlink(&mut self, path: &Path, name: Vec<u8>, found: &fs::Metadata) {
        match fs::read_link(path) {
            Err(error) => self.problem(path, format_args!("skipped: {error}")),
            Ok(target) => {
                let target = target.into_os_string().into_encoded_bytes();
                self.emit(Event::Symlink(name, target, self.metadata(found)), 0);
            }
        }
    }

    fn file(&mut self, path: &Path, name: Vec<u8>) {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (before, mut file) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.problem(path, format_args!("skipped: {error}")),
        };
        let metadata = self.metadata(&before);
        self.emit(Event::BeginFile(metadata), 0);
        if self.spans.suit(&before) {
            let path = path.to_path_buf();
            return self.large(name, Large { file, path, before, metadata });
        }
        match self.chunks(&mut file, before.len(), metadata) {
            Err(error) => {
                self.emit(Event::DropFile, 0);
                self.problem(path, format_args!("skipped: {error}"));
            }
            Ok(read) => {
                self.emit(Event::EndFile(name), 0);
                if changed(&before, file.metadata().ok().as_ref(), read) {
                    self.problem(path, "changed while it was read");
                }
            }
        }
    }

    /// Leaves the reading to those who hash.
    fn large(&mut self, name: Vec<u8>, large: Large) {
        let large = Arc::new(large);
        for (n, span) in (1..).zip(self.spans.of(&large)) {
            self.emit(Event::Span(span), 0);
            if n % self.spans.at_once() == 0 {
                self.send();
            }
            if self.gone {
                return;
            }
        }
        self.emit(Event::EndLarge(name, large), 0);
    }

    /// Sends a file's chunks; returns how many bytes it had.
    fn chunks(&mut self, file: &mut File, len: u64, metadata: Metadata) -> std::io::Result<u64> {
        let mut chunker = Chunker::new(self.options);
        let mut read = 0;
        let chunk = self.options.chunking().longest();
        while !self.gone {
            let expected = len.checked_sub(read).unwrap_or(u64::MAX - 1);
            let asked = piece_bytes(chunk, expected);
            let piece = self.pieces.read(file, asked)?;
            let ended = piece.len() < asked;
            read += piece.len() as u64;
            chunker.handle_data(piece);
            while let Some(chunk) = chunker.poll() {
                let bytes = chunk.data.len();
                self.emit(Event::Chunk(chunk, metadata), bytes);
            }
            if ended {
                break;
            }
        }
        chunker.handle_end();
        while let Some(chunk) = chunker.poll() {
            let bytes = chunk.data.len();
            self.emit(Event::Chunk(chunk, metadata), bytes);
        }
        Ok(read)
    }

    fn metadata(&self, found: &fs::Metadata) -> Metadata {
        Metadata {
            mode: self.selection.mode.then(|| mode(found)),
            mtime: if self.selection.mtime { mtime(found) } else { None },
        }
    }
}

/// Whole chunks at a time, so that each is a slice; near the end of a file no more than it should
/// have, and a byte to see the end.
fn piece_bytes(chunk: usize, expected: u64) -> usize {
    let whole = whole_piece(chunk);
    usize::try_from(expected + 1).map_or(whole, |expected| whole.min(expected))
}

/// As many chunks as make about a megabyte.
fn whole_piece(chunk: usize) -> usize {
    const ABOUT: usize = 1 << 20;
    chunk * (ABOUT / chunk).max(1)
}

/// An argument's last component, also of `.` and `..`.
pub(super) fn argument_name(path: &Path) -> OsString {
    let resolved = path.canonicalize();
    let named = path.file_name().or_else(|| resolved.as_ref().ok()?.file_name());
    named.map_or_else(|| OsString::from("root"), OsStr::to_os_string)
}

pub(super) fn sorted_names(path: &Path) -> std::io::Result<Vec<OsString>> {
    let names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

pub(super) fn changed(before: &fs::Metadata, after: Option<&fs::Metadata>, read: u64) -> bool {
    let Some(after) = after else { return true };
    let same_time = before.modified().ok() == after.modified().ok();
    !(same_time && before.len() == read && after.len() == read)
}

#[cfg(unix)]
pub(crate) fn mode(found: &fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    found.mode() & 0o7777
}

#[cfg(not(unix))]
pub(crate) fn mode(found: &fs::Metadata) -> u32 {
    if found.permissions().readonly() { 0o444 } else { 0o644 }
}

pub(crate) fn mtime(found: &fs::Metadata) -> Option<Mtime> {
    let time = found.modified().ok()?;
    match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => Mtime::new(i64::try_from(after.as_secs()).ok()?, after.subsec_nanos()).ok(),
        Err(before) => {
            let before = before.duration();
            let (mut seconds, mut nanos) = (-i64::try_from(before.as_secs()).ok()?, 0);
            if before.subsec_nanos() > 0 {
                seconds -= 1;
                nanos = 1_000_000_000 - before.subsec_nanos();
            }
            Mtime::new(seconds, nanos).ok()
        }
    }
}
