//! The copy that the demo works on.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// What was copied, and from where.
pub(super) struct Copied {
    pub(super) from: PathBuf,
    pub(super) files: usize,
    /// What is neither a file, a folder nor a link, and cannot be copied.
    special: Vec<PathBuf>,
}

impl Copied {
    /// Says what was left out, and makes it the exit code.
    pub(super) fn complete(&self, output: &Output) -> Outcome {
        for path in &self.special {
            let path = self.from.join(path);
            output.warn(format_args!("{}: skipped: a special file", path.display()));
        }
        match self.special.len() {
            0 => Ok(()),
            n => Err(Failure::new(Exit::Io, format_args!("{n} paths were skipped"))),
        }
    }
}

/// What is in a folder, relative to it.
#[derive(Debug, Default)]
struct Listed {
    /// Files and links.
    files: Vec<PathBuf>,
    special: Vec<PathBuf>,
}

/// Copies `dir`, or what git tracks around the current folder, to `to`.
pub(super) fn copy(dir: Option<&Path>, to: &Path) -> Outcome<Copied> {
    let (from, Listed { files, special }) = match dir {
        Some(dir) => (dir.to_path_buf(), listed(dir)?),
        None => tracked()?,
    };
    fs::create_dir(to).map_err(|error| Failure::io(to.display(), &error))?;
    for file in &files {
        copy_one(&from.join(file), &to.join(file))?;
    }
    Ok(Copied { from, files: files.len(), special })
}

/// The files that git tracks in the repository of the current folder; all files where there is no
/// repository.
fn tracked() -> Outcome<(PathBuf, Listed)> {
    let git = |args: &[&str]| {
        let run = Command::new("git").args(args).output().ok();
        run.filter(|run| run.status.success()).map(|run| run.stdout)
    };
    let Some(top) = git(&["rev-parse", "--show-toplevel"]) else {
        let here = PathBuf::from(".");
        let files = listed(&here)?;
        return Ok((here, files));
    };
    let top = PathBuf::from(String::from_utf8_lossy(&top).trim_end());
    let list = git(&["-C", &top.to_string_lossy(), "ls-files", "-z"]).unwrap_or_default();
    let names = String::from_utf8_lossy(&list).into_owned();
    let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    let is_copied = |file: &PathBuf| {
        let found = top.join(file).symlink_metadata();
        found.is_ok_and(|found| found.is_file() || found.is_symlink())
    };
    let files = files.filter(is_copied).collect();
    Ok((top, Listed { files, special: Vec::new() }))
}

/// All that is below a folder and is no folder.
fn listed(dir: &Path) -> Outcome<Listed> {
    if !dir.is_dir() {
        return Err(Failure::new(Exit::Io, format_args!("{} is no folder", dir.display())));
    }
    let failed = |error: io::Error| Failure::io(dir.display(), &error);
    let (mut listed, mut open) = (Listed::default(), vec![PathBuf::new()]);
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(dir.join(&below)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = below.join(entry.file_name());
            match entry.file_type().map_err(failed)? {
                kind if kind.is_dir() => open.push(path),
                kind if kind.is_file() || kind.is_symlink() => listed.files.push(path),
                _ => listed.special.push(path),
            }
        }
    }
    listed.files.sort_unstable();
    Ok(listed)
}

fn copy_one(from: &Path, to: &Path) -> Outcome {
    let failed = |error: io::Error| Failure::io(from.display(), &error);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|error| Failure::io(parent.display(), &error))?;
    }
    #[cfg(unix)]
    if let Ok(target) = fs::read_link(from) {
        return std::os::unix::fs::symlink(target, to).map_err(failed);
    }
    let mut source = File::open(from).map_err(failed)?;
    // A copy of its own mode can be changed, whatever the original's is.
    let mut copy = File::create_new(to).map_err(|error| Failure::io(to.display(), &error))?;
    io::copy(&mut source, &mut copy).map_err(failed).map(drop)
}

/// Changes some files of the copy; says what it did.
pub(super) fn change(copy: &Path) -> Outcome<String> {
    let failed = |error: io::Error| Failure::io(copy.display(), &error);
    let files = listed(copy)?.files;
    let plain =
        |path: &&PathBuf| copy.join(path).symlink_metadata().is_ok_and(|found| found.is_file());
    let plain: Vec<&PathBuf> = files.iter().filter(plain).collect();
    let changed = plain.iter().step_by((plain.len() / 3).max(1)).take(3);
    let mut edited = 0;
    for path in changed {
        let mut file = fs::OpenOptions::new().append(true).open(copy.join(path)).map_err(failed)?;
        file.write_all(b"\none more line\n").map_err(failed)?;
        edited += 1;
    }
    fs::write(copy.join("new-file.txt"), "made by carpool demo\n").map_err(failed)?;
    Ok(format!("{edited} files edited, 1 new"))
}

/// Puts a few bytes in front of the largest file, so that all of its chunks become others; says what it did.
/// Nothing where there is no file.
pub(super) fn insert(copy: &Path) -> Outcome<Option<String>> {
    let failed = |error: io::Error| Failure::io(copy.display(), &error);
    let size = |path: &PathBuf| {
        let found = copy.join(path).symlink_metadata().ok().filter(fs::Metadata::is_file);
        found.map(|found| (found.len(), path.clone()))
    };
    let Some((_, path)) = listed(copy)?.files.iter().filter_map(size).max() else {
        return Ok(None);
    };
    let before = fs::read(copy.join(&path)).map_err(failed)?;
    fs::write(copy.join(&path), [&b"inserted"[..], &before].concat()).map_err(failed)?;
    Ok(Some(format!("8 bytes put in front of {}", path.display())))
}

/// Refuses any difference between two folders, also in what links point to.
pub(super) fn compare(left: &Path, right: &Path) -> Outcome {
    let (ours, theirs) = (listed(left)?.files, listed(right)?.files);
    for (our, their) in ours.iter().zip(&theirs) {
        if our != their || !same(&left.join(our), &right.join(their))? {
            return Err(differs(our));
        }
    }
    let longer = if ours.len() > theirs.len() { &ours } else { &theirs };
    longer.get(ours.len().min(theirs.len())).map_or(Ok(()), |path| Err(differs(path)))
}

fn differs(path: &Path) -> Failure {
    Failure::new(Exit::Damaged, format_args!("what came back differs at {}", path.display()))
}

fn same(left: &Path, right: &Path) -> Outcome<bool> {
    let links = (fs::read_link(left).ok(), fs::read_link(right).ok());
    if links.0.is_some() || links.1.is_some() {
        return Ok(links.0 == links.1);
    }
    let failed = |error: io::Error| Failure::io(left.display(), &error);
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(1 << 16, file));
    let (left, right) = (open(left).map_err(failed)?, open(right).map_err(failed)?);
    same_bytes(left, right).map_err(failed)
}

fn same_bytes(mut left: impl BufRead, mut right: impl BufRead) -> io::Result<bool> {
    loop {
        let (ours, theirs) = (left.fill_buf()?, right.fill_buf()?);
        let both = ours.len().min(theirs.len());
        if both == 0 {
            return Ok(ours.is_empty() && theirs.is_empty());
        }
        if ours[..both] != theirs[..both] {
            return Ok(false);
        }
        left.consume(both);
        right.consume(both);
    }
}
