//! `carpool car extract`: the files and folders of a CAR.

use carpool_core::{Cid, Limits};
use carpool_store::BlockStore;
use carpool_unixfs::{List, Metadata, Node, Resolve, resolve};
use clap::Args;
use serde_json::json;
use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    args::ReadFlags,
    blocks::CarBlocks,
    extent::{Bounds, Survey, limit},
    folder::{Folder, Kind},
};
use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{beside, entry_name, stamp},
    interrupt::Leftover,
    output::{Output, printable, size},
};

/// Folders that are held open at a time; those above are found again through `..`.
const MAX_OPEN: usize = 64;

/// Write the files and folders of a CAR.
///
/// Every block is hashed. Nothing is written outside the folder, whatever names and links the CAR
/// has, and no file appears before it is whole.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car extract -f site.car -o out             out/ gets what the roots hold
  carpool car extract site.car docs/index.html       one file, as ./docs/index.html
  carpool car extract -f site.car -o - docs/a.txt    one file to standard output
  curl -s https://host/site.car | carpool car extract -f - -o out
  carpool car extract -f site.car -o out --continue  go on after an interrupt

Exit code 4 says that blocks are missing; what could be written was.")]
pub(crate) struct ExtractArgs {
    /// The CAR; `-` is standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) file: Option<OsString>,
    /// The folder to write into, which is made where there is none; `-` is standard output, for one
    /// file
    #[arg(short = 'o', long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Print what is written
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Keep files that are there already and have the right bytes
    #[arg(long = "continue")]
    pub(crate) go_on: bool,
    /// Replace files and links that are there already
    #[arg(long)]
    pub(crate) force: bool,
    /// Folders within folders at most
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "Limits")]
    pub(crate) max_depth: u64,
    /// Files, folders and links at most
    #[arg(long, value_name = "N", default_value_t = 1 << 20, help_heading = "Limits")]
    pub(crate) max_paths: u64,
    /// Bytes of all files at most
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 40, help_heading = "Limits")]
    pub(crate) max_bytes: u64,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
    /// What to take [default: everything]; without -f the first is the CAR
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,
}

impl ExtractArgs {
    /// The CAR, and the paths inside.
    fn inputs(&self) -> Outcome<(&OsString, Vec<&str>)> {
        let (file, paths) = match (&self.file, self.paths.split_first()) {
            (Some(file), _) => (file, &self.paths[..]),
            (None, Some((file, paths))) => (file, paths),
            (None, None) => return Err(Failure::new(Exit::Usage, "say which CAR with -f")),
        };
        let paths: Outcome<Vec<&str>> = paths
            .iter()
            .map(|path| {
                path.to_str().ok_or_else(|| {
                    let shown = path.to_string_lossy();
                    Failure::new(Exit::Usage, format_args!("{shown}: not UTF-8"))
                })
            })
            .collect();
        Ok((file, paths?))
    }
}

pub(super) fn run(args: &ExtractArgs, output: &Output) -> Outcome {
    let (file, paths) = args.inputs()?;
    let to_stdout = args.output.as_os_str() == "-";
    if to_stdout {
        output.leave_to_data()?;
    }
    let car = CarBlocks::open(file, &args.read, output)?;
    let wanted = wanted(&car, &paths)?;
    if to_stdout {
        return print(&car, &wanted);
    }
    let max = Bounds { depth: args.max_depth, paths: args.max_paths, bytes: args.max_bytes };
    Survey::new(&car).check(wanted.iter().map(|item| item.cid), max)?;
    std::fs::create_dir_all(&args.output).map_err(|error| failed(&args.output, &error))?;
    let part = part(&args.output)?;
    let mut writer = Writer::new(args, &car, output, &part)?;
    for item in &wanted {
        writer.item(item)?;
    }
    writer.report()
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::io(path.display(), error)
}

/// Where a file is until it is whole: always the same, so that a killed run leaves one at most and
/// the next one finds it.
fn part(dir: &Path) -> Outcome<Leftover> {
    Ok(Leftover::new(beside(&dir.join("extract"), "part")?))
}

/// Something to be written: what, and where.
struct Wanted {
    cid: Cid,
    /// Names from the folder that is written into. Without any, what is in a folder is wanted.
    path: Vec<String>,
}

fn wanted(car: &CarBlocks, paths: &[&str]) -> Outcome<Vec<Wanted>> {
    if paths.is_empty() {
        return car.roots().iter().map(|root| root_item(car, *root)).collect();
    }
    paths.iter().map(|path| find(car, path)).collect()
}

