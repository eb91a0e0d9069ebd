//! Ctrl-C, and what has to go when it comes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::{failure::Exit, output};

static LEFTOVERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static IDLE: AtomicBool = AtomicBool::new(false);

/// Blocks are safe once they are written, so an interrupt needs no farewell: half-made results
/// go, and a word is said.
pub(crate) fn handle() {
    let stop = || {
        INTERRUPTED.store(true, SeqCst);
        if IDLE.load(SeqCst) {
            std::process::exit(0);
        }
        output::complain("interrupted; what is done is kept, run the same command again to go on");
        sweep();
        std::process::exit(Exit::Incomplete as i32);
    };
    if let Err(error) = ctrlc::set_handler(stop) {
        tracing::warn!(%error, "interrupts are not handled");
    }
}

/// Says whether there is nothing that could be interrupted: then an interrupt is the way to end.
pub(crate) fn idle(idle: bool) {
    IDLE.store(idle, SeqCst);
}

/// Does not return once an interrupt has come: work fails when its leftovers are swept, and that
/// failure is not what the user is told.
pub(crate) fn yield_to() {
    while INTERRUPTED.load(SeqCst) {
        thread::sleep(Duration::from_secs(1));
    }
}

/// The work goes on meanwhile and may put something into a folder that is being emptied.
fn sweep() {
    let paths = LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for path in paths {
        (0..100).find(|_| remove(&path).is_ok() || pause());
    }
}

fn pause() -> bool {
    thread::sleep(Duration::from_millis(5));
    false
}

/// A path that goes away when this is dropped, or on an interrupt.
#[derive(Debug)]
pub(crate) struct Leftover(PathBuf);

impl Leftover {
    pub(crate) fn new(path: PathBuf) -> Self {
        LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = remove(&self.0);
        let mut all = LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner);
        // As bytes: by their components, hundreds of paths cost more than the files.
        let same = |path: &PathBuf| path.as_os_str() == self.0.as_os_str();
        if let Some(at) = all.iter().position(same) {
            all.remove(at);
        }
    }
}

/// Removes a file, a link or a folder with all that is in it; what is not there is gone already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => remove_folder(path),
        Ok(_) => fs::remove_file(path),
    }
}

/// Folders that were written with their modes may refuse to be emptied, and deep ones have more
/// levels than a process may have files open.
fn remove_folder(path: &Path) -> io::Result<()> {
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    let mut folders = vec![path.to_path_buf()];
    let mut emptied = 0;
    while let Some(folder) = folders.get(emptied) {
        unlock(folder)?;
        let mut below = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                below.push(entry.path());
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        folders.append(&mut below);
        emptied += 1;
    }
    folders.iter().rev().try_for_each(fs::remove_dir)
}

#[cfg(unix)]
fn unlock(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn unlock(_: &Path) -> io::Result<()> {
    Ok(())
}
