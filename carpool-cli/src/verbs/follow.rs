//! `sync --watch`: a folder is sent again whenever something in it has changed.

use ignore::gitignore::Gitignore;
use notify::{Event, EventKind, RecursiveMode, Watcher, recommended_watcher};
use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use crate::{
    failure::{Exit, Failure, Outcome},
    interrupt,
    output::Output,
};

/// A change is followed once nothing more has changed for so long,
const QUIET: Duration = Duration::from_millis(300);
/// or things have changed for so long.
const LONGEST: Duration = Duration::from_secs(5);
/// A sync that failed is tried again after so long, or with the next change.
const AGAIN: Duration = Duration::from_secs(30);

/// What is followed.
#[derive(Debug)]
pub(super) struct Followed<'a> {
    pub(super) dir: &'a Path,
    /// What is left out of the sync.
    pub(super) ignore: &'a Gitignore,
    /// What the sync itself writes to.
    pub(super) store: &'a Path,
}

/// Runs `sync`, and again after each change, until it is interrupted. The first run has to succeed:
/// what fails then is wrong and does not pass.
pub(super) fn follow(
    followed: &Followed<'_>,
    output: &Output,
    mut sync: impl FnMut() -> Outcome,
) -> Outcome {
    let (changes, heard) = channel();
    let mut watcher = recommended_watcher(changes).map_err(|error| unwatched(followed, error))?;
    // From before the first run, so that what changes meanwhile is not missed.
    let watched = watcher.watch(followed.dir, RecursiveMode::Recursive);
    watched.map_err(|error| unwatched(followed, error))?;
    let noise = Noise::of(followed)?;
    sync()?;
    let mut failed = false;
    loop {
        interrupt::idle(true);
        let changed = wait(&heard, &noise, failed.then_some(AGAIN));
        interrupt::idle(false);
        if !changed && !failed {
            return Err(Failure::new(Exit::Io, "changes are not told any more"));
        }
        let done = sync();
        failed = done.is_err();
        if let Err(failure) = done {
            output.failure(&failure);
        }
    }
}

fn unwatched(followed: &Followed<'_>, error: notify::Error) -> Failure {
    Failure::new(Exit::Io, format_args!("{} cannot be watched: {error}", followed.dir.display()))
}

type Heard = Receiver<notify::Result<Event>>;

/// Waits until something has changed and no more does; false after `longest`, or where nobody tells.
fn wait(heard: &Heard, noise: &Noise<'_>, longest: Option<Duration>) -> bool {
    let asked = Instant::now();
    loop {
        let event = match longest {
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(longest) => heard.recv_timeout(longest.saturating_sub(asked.elapsed())),
        };
        match event {
            Ok(event) if noise.is(&event) => {}
            Ok(_) => break,
            Err(_) => return false,
        }
    }
    let begun = Instant::now();
    let mut last = begun;
    while begun.elapsed() < LONGEST && last.elapsed() < QUIET {
        match heard.recv_timeout(QUIET.saturating_sub(last.elapsed())) {
            Ok(event) if noise.is(&event) => {}
            Ok(_) => last = Instant::now(),
            Err(_) => break,
        }
    }
    true
}

/// Events that are no changes of what is synced.
struct Noise<'a> {
    dir: PathBuf,
    store: PathBuf,
    ignore: &'a Gitignore,
}

impl<'a> Noise<'a> {
    fn of(followed: &Followed<'a>) -> Outcome<Self> {
        let real =
            |path: &Path| path.canonicalize().map_err(|error| Failure::io(path.display(), &error));
        let (dir, store) = (real(followed.dir)?, real(followed.store)?);
        Ok(Self { dir, store, ignore: followed.ignore })
    }

    /// What cannot be told may be a change.
    fn is(&self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else { return false };
        if event.need_rescan() || event.paths.is_empty() {
            return false;
        }
        // Whoever syncs reads.
        matches!(event.kind, EventKind::Access(_))
            || event.paths.iter().all(|path| self.hides(path))
    }

    fn hides(&self, path: &Path) -> bool {
        let real = path.parent().and_then(|parent| parent.canonicalize().ok());
        let real = real.zip(path.file_name()).map(|(parent, name)| parent.join(name));
        let path = real.as_deref().unwrap_or(path);
        let Ok(below) = path.strip_prefix(&self.dir) else { return false };
        let ours = path.starts_with(&self.store);
        ours || self.ignore.matched_path_or_any_parents(below, path.is_dir()).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ignore::gitignore::GitignoreBuilder;
    use notify::event::{AccessKind, CreateKind, Flag};
    use std::fs;

    #[test]
    fn what_is_noise() {
        let room = tempfile::tempdir().unwrap();
        let dir = room.path().canonicalize().unwrap();
        for folder in ["store/blocks", "target/deep", "in"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let mut ignore = GitignoreBuilder::new("");
        ignore.add_line(None, "/target/").unwrap().add_line(None, "*.tmp").unwrap();
        let ignore = ignore.build().unwrap();
        let store = dir.join("store");
        let noise = Noise::of(&Followed { dir: &dir, ignore: &ignore, store: &store }).unwrap();
        let created = EventKind::Create(CreateKind::Any);
        for (kind, names, is) in [
            (created, &["in/file"][..], false),
            (created, &["in/file.tmp"], true),
            (created, &["target/deep/file"], true),
            (created, &["target/deep/file", "in/file"], false),
            (created, &["store/blocks/file"], true),
            (created, &["gone/file"], false),
            (created, &[], false),
            (EventKind::Access(AccessKind::Any), &["in/file"], true),
        ] {
            let mut event = Event::new(kind);
            event.paths = names.iter().map(|name| dir.join(name)).collect();
            assert_eq!(noise.is(&Ok(event)), is, "{kind:?} {names:?}");
        }
        let rescan = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(!noise.is(&Ok(rescan)));
        assert!(!noise.is(&Err(notify::Error::generic("lost"))));
    }

    #[test]
    fn many_changes_are_followed_once() {
        let room = tempfile::tempdir().unwrap();
        let dir = room.path();
        let ignore = Gitignore::empty();
        let store = tempfile::tempdir().unwrap();
        let followed = Followed { dir, ignore: &ignore, store: store.path() };
        let noise = Noise::of(&followed).unwrap();
        let (changes, heard) = channel();
        for _ in 0..100 {
            changes.send(Ok(Event::new(EventKind::Any).add_path(dir.join("a")))).unwrap();
        }
        assert!(wait(&heard, &noise, None));
        assert!(heard.try_recv().is_err(), "all of them were taken");
        assert!(!wait(&heard, &noise, Some(Duration::ZERO)));
        drop(changes);
        assert!(!wait(&heard, &noise, None));
    }
}
