//! Brings a folder to a root, as planned.
//!
//! A file is written beside its place, under a name of our own, and takes its place in one step once
//! its bytes are on the disk: whatever happens there is the old file or the new one. Bytes are sent to
//! the disk for many files at once. What is not as it was when the plan was made is left alone, and
//! ends the run.

use carpool_core::Cid;
use carpool_store::BlockStore;
use carpool_unixfs::{Metadata, Mtime, Root};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering::Relaxed,
    time::SystemTime,
};

use super::{
    arrival::{Act, Arrival, Removal},
    memory::{Memory, Place},
    record::{Kind, Saved},
    stamp::Stamp,
};
use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{Extracted, beside, make_link, stamp},
    interrupt::{Leftover, remove},
};

/// Files that wait to take their places, at most,
const WAITING: usize = 512;
/// and their bytes, about.
const WAITING_BYTES: u64 = 64 << 20;

/// Does what is planned for the folder at `dir`. Afterwards the plan's stamps are what lies there.
pub(crate) fn arrive(
    store: &dyn BlockStore,
    dir: &Path,
    plan: &mut Arrival,
    done: &Extracted,
) -> Outcome {
    let (waiting, opened) = (Vec::new(), Vec::new());
    let mut hand = Hand { store, dir, done, waiting, bytes: 0, opened, wrote: false };
    hand.wrote = !plan.in_the_way.is_empty() || !plan.surplus.is_empty();
    plan.in_the_way.iter().try_for_each(|removal| hand.remove(removal))?;
    for at in 0..plan.folders.len() {
        hand.folder(plan, at)?;
    }
    hand.place(plan)?;
    plan.surplus.iter().try_for_each(|removal| hand.remove(removal))?;
    hand.finish(plan)
}

/// A file or link that is written and not in its place.
struct Waiting {
    part: Leftover,
    /// Its place among all.
    at: (usize, usize),
    path: PathBuf,
}

struct Hand<'a> {
    store: &'a dyn BlockStore,
    dir: &'a Path,
    done: &'a Extracted,
    waiting: Vec<Waiting>,
    bytes: u64,
    /// Folders that did not let themselves be written to, and their modes.
    opened: Vec<(usize, u32)>,
    /// Whether anything is other than it was.
    wrote: bool,
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::io(path.display(), error)
}

fn moved(path: &Path) -> Failure {
    let what = format_args!("{} changed while it was synced; run it again", path.display());
    Failure::new(Exit::Incomplete, what)
}

/// What lies at a path; `None` where nothing does.
fn look(path: &Path) -> Outcome<Option<fs::Metadata>> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Refuses to go on where something else lies than was seen. A folder is only told from what is none.
fn check(path: &Path, seen: Option<Stamp>) -> Outcome {
    match (look(path)?, seen) {
        (None, None) => Ok(()),
        (Some(found), Some(seen)) if Stamp::of(&found) == seen => Ok(()),
        _ => Err(moved(path)),
    }
}

/// A link in place of a folder would lead elsewhere.
fn check_folder(path: &Path) -> Outcome {
    if look(path)?.is_some_and(|found| found.is_dir()) { Ok(()) } else { Err(moved(path)) }
}

