//! Looks at every file of a folder, on all cores, beside what is remembered of it.

use carpool_unixfs::Root;
use ignore::gitignore::Gitignore;
use std::{
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, available_parallelism},
};

use super::{
    memory::Memory,
    record::{self, Kind, Saved},
    stamp::Stamp,
};
use crate::files::Problem;

/// Threads that look; more wait for each other.
const MAX_WORKERS: usize = 8;

/// A folder with all that is below it. The first of `folders` is the one that was asked for, and each
/// stands behind the one that it is in.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) folders: Vec<Folder>,
    pub(crate) problems: Vec<Problem>,
}

/// A folder as it lies there.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Sorted by name.
    pub(crate) entries: Vec<Entry>,
    /// Whether what is remembered has the same names.
    pub(crate) same_names: bool,
    /// Whether there was nothing in it to be taken, not even what could not be.
    pub(crate) empty: bool,
    pub(crate) unreadable: bool,
}

/// What lies in a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) what: What,
    pub(crate) stamp: Stamp,
    /// What is remembered of it.
    pub(crate) before: Option<Before>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    File,
    Symlink,
    /// The place of the folder in its tree.
    Folder(usize),
}

impl What {
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::File => Kind::File,
            Self::Symlink => Kind::Symlink,
            Self::Folder(_) => Kind::Folder,
        }
    }
}

/// What is remembered of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    pub(crate) root: Root,
    pub(crate) kind: Kind,
    /// Nothing shows that it changed since.
    pub(crate) same: bool,
    pub(crate) foreign: bool,
    pub(crate) partial: bool,
    pub(crate) stamp: Stamp,
}

impl Before {
    pub(super) fn of(saved: &Saved<'_>, kind: Kind, stamp: &Stamp) -> Self {
        let same = !saved.unsure && saved.kind == kind && saved.stamp == *stamp;
        let Saved { root, kind, foreign, partial, stamp, .. } = *saved;
        Self { root, kind, same, foreign, partial, stamp }
    }
}

/// Looks at the folder at `path`, whose entry `memory` has as its top. What `ignore` matches is left
/// out, as if it were not there.
pub(crate) fn walk(path: &Path, memory: Option<&Memory>, ignore: &Gitignore) -> Tree {
    let top = memory.and_then(Memory::top).map(|top| top.below);
    let walk = Walk {
        root: path,
        records: memory.map_or(&[][..], Memory::records),
        ignore,
        shared: Mutex::new(Shared {
            waiting: vec![Job { at: 0, path: path.to_path_buf(), below: top }],
            open: 1,
            folders: vec![Folder::default()],
            problems: Vec::new(),
        }),
        more: Condvar::new(),
    };
    let workers = available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| walk.work());
        }
        walk.work();
    });
    let shared = walk.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    Tree { folders: shared.folders, problems: shared.problems }
}

struct Walk<'a> {
    root: &'a Path,
    records: &'a [u8],
    ignore: &'a Gitignore,
    shared: Mutex<Shared>,
    more: Condvar,
}

struct Shared {
    waiting: Vec<Job>,
    /// Jobs that wait or are being done.
    open: usize,
    folders: Vec<Folder>,
    problems: Vec<Problem>,
}

/// A folder that is to be looked at.
struct Job {
    at: usize,
    path: PathBuf,
    /// The place of its record.
    below: Option<u64>,
}

/// What a look into a folder came to.
struct Looked {
    folder: Folder,
    /// Places among the entries, and records, of the folders in it.
    folders: Vec<(usize, Option<u64>)>,
    problems: Vec<Problem>,
}

impl Looked {
    fn unreadable(path: PathBuf, error: &io::Error) -> Self {
        let problems = vec![skipped(&path, error)];
        let folder = Folder { path, unreadable: true, ..Folder::default() };
        Self { folder, folders: Vec::new(), problems }
    }
}

