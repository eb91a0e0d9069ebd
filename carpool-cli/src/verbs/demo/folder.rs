//! The copy that the demo works on.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use crate::failure::{Exit, Failure, Outcome};

/// What was copied, and from where.
pub(super) struct Copied {
    pub(super) from: PathBuf,
    pub(super) files: usize,
}

/// Copies `dir`, or what git tracks around the current folder, to `to`.
pub(super) fn copy(dir: Option<&Path>, to: &Path) -> Outcome<Copied> {
    let (from, files) = match dir {
        Some(dir) => (dir.to_path_buf(), listed(dir)?),
        None => tracked()?,
    };
    fs::create_dir(to).map_err(|error| Failure::io(to.display(), &error))?;
    for file in &files {
        copy_one(&from.join(file), &to.join(file))?;
    }
    Ok(Copied { from, files: files.len() })
}

/// The files that git tracks in the repository of the current folder; all files where there is no
/// repository.
fn tracked() -> Outcome<(PathBuf, Vec<PathBuf>)> {
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
    let files = files.filter(|file| top.join(file).is_file()).collect();
    Ok((top, files))
}

/// All files and links below a folder, relative to it.
fn listed(dir: &Path) -> Outcome<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Err(Failure::new(Exit::Io, format_args!("{} is no folder", dir.display())));
    }
    let failed = |error: io::Error| Failure::io(dir.display(), &error);
    let (mut files, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(dir.join(&below)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let path = below.join(entry.file_name());
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() || kind.is_symlink() {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn copy_one(from: &Path, to: &Path) -> Outcome {
    let failed = |error: io::Error| Failure::io(from.display(), &error);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let found = from.symlink_metadata().map_err(failed)?;
    #[cfg(unix)]
    if found.is_symlink() {
        let target = fs::read_link(from).map_err(failed)?;
        return std::os::unix::fs::symlink(target, to).map_err(failed);
    }
    let bytes = if found.is_symlink() { Vec::new() } else { fs::read(from).map_err(failed)? };
    fs::write(to, bytes).map_err(failed)
}

/// Changes some files of the copy; says what it did.
pub(super) fn change(copy: &Path) -> Outcome<String> {
    let failed = |error: io::Error| Failure::io(copy.display(), &error);
    let files = listed(copy)?;
    let plain = |path: &&PathBuf| copy.join(path).symlink_metadata().is_ok_and(|found| found.is_file());
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

/// Refuses any difference between two folders, also in what links point to.
pub(super) fn compare(left: &Path, right: &Path) -> Outcome {
    let (left, right) = (contents(left)?, contents(right)?);
    if left == right {
        return Ok(());
    }
    let differs = left.iter().find(|(path, bytes)| right.get(*path) != Some(bytes));
    let path = differs.map(|(path, _)| path).or_else(|| right.keys().find(|p| !left.contains_key(*p)));
    let path = path.map_or_else(|| "…".into(), |path| path.display().to_string());
    Err(Failure::new(Exit::Damaged, format_args!("what came back differs at {path}")))
}

fn contents(dir: &Path) -> Outcome<BTreeMap<PathBuf, Vec<u8>>> {
    let read = |path: PathBuf| {
        let full = dir.join(&path);
        let bytes = match fs::read_link(&full) {
            Ok(target) => target.into_os_string().into_encoded_bytes(),
            Err(_) => fs::read(&full).map_err(|error| Failure::io(full.display(), &error))?,
        };
        Ok((path, bytes))
    };
    listed(dir)?.into_iter().map(read).collect()
}