impl Hand<'_> {
    fn remove(&self, removal: &Removal) -> Outcome {
        let path = self.dir.join(&removal.path);
        if let Some(parent) = path.parent() {
            check_folder(parent)?;
        }
        if removal.stamp.is_some() {
            check(&path, removal.stamp)?;
            return fs::remove_file(&path).map_err(|error| failed(&path, &error));
        }
        match fs::remove_dir(&path) {
            // What was left out of the sync lies in it still.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            done => done.map_err(|error| failed(&path, &error)),
        }
    }

    /// Makes a folder, and writes what is to be new in it; folders in it come later.
    fn folder(&mut self, plan: &Arrival, at: usize) -> Outcome {
        let wanted = &plan.folders[at];
        let path = self.dir.join(&wanted.path);
        if wanted.untouched {
            return Ok(());
        }
        if wanted.stamp.is_none() {
            check(&path, wanted.over)?;
            if wanted.over.is_some() {
                fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
            }
            fs::create_dir(&path).map_err(|error| failed(&path, &error))?;
            self.wrote = true;
        }
        check_folder(&path)?;
        let works = wanted.entries.iter().any(|item| {
            let new = matches!(item.act, Act::Folder(below) if plan.folders[below].stamp.is_none());
            new || !matches!(item.act, Act::Keep | Act::Folder(_))
        });
        if works {
            self.open_up(at, &path, wanted.stamp)?;
        }
        for n in 0..wanted.entries.len() {
            self.item(plan, (at, n), &path)?;
        }
        Ok(())
    }

    /// Folders that keep others from writing keep us from it too.
    fn open_up(&mut self, at: usize, path: &Path, seen: Option<Stamp>) -> Outcome {
        let Some(mode) = seen.map(|seen| seen.mode).filter(|mode| mode & 0o300 != 0o300) else {
            return Ok(());
        };
        self.opened.push((at, mode));
        let opened = Metadata { mode: Some(mode | 0o700), mtime: None };
        let file = File::open(path).and_then(|file| stamp(&file, opened));
        file.map_err(|error| failed(path, &error))
    }

    fn item(&mut self, plan: &Arrival, at: (usize, usize), folder: &Path) -> Outcome {
        let item = &plan.folders[at.0].entries[at.1];
        if matches!(item.act, Act::Keep | Act::Folder(_)) {
            return Ok(());
        }
        let path = folder.join(super::walk::name_of(&item.name));
        match &item.act {
            Act::Stamp(metadata) => {
                check(&path, item.stamp)?;
                let stamped = File::open(&path).and_then(|file| stamp(&file, *metadata));
                stamped.map_err(|error| failed(&path, &error))
            }
            Act::Write(metadata) => self.write(plan, at, path, &item.root.cid, *metadata),
            Act::Link(target, metadata) => {
                let part = part(&path)?;
                let made = make_link(target, part.path());
                made.map_err(|error| failed(&path, &error))?;
                set_link_time(part.path(), metadata.mtime);
                self.wait(plan, Waiting { part, at, path }, 0)
            }
            Act::Keep | Act::Folder(_) => Ok(()),
        }
    }

    fn write(
        &mut self,
        plan: &Arrival,
        at: (usize, usize),
        path: PathBuf,
        cid: &Cid,
        metadata: Metadata,
    ) -> Outcome {
        let part = part(&path)?;
        let failed = |error: io::Error| failed(&path, &error);
        let mut file = File::create_new(part.path()).map_err(failed)?;
        let mut bytes = 0;
        blocks::read_file(self.store, *cid, |data| {
            bytes += data.len() as u64;
            self.done.blocks.fetch_add(1, Relaxed);
            self.done.bytes.fetch_add(data.len() as u64, Relaxed);
            file.write_all(data).map_err(failed)
        })?;
        self.done.files.fetch_add(1, Relaxed);
        // A file that is replaced keeps its mode, unless the root says another.
        let seen = plan.folders[at.0].entries[at.1].mode;
        let mode = metadata.mode.or_else(|| seen.map(|mode| mode & 0o777));
        stamp(&file, Metadata { mode, ..metadata }).map_err(failed)?;
        sync_file(&file).map_err(failed)?;
        drop(file);
        self.wait(plan, Waiting { part, at, path }, bytes)
    }

    fn wait(&mut self, plan: &Arrival, waiting: Waiting, bytes: u64) -> Outcome {
        self.waiting.push(waiting);
        self.bytes += bytes;
        let full = self.waiting.len() >= WAITING || self.bytes >= WAITING_BYTES;
        if full { self.place(plan) } else { Ok(()) }
    }

    /// Sends all that waits to the disk, and puts it in its place.
    fn place(&mut self, plan: &Arrival) -> Outcome {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        self.wrote = true;
        sync_all(self.dir).map_err(|error| failed(self.dir, &error))?;
        for Waiting { part, at: (folder, n), path } in waiting {
            check_folder(path.parent().expect("it is in a folder"))?;
            check(&path, plan.folders[folder].entries[n].stamp)?;
            fs::rename(part.path(), &path).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }

    /// Puts modes and times on folders, those below first, and looks at all that is new.
    fn finish(&mut self, plan: &mut Arrival) -> Outcome {
        for at in (0..plan.folders.len()).rev() {
            let wanted = &mut plan.folders[at];
            if wanted.untouched {
                continue;
            }
            let path = self.dir.join(&wanted.path);
            check_folder(&path)?;
            let before = self.opened.iter().find(|(opened, _)| *opened == at);
            let mode = wanted.metadata.mode.or_else(|| before.map(|(_, mode)| *mode));
            let metadata = Metadata { mode, ..wanted.metadata };
            if !look(&path)?.is_some_and(|found| Stamp::of(&found).has(&metadata)) {
                let stamped = File::open(&path).and_then(|folder| stamp(&folder, metadata));
                stamped.map_err(|error| failed(&path, &error))?;
                self.wrote = true;
            }
            for item in &mut wanted.entries {
                if !matches!(item.act, Act::Keep) {
                    let path = path.join(super::walk::name_of(&item.name));
                    let found = path.symlink_metadata().map_err(|error| failed(&path, &error))?;
                    item.stamp = Some(Stamp::of(&found));
                }
            }
        }
        let all = if self.wrote { sync_all(self.dir) } else { Ok(()) };
        all.map_err(|error| failed(self.dir, &error))
    }
}

