//! What is taken and what is left out: one set of rules for all who walk the same tree.

use ignore::gitignore::Gitignore;
use std::{ffi::OsStr, fs, io, path::Path};

/// What is taken and what is left out.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) hidden: bool,
    pub(crate) ignore: Gitignore,
    pub(crate) dereference: bool,
    pub(crate) mode: bool,
    pub(crate) mtime: bool,
    /// Device and file number of files that are never taken: what the run itself writes.
    pub(crate) excluded: Vec<(u64, u64)>,
}

impl Selection {
    /// Whether an entry of this name is left out because it is hidden.
    pub(super) fn hides(&self, name: &OsStr) -> bool {
        !self.hidden && name.as_encoded_bytes().starts_with(b".")
    }

    /// Whether a pattern leaves out what lies at `path` below the argument `root`.
    pub(super) fn ignores(&self, root: &Path, path: &Path) -> bool {
        if self.ignore.is_empty() {
            return false;
        }
        let is_folder = self.look(path).is_ok_and(|found| found.is_dir());
        self.ignore.matched(path.strip_prefix(root).unwrap_or(path), is_folder).is_ignore()
    }

    /// Leaves out the file at `path` under whatever name; none there is none to leave out.
    pub(crate) fn exclude(&mut self, path: &Path) {
        if let Ok(found) = fs::metadata(path)
            && found.is_file()
        {
            self.excluded.push(identity(&found));
        }
    }

    /// Whether this is a file that the run itself writes.
    pub(super) fn excludes(&self, found: &fs::Metadata) -> bool {
        !self.excluded.is_empty() && found.is_file() && self.excluded.contains(&identity(found))
    }

    /// What lies at `path`: a link itself, or what it leads to.
    pub(super) fn look(&self, path: &Path) -> io::Result<fs::Metadata> {
        if self.dereference { fs::metadata(path) } else { path.symlink_metadata() }
    }
}

/// Device and file number: links that lead back to a folder above are no trees.
#[cfg(unix)]
pub(super) fn identity(found: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
pub(super) fn identity(_: &fs::Metadata) -> (u64, u64) {
    // Without file numbers only the depth of paths ends a loop.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    (0, NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}
