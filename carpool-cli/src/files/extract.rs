//! Writes a DAG's files and folders out, and nothing outside the target.
//!
//! Everything is made anew below a folder of our own next to the target, which is then renamed:
//! no existing folder or symbolic link is ever written through, an entry that exists already is
//! two entries of one name and an error, and a broken extraction leaves no half target.

use carpool_core::{Cid, Limits};
use carpool_store::BlockStore;
use carpool_unixfs::{List, Metadata, Node};
use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
    interrupt::{Leftover, remove},
};

/// What was written, up to now.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    pub(crate) files: AtomicU64,
    /// Of blocks those that hold bytes of files.
    pub(crate) blocks: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// Makes `target` the file or folder at `root`. Where it exists it is replaced if `force`, and
/// only once everything was written.
pub(crate) fn extract(
    store: &dyn BlockStore,
    root: Cid,
    target: &Path,
    force: bool,
    done: &Extracted,
) -> Outcome {
    check_target(target, force)?;
    let part = Leftover::new(beside(target, "part")?);
    remove(part.path()).map_err(|error| Failure::io(part.path().display(), &error))?;
    Writer { store, done, part: part.path(), target }.root(root)?;
    replace(part.path(), target, force)
}

fn check_target(target: &Path, force: bool) -> Outcome {
    let Ok(found) = target.symlink_metadata() else { return Ok(()) };
    let refused =
        |why: &str| Err(Failure::new(Exit::Refused, format_args!("{} {why}", target.display())));
    if !force {
        return refused("exists; --force replaces it");
    }
    if found.is_dir() || found.is_file() || found.is_symlink() {
        return Ok(());
    }
    refused("exists, and is no file, folder or link")
}

/// A name of our own next to the target: always the same, so that the next run finds what a
/// killed one left, and short, however long the target's is.
pub(crate) fn beside(target: &Path, suffix: &str) -> Outcome<PathBuf> {
    let name = target.file_name().ok_or_else(|| {
        let what = format_args!("{} cannot become a file or folder", target.display());
        Failure::new(Exit::Usage, what)
    })?;
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    Ok(target.with_file_name(format!(".carpool-{:016x}.{suffix}", hasher.finish())))
}

/// What was there goes only once the new thing is in its place.
fn replace(part: &Path, target: &Path, force: bool) -> Outcome {
    let failed = |error: io::Error| Failure::io(target.display(), &error);
    check_target(target, force)?;
    let old = beside(target, "old")?;
    remove(&old).map_err(failed)?;
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_dir());
    if target.symlink_metadata().is_err() || !(is_folder(part) || is_folder(target)) {
        return fs::rename(part, target).map_err(failed);
    }
    fs::rename(target, &old).map_err(failed)?;
    if let Err(error) = fs::rename(part, target) {
        let _ = fs::rename(&old, target);
        return Err(failed(error));
    }
    remove(&old).map_err(|error| Failure::io(old.display(), &error))
}

struct Writer<'a> {
    store: &'a dyn BlockStore,
    done: &'a Extracted,
    part: &'a Path,
    target: &'a Path,
}

/// A folder that is being written.
struct Open {
    path: PathBuf,
    entries: List,
    metadata: Metadata,
}

