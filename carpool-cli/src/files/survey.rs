//! Adds up how much an import has to read, without reading it.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    vec::IntoIter,
};

use super::{
    scan::{argument_name, sorted_names},
    selection::{Selection, identity},
};

/// Bytes of all files that an import of `paths` takes, by their lengths; `None` once `stop` is
/// set. What cannot be looked at counts nothing: the import is the one to complain.
pub(crate) fn survey(paths: &[PathBuf], selection: &Selection, stop: &AtomicBool) -> Option<u64> {
    let mut bytes: u64 = 0;
    for root in paths {
        let mut survey = Survey { selection, root, open: Vec::new() };
        bytes = bytes.saturating_add(survey.entry(root.clone(), &argument_name(root)));
        while let Some(len) = survey.next() {
            if stop.load(Relaxed) {
                return None;
            }
            bytes = bytes.saturating_add(len);
        }
    }
    Some(bytes)
}

struct Survey<'a> {
    selection: &'a Selection,
    root: &'a Path,
    open: Vec<Folder>,
}

/// As in a scan the names are read ahead: folders that stay open use up the files that a process
/// may have, which the import needs.
struct Folder {
    path: PathBuf,
    names: IntoIter<OsString>,
    id: (u64, u64),
}

impl Survey<'_> {
    /// The length of the next entry; of a folder 0, which is entered.
    fn next(&mut self) -> Option<u64> {
        let folder = self.open.last_mut()?;
        let Some(name) = folder.names.next() else {
            self.open.pop();
            return Some(0);
        };
        let path = folder.path.join(&name);
        if self.selection.hides(&name) || self.selection.ignores(self.root, &path) {
            return Some(0);
        }
        Some(self.entry(path, &name))
    }

    fn entry(&mut self, path: PathBuf, name: &OsStr) -> u64 {
        match self.selection.look(&path) {
            Ok(_) if name.to_str().is_none() => 0,
            Ok(found) if self.selection.excludes(&found) => 0,
            Ok(found) if found.is_file() => found.len(),
            Ok(found) if found.is_dir() => self.folder(path, identity(&found)),
            Ok(_) | Err(_) => 0,
        }
    }

    fn folder(&mut self, path: PathBuf, id: (u64, u64)) -> u64 {
        let is_above = self.open.iter().any(|folder| folder.id == id);
        if let (false, Ok(names)) = (is_above, sorted_names(&path)) {
            self.open.push(Folder { path, names: names.into_iter(), id });
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Importer, Tally, import};
    use carpool_unixfs::Options;
    use ignore::gitignore::GitignoreBuilder;
    use std::fs;

    fn selection(hidden: bool, dereference: bool, patterns: &[&str]) -> Selection {
        let mut ignore = GitignoreBuilder::new("");
        for pattern in patterns {
            ignore.add_line(None, pattern).unwrap();
        }
        let ignore = ignore.build().unwrap();
        Selection { hidden, ignore, dereference, mode: false, mtime: false, excluded: Vec::new() }
    }

    /// The bytes that an import reads.
    fn read(paths: &[PathBuf], selection: &Selection) -> u64 {
        let (tally, options) = (Tally::default(), Options::default());
        let importer = Importer {
            selection,
            options: &options,
            empty_folders: true,
            wrap: false,
            tally: &tally,
        };
        import(&importer, paths, None).unwrap();
        tally.bytes.load(Relaxed)
    }

    fn surveyed(paths: &[PathBuf], selection: &Selection) -> Option<u64> {
        survey(paths, selection, &AtomicBool::new(false))
    }

    /// Files of 1, 2, 4, … bytes, so that a sum tells which are in it.
    fn tree(room: &Path) {
        let files =
            ["a", ".b", ".c/x", "d/.e", "d/f", "d/g.tmp", "d/deep/h", "target/x", "d/target"];
        for (n, name) in files.iter().enumerate() {
            let path = room.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![7; 1 << n]).unwrap();
        }
        fs::create_dir(room.join("nothing")).unwrap();
    }

    #[track_caller]
    fn agree(paths: &[PathBuf], selection: &Selection, expected: u64) {
        assert_eq!(read(paths, selection), expected, "what is read");
        assert_eq!(surveyed(paths, selection), Some(expected), "what is foreseen");
    }

    #[test]
    fn foresees_what_is_read_whatever_is_left_out() {
        let room = tempfile::tempdir().unwrap();
        tree(room.path());
        let all = [room.path().to_path_buf()];
        agree(&all, &selection(true, false, &[]), 0b1_1111_1111);
        agree(&all, &selection(false, false, &[]), 0b1_1111_0001);
        agree(&all, &selection(false, false, &["*.tmp", "target/"]), 0b1_0101_0001);
        agree(&all, &selection(true, false, &["/target", "d/deep"]), 0b1_0011_1111);
        let some = [room.path().join(".c"), room.path().join("a"), room.path().join("a")];
        agree(&some, &selection(false, false, &[]), 0b110);
    }

    #[cfg(unix)]
    #[test]
    fn follows_the_links_that_are_followed() {
        use std::os::unix::fs::symlink;
        let room = tempfile::tempdir().unwrap();
        tree(room.path());
        let links = [("../a", "to-file"), ("..", "up"), ("gone", "dangling"), ("deep", "again")];
        for (aim, name) in links {
            symlink(aim, room.path().join("d").join(name)).unwrap();
        }
        let all = [room.path().join("d")];
        agree(&all, &selection(true, false, &[]), 0b1_0111_1000);
        let above = 0b1000_0111;
        let followed = 0b1_0111_1000 + 1 + above + 0b100_0000;
        agree(&all, &selection(true, true, &[]), followed);
        let link = [room.path().join("d/to-file")];
        agree(&link, &selection(true, false, &[]), 0);
        agree(&link, &selection(true, true, &[]), 1);
    }

    #[cfg(unix)]
    #[test]
    fn leaves_out_names_that_are_not_utf_8() {
        use std::os::unix::ffi::OsStrExt;
        let room = tempfile::tempdir().unwrap();
        fs::write(room.path().join("a"), "1234").unwrap();
        fs::write(room.path().join(OsStr::from_bytes(b"\xff")), "1").unwrap();
        agree(&[room.path().to_path_buf()], &selection(true, false, &[]), 4);
    }

    #[test]
    fn what_is_not_there_counts_nothing_and_a_stop_is_heeded() {
        let room = tempfile::tempdir().unwrap();
        tree(room.path());
        let selection = selection(true, false, &[]);
        assert_eq!(surveyed(&[room.path().join("gone")], &selection), Some(0));
        let all = [room.path().to_path_buf()];
        assert_eq!(survey(&all, &selection, &AtomicBool::new(true)), None);
    }
}