/// The name under which something waits for its place; what a run before left under it goes.
fn part(path: &Path) -> Outcome<Leftover> {
    let part = Leftover::new(beside(path, "part")?);
    remove(part.path()).map_err(|error| failed(path, &error))?;
    Ok(part)
}

/// Whether something of this name was left by a run that was cut short.
pub(crate) fn is_part(name: &[u8]) -> bool {
    let digits = name.strip_prefix(b".carpool-").and_then(|rest| rest.strip_suffix(b".part"));
    digits.is_some_and(|hex| hex.len() == 16 && hex.iter().all(u8::is_ascii_hexdigit))
}

/// Where one call sends all to the disk, no file is sent by itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
const fn sync_file(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_file(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Sends all that was written and renamed to the disk.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sync_all(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn sync_all(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A link of which only the time is not as it should be is a link.
#[cfg(unix)]
fn set_link_time(path: &Path, mtime: Option<Mtime>) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    let Some(mtime) = mtime else { return };
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let time = Timespec { tv_sec: mtime.seconds(), tv_nsec: mtime.nanos().into() };
    let times = Timestamps { last_access: omit, last_modification: time };
    let _ = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
}

#[cfg(not(unix))]
fn set_link_time(_: &Path, _: Option<Mtime>) {}

/// What is to be remembered once all is done.
pub(crate) fn remembered(
    plan: &Arrival,
    place: &Place,
    before: Option<&Memory>,
    looked: SystemTime,
    (top, root): (Stamp, Root),
) -> Memory {
    let mut builder = place.begin(before.map_or(0, |memory| memory.settings));
    let doubted = before.is_some_and(|memory| memory.doubted);
    let mut records = vec![0; plan.folders.len()];
    for (at, folder) in plan.folders.iter().enumerate().rev() {
        let entries = folder.entries.iter().map(|item| {
            let stamp = item.stamp.unwrap_or_default();
            let below = if let Act::Folder(below) = item.act { Some(below) } else { None };
            Saved {
                name: &item.name,
                kind: item.kind,
                stamp,
                root: item.root,
                unsure: !item.sure && stamp.is_racy(looked),
                foreign: item.foreign || doubted,
                partial: below.is_some_and(|below| plan.folders[below].partial),
                below: below.map_or(0, |below| records[below]),
            }
        });
        let record = builder.record(entries);
        records[at] = record;
    }
    let (name, kind, unsure, foreign) = (&b""[..], Kind::Folder, false, true);
    let (partial, below) = (plan.folders[0].partial, records[0]);
    builder.end(&Saved { name, kind, stamp: top, root, unsure, foreign, partial, below })
}