/// A root that is no folder gets its CID for a name.
fn root_item(car: &CarBlocks, cid: Cid) -> Outcome<Wanted> {
    let folder = match blocks::node(car, &cid) {
        Ok(Node::Directory(_) | Node::Shard(_)) => true,
        Ok(Node::Raw(_) | Node::File(_) | Node::Symlink(_)) => false,
        // It is missing, which is found out again when it is written.
        Err(failure) if failure.exit == Exit::Incomplete => true,
        Err(failure) => return Err(failure),
    };
    Ok(Wanted { cid, path: if folder { Vec::new() } else { vec![cid.to_string()] } })
}

/// The first root that has the path.
fn find(car: &CarBlocks, path: &str) -> Outcome<Wanted> {
    let names: Vec<String> =
        path.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect();
    for root in car.roots() {
        let mut machine = Resolve::new(*root, names.join("/").as_bytes(), &Limits::default());
        loop {
            match machine.poll() {
                Ok(Some(resolve::Output::Load(cid))) => {
                    machine.handle_load(&cid, car.get(&cid)?.as_ref());
                }
                Ok(Some(resolve::Output::Resolved { cid, .. })) => {
                    return Ok(Wanted { cid, path: names });
                }
                Ok(Some(resolve::Output::NotFound { .. }) | None) => break,
                Err(carpool_unixfs::Error::NotADirectory { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(Failure::new(Exit::Io, format_args!("{path}: there is no such path in the CAR")))
}

fn print(car: &CarBlocks, wanted: &[Wanted]) -> Outcome {
    let [Wanted { cid, .. }] = wanted else {
        return Err(Failure::new(Exit::Usage, "standard output takes one file: say which"));
    };
    if !matches!(blocks::node(car, cid)?, Node::Raw(_) | Node::File(_)) {
        return Err(Failure::new(Exit::Usage, "standard output takes a file, and this is none"));
    }
    let mut out = io::stdout().lock();
    let failed = |error: io::Error| Failure::io("standard output", &error);
    blocks::read_file(car, *cid, |data| out.write_all(data).map_err(failed))?;
    out.flush().map_err(failed)
}

/// What was done.
#[derive(Debug, Default)]
struct Tally {
    files: u64,
    bytes: u64,
    kept: u64,
    missing: u64,
}

struct Writer<'a> {
    args: &'a ExtractArgs,
    car: &'a CarBlocks,
    output: &'a Output,
    /// Where files are until they are whole: this name in the folder that is written into.
    part: String,
    base: Folder,
    tally: Tally,
    /// The folder that is being written, as messages name it.
    at: String,
}

/// A folder that is being written.
struct Level {
    /// `None` while too many below it are open.
    folder: Option<Folder>,
    id: (u64, u64),
    entries: List,
    metadata: Metadata,
    /// How long the name of the folder above is in messages.
    above: usize,
}

impl<'a> Writer<'a> {
    fn new(
        args: &'a ExtractArgs,
        car: &'a CarBlocks,
        output: &'a Output,
        part: &Leftover,
    ) -> Outcome<Self> {
        let base = open(&args.output)?;
        let part = part.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let part = part.unwrap_or_default();
        base.remove(&part).map_err(|error| failed(&args.output, &error))?;
        let (tally, at) = (Tally::default(), String::new());
        Ok(Self { args, car, output, part, base, tally, at })
    }

    /// Writes one thing, with the folders that lead to it.
    fn item(&mut self, item: &Wanted) -> Outcome {
        self.at.clear();
        let mut folder = open(&self.args.output)?;
        let Some((name, above)) = item.path.split_last() else {
            return self.fill_base(item.cid, folder);
        };
        for name in above {
            let name = entry_name(name.as_bytes())?;
            folder = folder.enter(name).map_err(|error| self.cannot_enter(name, &error))?;
            self.go_below(name);
        }
        let Some((below, metadata)) =
            self.write(item.cid, &folder, entry_name(name.as_bytes())?)?
        else {
            return Ok(());
        };
        let mut levels = Vec::new();
        self.push(item.cid, below, name, metadata, &mut levels)?;
        self.fill(levels)
    }

    /// Writes what is in a folder into the user's own, which keeps its time and its permissions.
    fn fill_base(&mut self, cid: Cid, folder: Folder) -> Outcome {
        if self.node(cid, "")?.is_none() {
            return Ok(());
        }
        let mut levels = Vec::new();
        self.push(cid, folder, "", Metadata::NONE, &mut levels)?;
        self.fill(levels)
    }

    fn push(
        &mut self,
        cid: Cid,
        folder: Folder,
        name: &str,
        metadata: Metadata,
        levels: &mut Vec<Level>,
    ) -> Outcome {
        let id = folder.id().map_err(|error| self.failed(name, &error))?;
        let entries = List::new(cid, &Limits::default());
        let above = self.go_below(name);
        levels.push(Level { folder: Some(folder), id, entries, metadata, above });
        if let Some(far) = levels.len().checked_sub(MAX_OPEN + 1) {
            levels[far].folder = None;
        }
        Ok(())
    }

    fn go_below(&mut self, name: &str) -> usize {
        let above = self.at.len();
        if above > 0 {
            self.at.push('/');
        }
        self.at.push_str(name);
        above
    }

    /// Folders wait on a list and not on the call stack, which a hostile DAG could exhaust.
    fn fill(&mut self, mut levels: Vec<Level>) -> Outcome {
        while let Some(level) = levels.last_mut() {
            let entry = match blocks::next_entry(self.car, &mut level.entries) {
                Ok(entry) => entry,
                Err(failure) if failure.exit == Exit::Incomplete => {
                    self.missing("", &failure);
                    None
                }
                Err(failure) => return Err(failure),
            };
            let Some(entry) = entry else {
                self.leave(&mut levels)?;
                continue;
            };
            let name = entry_name(&entry.name)?;
            if self.at.is_empty() && name == self.part {
                return Err(self.taken(name, "is the name of unfinished files"));
            }
            let folder = level.folder.as_ref().expect("the last folder is open");
            if let Some((below, metadata)) = self.write(entry.cid, folder, name)? {
                self.push(entry.cid, below, name, metadata, &mut levels)?;
            }
        }
        Ok(())
    }

    /// A folder is done: it gets its time and permissions, and the one above is open again.
    fn leave(&mut self, levels: &mut Vec<Level>) -> Outcome {
        let failed = |error: io::Error| self.failed("", &error);
        let done = levels.pop().expect("it is the last");
        let folder = done.folder.expect("the last folder is open");
        if let Some(above) = levels.last_mut()
            && above.folder.is_none()
        {
            let found = folder.parent().map_err(failed)?;
            if found.id().map_err(failed)? != above.id {
                return Err(failed(io::Error::other("the folder was moved meanwhile")));
            }
            above.folder = Some(found);
        }
        if done.metadata != Metadata::NONE {
            stamp(&folder.handle().map_err(failed)?, done.metadata).map_err(failed)?;
        }
        self.at.truncate(done.above);
        Ok(())
    }

    /// A node, unless it is missing, which is told.
    fn node(&mut self, cid: Cid, name: &str) -> Outcome<Option<Node>> {
        match blocks::node(self.car, &cid) {
            Ok(node) => Ok(Some(node)),
            Err(failure) if failure.exit == Exit::Incomplete => {
                self.missing(name, &failure);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Writes a file or link; a folder is made and given back to be filled.
    fn write(
        &mut self,
        cid: Cid,
        folder: &Folder,
        name: &str,
    ) -> Outcome<Option<(Folder, Metadata)>> {
        let Some(node) = self.node(cid, name)? else { return Ok(None) };
        let metadata = match node {
            Node::Raw(_) => return self.file(cid, folder, name, Metadata::NONE).map(|()| None),
            Node::File(file) => return self.file(cid, folder, name, file.metadata).map(|()| None),
            Node::Symlink(link) => return self.symlink(&link.target, folder, name).map(|()| None),
            Node::Directory(found) => found.metadata,
            Node::Shard(found) => found.metadata,
        };
        self.say(name);
        let below = folder.enter(name).map_err(|error| self.cannot_enter(name, &error))?;
        Ok(Some((below, metadata)))
    }

    fn file(&mut self, cid: Cid, folder: &Folder, name: &str, metadata: Metadata) -> Outcome {
        let found = self.existing(folder, name)?;
        if self.args.go_on && found == Some(Kind::File) && self.keeps(cid, folder, name)? {
            self.tally.kept += 1;
            return Ok(());
        }
        self.say(name);
        match self.whole_file(cid, metadata, name) {
            Err(failure) if failure.exit == Exit::Incomplete => {
                self.missing(name, &failure);
                return Ok(());
            }
            done => done?,
        }
        let moved = self.base.rename(&self.part, folder, name);
        moved.map_err(|error| self.failed(name, &error))?;
        self.tally.files += 1;
        Ok(())
    }

    /// Whether a file that is there is the one that should be.
    fn keeps(&self, cid: Cid, folder: &Folder, name: &str) -> Outcome<bool> {
        match self.same(cid, folder, name) {
            Ok(false) if !self.args.force => Err(self.taken(name, "has other bytes")),
            Err(failure) if failure.exit == Exit::Incomplete => Ok(false),
            same => same,
        }
    }

    /// Writes a file under the name of what is not whole.
    fn whole_file(&mut self, cid: Cid, metadata: Metadata, name: &str) -> Outcome {
        let failed = |error: io::Error| self.failed(name, &error);
        self.base.remove(&self.part).map_err(failed)?;
        let mut file = self.base.create(&self.part).map_err(failed)?;
        let mut bytes = 0;
        let left = self.args.max_bytes.saturating_sub(self.tally.bytes);
        blocks::read_file(self.car, cid, |data| {
            bytes += data.len() as u64;
            limit("bytes of files", bytes, left, "--max-bytes")?;
            file.write_all(data).map_err(failed)
        })?;
        stamp(&file, metadata).map_err(failed)?;
        self.tally.bytes += bytes;
        Ok(())
    }

    fn same(&self, cid: Cid, folder: &Folder, name: &str) -> Outcome<bool> {
        let failed = |error: io::Error| self.failed(name, &error);
        let mut file = BufReader::with_capacity(1 << 18, folder.read(name).map_err(failed)?);
        let mut same = true;
        blocks::read_file(self.car, cid, |data| {
            same = same && continues(&mut file, data).map_err(failed)?;
            Ok(())
        })?;
        Ok(same && is_at_end(&mut file).map_err(failed)?)
    }

    fn symlink(&mut self, target: &[u8], folder: &Folder, name: &str) -> Outcome {
        let found = self.existing(folder, name)?;
        let failed = |error: io::Error| self.failed(name, &error);
        if self.args.go_on && found == Some(Kind::Symlink) {
            if folder.read_link(name).map_err(failed)? == target {
                self.tally.kept += 1;
                return Ok(());
            }
            if !self.args.force {
                return Err(self.taken(name, "leads elsewhere"));
            }
        }
        self.say(name);
        folder.remove(name).map_err(failed)?;
        folder.symlink(target, name).map_err(failed)?;
        self.tally.files += 1;
        Ok(())
    }

    /// What is in the way of a file or link; refused unless it may be replaced or kept.
    fn existing(&self, folder: &Folder, name: &str) -> Outcome<Option<Kind>> {
        let found = folder.kind(name).map_err(|error| self.failed(name, &error))?;
        match found {
            None => Ok(None),
            Some(Kind::Folder | Kind::Other) => Err(self.taken(name, "is no file")),
            Some(_) if self.args.force || self.args.go_on => Ok(found),
            Some(_) => Err(self.taken(name, "exists; --continue keeps it, --force replaces it")),
        }
    }

    fn cannot_enter(&self, name: &str, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::NotADirectory {
            return self.taken(name, "exists and is no folder");
        }
        self.failed(name, error)
    }

    fn taken(&self, name: &str, why: &str) -> Failure {
        let path = self.path(name);
        Failure::new(Exit::Refused, format_args!("{} {why}", path.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.args.output.join(&self.at).join(name)
    }

    fn failed(&self, name: &str, error: &io::Error) -> Failure {
        failed(&self.path(name), error)
    }

    fn missing(&mut self, name: &str, failure: &Failure) {
        self.tally.missing += 1;
        let path = self.path(name).display().to_string();
        self.output.warn(format_args!("{}: {failure}", printable(&path)));
    }

    fn say(&self, name: &str) {
        if self.args.verbose {
            let path = self.path(name).display().to_string();
            self.output.result(&json!({"path": path}), printable(&path));
        }
    }

    fn report(self) -> Outcome {
        let Tally { files, bytes, kept, missing } = self.tally;
        let shown = self.args.output.display().to_string();
        let value = json!({
            "output": shown, "files": files, "bytes": bytes, "kept": kept, "missing": missing,
        });
        if self.output.json() {
            self.output.result(&value, "");
        }
        let kept = if kept > 0 { format!(", {kept} were there") } else { String::new() };
        self.output.note(format_args!("extracted {files} file(s), {}{kept}", size(bytes)));
        if missing == 0 {
            return Ok(());
        }
        let what = format_args!("{missing} files or folders lack blocks; the others are written");
        Err(Failure::new(Exit::Incomplete, what))
    }
}

fn open(path: &Path) -> Outcome<Folder> {
    Folder::open(path).map_err(|error| failed(path, &error))
}

fn continues(file: &mut BufReader<File>, data: &[u8]) -> io::Result<bool> {
    let mut there = Vec::with_capacity(data.len());
    file.take(data.len() as u64).read_to_end(&mut there)?;
    Ok(there == data)
}

fn is_at_end(file: &mut BufReader<File>) -> io::Result<bool> {
    Ok(file.read(&mut [0])? == 0)
}
