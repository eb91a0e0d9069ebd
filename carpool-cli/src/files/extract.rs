//! Writes a DAG's files and folders out, and nothing outside the target.
//!
//! Everything is made anew below a folder of our own next to the target, which is then renamed:
//! no existing folder or symbolic link is ever written through, an entry that exists already is
//! two entries of one name and an error, and a broken extraction leaves no half target.

use carpool_core::{Cid, Limits};
use carpool_store::BlockStore;
use carpool_unixfs::{List, Metadata, Node};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
};

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extracted {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Makes `target` the file or folder at `root`. Where it exists it is replaced if `force`, and
/// only once everything was written.
pub(crate) fn extract(
    store: &dyn BlockStore,
    root: Cid,
    target: &Path,
    force: bool,
) -> Outcome<Extracted> {
    let exists = target.symlink_metadata().is_ok();
    if exists && !force {
        let what = format_args!("{} exists; --force replaces it", target.display());
        return Err(Failure::new(Exit::Refused, what));
    }
    let part = beside(target, "part")?;
    remove(&part)?;
    let extracted = Writer { store, done: Extracted::default() }.root(root, &part);
    if let Err(failure) = extracted {
        let _ = remove(&part);
        return Err(failure);
    }
    replace(&part, target, exists)?;
    extracted
}

/// A name of our own next to the target.
fn beside(target: &Path, suffix: &str) -> Outcome<PathBuf> {
    let name = target.file_name().ok_or_else(|| {
        let what = format_args!("{} cannot become a file or folder", target.display());
        Failure::new(Exit::Usage, what)
    })?;
    let mut own = OsString::from(".");
    own.push(name);
    own.push(format!(".carpool-{suffix}"));
    Ok(target.with_file_name(own))
}

fn remove(path: &Path) -> Outcome {
    let removed = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|error| Failure::io(path.display(), &error))
}

fn replace(part: &Path, target: &Path, exists: bool) -> Outcome {
    let failed = |error: io::Error| Failure::io(target.display(), &error);
    if !exists {
        return fs::rename(part, target).map_err(failed);
    }
    let old = beside(target, "old")?;
    remove(&old)?;
    fs::rename(target, &old).map_err(failed)?;
    fs::rename(part, target).map_err(failed)?;
    remove(&old)
}

struct Writer<'a> {
    store: &'a dyn BlockStore,
    done: Extracted,
}

/// A folder that is being written.
struct Open {
    path: PathBuf,
    entries: List,
    metadata: Metadata,
}

impl Writer<'_> {
    /// Folders wait on a list and not on the call stack, which a hostile DAG could exhaust.
    fn root(mut self, root: Cid, path: &Path) -> Outcome<Extracted> {
        let mut open: Vec<Open> = self.write(root, path.to_path_buf())?.into_iter().collect();
        while let Some(folder) = open.last_mut() {
            match blocks::next_entry(self.store, &mut folder.entries)? {
                Some(entry) => {
                    let path = folder.path.join(entry_name(&entry.name)?);
                    open.extend(self.write(entry.cid, path)?);
                }
                None => {
                    let folder = open.pop().expect("the folder is the last");
                    finish(&folder.path, folder.metadata)?;
                }
            }
        }
        Ok(self.done)
    }

    /// Writes a file or link; a folder is made and given back to be filled.
    fn write(&mut self, cid: Cid, path: PathBuf) -> Outcome<Option<Open>> {
        match blocks::node(self.store, &cid)? {
            Node::Raw(_) => self.file(cid, &path, Metadata::NONE)?,
            Node::File(file) => self.file(cid, &path, file.metadata)?,
            Node::Symlink(link) => symlink(&link.target, &path)?,
            Node::Directory(folder) => return self.folder(cid, path, folder.metadata).map(Some),
            Node::Shard(shard) => return self.folder(cid, path, shard.metadata).map(Some),
        }
        Ok(None)
    }

    fn folder(&self, cid: Cid, path: PathBuf, metadata: Metadata) -> Outcome<Open> {
        fs::create_dir(&path).map_err(|error| taken(&path, &error))?;
        Ok(Open { path, entries: List::new(cid, &Limits::default()), metadata })
    }

    fn file(&mut self, cid: Cid, path: &Path, metadata: Metadata) -> Outcome {
        let mut file = File::create_new(path).map_err(|error| taken(path, &error))?;
        let mut bytes = 0;
        blocks::read_file(self.store, cid, |data| {
            bytes += data.len() as u64;
            file.write_all(data).map_err(|error| Failure::io(path.display(), &error))
        })?;
        self.done.files += 1;
        self.done.bytes += bytes;
        drop(file);
        finish(path, metadata)
    }
}

/// Names that are no path of one part never come this far; names that this system cannot write do.
fn entry_name(name: &[u8]) -> Outcome<&str> {
    let text = std::str::from_utf8(name);
    text.map_err(|_| Failure::new(Exit::Damaged, format_args!("a name is not UTF-8: {name:?}")))
}

fn taken(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let what = format_args!("{}: two entries of one name", path.display());
        return Failure::new(Exit::Damaged, what);
    }
    Failure::io(path.display(), error)
}

#[cfg(unix)]
fn symlink(target: &[u8], path: &Path) -> Outcome {
    use std::os::unix::ffi::OsStrExt;
    let target = std::ffi::OsStr::from_bytes(target);
    std::os::unix::fs::symlink(target, path).map_err(|error| taken(path, &error))
}

#[cfg(not(unix))]
fn symlink(_: &[u8], path: &Path) -> Outcome {
    let what = format_args!("{}: symbolic links cannot be made here", path.display());
    Err(Failure::new(Exit::Io, what))
}

/// Puts mode and time of modification on what is otherwise done.
fn finish(path: &Path, metadata: Metadata) -> Outcome {
    let failed = |error: io::Error| Failure::io(path.display(), &error);
    if let Some(time) = metadata.mtime.and_then(system_time) {
        let file = File::open(path).map_err(failed)?;
        file.set_times(fs::FileTimes::new().set_modified(time)).map_err(failed)?;
    }
    metadata.mode.map_or(Ok(()), |mode| set_mode(path, mode).map_err(failed))
}

fn system_time(mtime: carpool_unixfs::Mtime) -> Option<std::time::SystemTime> {
    let nanos = std::time::Duration::from_nanos(mtime.nanos().into());
    let seconds = std::time::Duration::from_secs(mtime.seconds().unsigned_abs());
    let epoch = std::time::UNIX_EPOCH;
    let whole = if mtime.seconds() < 0 { epoch.checked_sub(seconds) } else { epoch.checked_add(seconds) };
    whole?.checked_add(nanos)
}

/// Set-user-id and set-group-id bits of a stranger's files are not set.
#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o1777))
}

#[cfg(not(unix))]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(mode & 0o200 == 0);
    fs::set_permissions(path, permissions)
}