impl Walk<'_> {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut shared = self.shared();
        loop {
            if let Some(job) = shared.waiting.pop() {
                drop(shared);
                let at = job.at;
                let looked = self.look(job);
                shared = self.shared();
                self.done(&mut shared, at, looked);
            } else if shared.open == 0 {
                self.more.notify_all();
                return;
            } else {
                shared = self.more.wait(shared).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn done(&self, shared: &mut Shared, at: usize, mut looked: Looked) {
        for (entry, below) in looked.folders {
            let next = shared.folders.len();
            shared.folders.push(Folder::default());
            let entry = &mut looked.folder.entries[entry];
            entry.what = What::Folder(next);
            let path = looked.folder.path.join(name_of(&entry.name));
            shared.waiting.push(Job { at: next, path, below });
            shared.open += 1;
            self.more.notify_one();
        }
        shared.folders[at] = looked.folder;
        shared.problems.append(&mut looked.problems);
        shared.open -= 1;
    }

    fn look(&self, job: Job) -> Looked {
        let mut problems = Vec::new();
        let names = match self.names(&job.path, &mut problems) {
            Ok(names) => names,
            Err(error) => return Looked::unreadable(job.path, &error),
        };
        let empty = names.is_empty() && problems.is_empty();
        let mut known = job.below.into_iter().flat_map(|at| record::read(self.records, at));
        let mut next = known.next();
        let (mut entries, mut folders) = (Vec::with_capacity(names.len()), Vec::new());
        let mut same_names = job.below.is_some();
        for (name, found) in names {
            while next.as_ref().is_some_and(|saved| saved.name < &name[..]) {
                next = known.next();
                same_names = false;
            }
            let saved = next.take_if(|saved| saved.name == &name[..]);
            if saved.is_some() {
                next = known.next();
            }
            same_names &= saved.is_some();
            match entry(&found, name, saved.as_ref()) {
                Ok(entry) => {
                    if entry.what.kind() == Kind::Folder {
                        let record = saved.filter(|saved| saved.kind == Kind::Folder);
                        folders.push((entries.len(), record.map(|saved| saved.below)));
                    }
                    entries.push(entry);
                }
                Err(what) => problems.push(skipped(&found.path(), what)),
            }
        }
        same_names &= next.is_none();
        let folder = Folder { path: job.path, entries, same_names, empty, unreadable: false };
        Looked { folder, folders, problems }
    }

    /// What lies in a folder and is to be taken, sorted by name.
    fn names(
        &self,
        path: &Path,
        problems: &mut Vec<Problem>,
    ) -> io::Result<Vec<(Vec<u8>, fs::DirEntry)>> {
        let mut names = Vec::new();
        for found in fs::read_dir(path)? {
            let found = found?;
            if self.ignores(&found) {
                continue;
            }
            match found.file_name().into_string() {
                Ok(name) => names.push((name.into_bytes(), found)),
                Err(_) => problems.push(skipped(&found.path(), "its name is not UTF-8")),
            }
        }
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    fn ignores(&self, found: &fs::DirEntry) -> bool {
        if self.ignore.is_empty() {
            return false;
        }
        let is_folder = found.file_type().is_ok_and(|kind| kind.is_dir());
        let path = found.path();
        self.ignore.matched(path.strip_prefix(self.root).unwrap_or(&path), is_folder).is_ignore()
    }
}

/// A name that was read, as the system has it.
pub(crate) fn name_of(name: &[u8]) -> &str {
    std::str::from_utf8(name).expect("names that are not UTF-8 are left out")
}

fn skipped(path: &Path, what: impl std::fmt::Display) -> Problem {
    Problem { path: path.to_path_buf(), what: format!("skipped: {what}") }
}

fn entry(found: &fs::DirEntry, name: Vec<u8>, saved: Option<&Saved<'_>>) -> Result<Entry, String> {
    let found = found.metadata().map_err(|error| error.to_string())?;
    let what = if found.is_file() {
        What::File
    } else if found.is_symlink() {
        What::Symlink
    } else if found.is_dir() {
        What::Folder(0)
    } else {
        return Err("neither a file, a folder nor a symbolic link".to_owned());
    };
    let stamp = Stamp::of(&found);
    let before = saved.map(|saved| Before::of(saved, what.kind(), &stamp));
    Ok(Entry { name, what, stamp, before })
}