impl Writer<'_> {
    /// Folders wait on a list and not on the call stack, which a hostile DAG could exhaust.
    fn root(&self, root: Cid) -> Outcome {
        let mut open: Vec<Open> = self.write(root, self.part.to_path_buf())?.into_iter().collect();
        while let Some(folder) = open.last_mut() {
            match blocks::next_entry(self.store, &mut folder.entries)? {
                Some(entry) => {
                    let path = folder.path.join(entry_name(&entry.name)?);
                    open.extend(self.write(entry.cid, path)?);
                }
                None => {
                    let folder = open.pop().expect("the folder is the last");
                    self.finish(&folder.path, folder.metadata)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a file or link; a folder is made and given back to be filled.
    fn write(&self, cid: Cid, path: PathBuf) -> Outcome<Option<Open>> {
        match blocks::node(self.store, &cid)? {
            Node::Raw(_) => self.file(cid, &path, Metadata::NONE)?,
            Node::File(file) => self.file(cid, &path, file.metadata)?,
            Node::Symlink(link) => {
                make_link(&link.target, &path).map_err(|error| self.taken(&path, &error))?;
            }
            Node::Directory(folder) => return self.folder(cid, path, folder.metadata).map(Some),
            Node::Shard(shard) => return self.folder(cid, path, shard.metadata).map(Some),
        }
        Ok(None)
    }

    fn folder(&self, cid: Cid, path: PathBuf, metadata: Metadata) -> Outcome<Open> {
        fs::create_dir(&path).map_err(|error| self.taken(&path, &error))?;
        Ok(Open { path, entries: List::new(cid, &Limits::default()), metadata })
    }

    fn file(&self, cid: Cid, path: &Path, metadata: Metadata) -> Outcome {
        let mut file = File::create_new(path).map_err(|error| self.taken(path, &error))?;
        blocks::read_file(self.store, cid, |data| {
            self.done.blocks.fetch_add(1, Relaxed);
            self.done.bytes.fetch_add(data.len() as u64, Relaxed);
            file.write_all(data).map_err(|error| self.failed(path, &error))
        })?;
        self.done.files.fetch_add(1, Relaxed);
        drop(file);
        self.finish(path, metadata)
    }

    /// Puts mode and time of modification on what is otherwise done.
    fn finish(&self, path: &Path, metadata: Metadata) -> Outcome {
        if metadata == Metadata::NONE {
            return Ok(());
        }
        let stamped = File::open(path).and_then(|file| stamp(&file, metadata));
        stamped.map_err(|error| self.failed(path, &error))
    }

    /// Users know the target and not the folder of our own.
    fn shown(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.part) {
            Ok(below) if below.as_os_str().is_empty() => self.target.to_path_buf(),
            Ok(below) => self.target.join(below),
            Err(_) => path.to_path_buf(),
        }
    }

    fn failed(&self, path: &Path, error: &io::Error) -> Failure {
        Failure::io(self.shown(path).display(), error)
    }

    fn taken(&self, path: &Path, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let shown = self.shown(path);
            let what = format_args!("{}: two entries of one name", shown.display());
            return Failure::new(Exit::Damaged, what);
        }
        self.failed(path, error)
    }
}

/// The reader refuses names that lead anywhere; what only this system reads as more than one name
/// is refused here.
pub(crate) fn entry_name(name: &[u8]) -> Outcome<&str> {
    let wrong = || {
        let what = format_args!("the name \"{}\" cannot be written here", name.escape_ascii());
        Failure::new(Exit::Damaged, what)
    };
    let text = std::str::from_utf8(name).map_err(|_| wrong())?;
    let mut parts = Path::new(text).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == text => Ok(text),
        _ => Err(wrong()),
    }
}

#[cfg(unix)]
pub(crate) fn make_link(target: &[u8], path: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), path)
}

#[cfg(not(unix))]
pub(crate) fn make_link(_: &[u8], _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "symbolic links cannot be made here"))
}

/// Puts mode and time of modification on an open file or folder.
pub(crate) fn stamp(file: &File, metadata: Metadata) -> io::Result<()> {
    if let Some(time) = metadata.mtime.and_then(system_time) {
        file.set_times(fs::FileTimes::new().set_modified(time))?;
    }
    metadata.mode.map_or(Ok(()), |mode| set_mode(file, mode))
}

fn system_time(mtime: carpool_unixfs::Mtime) -> Option<std::time::SystemTime> {
    let nanos = std::time::Duration::from_nanos(mtime.nanos().into());
    let seconds = std::time::Duration::from_secs(mtime.seconds().unsigned_abs());
    let epoch = std::time::UNIX_EPOCH;
    let whole =
        if mtime.seconds() < 0 { epoch.checked_sub(seconds) } else { epoch.checked_add(seconds) };
    whole?.checked_add(nanos)
}

/// Set-user-id and set-group-id bits of a stranger's files are not set.
#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode & 0o1777))
}

#[cfg(not(unix))]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(mode & 0o200 == 0);
    file.set_permissions(permissions)
}
