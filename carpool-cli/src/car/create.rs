//! `carpool car create`: files and folders become a CAR.

use carpool_core::{Block, Bytes, Cid, Multihash, SHA2_256, codec, is_identity};
use carpool_store::{BlockStore, Error, Result};
use carpool_unixfs::{Options, Overrides, Profile};
use clap::Args;
use serde_json::json;
use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use super::{
    seen::{Dedup, Keyer, Seen},
    target::Target,
    writer::{CarWriter, VersionFlag},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    files::{Importer, Selection, Tally, beside, import},
    output::{Output, size},
    verbs::add,
};

/// Make a CAR of files and folders.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car create -f site.car ./site              CARv2 with an index
  carpool car create --version 1 --no-wrap -f - ./site | ssh host ipfs dag import
  carpool car create -f all.car a.txt b.txt ./photos

The root is the one that go-car and `ipfs add -r -w --hidden --cid-version=1` give, with --no-wrap
the one without -w: chunks of 262144 bytes, raw leaves, 174 links a node. `carpool add` differs: it
follows the profile unixfs-v1-2025 and leaves hidden files out.")]
pub(crate) struct CreateArgs {
    /// The CAR to make; `-` is standard output
    #[arg(
        short = 'f',
        long,
        visible_short_alias = 'o',
        visible_alias = "output",
        value_name = "FILE"
    )]
    pub(crate) file: OsString,
    #[command(flatten)]
    pub(crate) version: VersionFlag,
    /// Each PATH is a root, without a folder around them that keeps their names
    #[arg(long)]
    pub(crate) no_wrap: bool,
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

pub(super) fn run(args: &CreateArgs, output: &Output) -> Outcome {
    let to_stdout = args.file == "-";
    if to_stdout {
        output.leave_to_data()?;
    }
    // What lies in a folder is left out; what is named would be replaced by its own copy.
    args.paths.iter().try_for_each(|path| Target::refuse_path(&args.file, path))?;
    let (options, selection) = (options()?, selection(args)?);
    let places = vec![placeholder(); if args.no_wrap { args.paths.len() } else { 1 }];
    let format = args.version.format();
    let writer = CarWriter::begin(&args.file, &[], format, (&places, true), output)?;
    let selection = exclude_part(args, selection)?;
    let sink = Sink::new(writer);
    let tally = Arc::new(Tally::default());
    let importer = Importer {
        selection: &selection,
        options: &options,
        empty_folders: true,
        wrap: !args.no_wrap,
        tally: &tally,
    };
    let meter = add::meter(output, &tally, &args.paths, &selection);
    let imported = import(&importer, &args.paths, Some(&sink));
    let writer = sink.close()?;
    let imported = imported?;
    drop(meter);
    add::problems(output, &imported)?;
    let roots: Vec<Cid> = imported.roots.iter().map(|(_, root)| root.cid).collect();
    if roots.len() != places.len() {
        return Err(Failure::new(Exit::Io, "not every path became a root"));
    }
    let written = writer.finish(Some(&roots))?;
    let shown = args.file.to_string_lossy();
    for (name, root) in &imported.roots {
        let value = json!({
            "root": root.cid.to_string(), "name": name, "output": shown,
            "version": args.version.version, "blocks": written.blocks, "bytes": written.bytes,
            "files": tally.files.load(Relaxed), "file_bytes": tally.bytes.load(Relaxed),
        });
        if to_stdout {
            output.note(root.cid);
        } else {
            output.result(&value, root.cid);
        }
    }
    output.note(format_args!("{shown}: {} blocks, {}", written.blocks, size(written.bytes)));
    Ok(())
}

fn options() -> Outcome<Options> {
    let asked = Overrides { cid_version: Some(1), ..Overrides::default() };
    Ok(Options::new(Profile::KuboDefault, &asked)?)
}

/// Everything but what the run itself writes or is about to replace.
fn selection(args: &CreateArgs) -> Outcome<Selection> {
    let ignore = ignore::gitignore::Gitignore::empty();
    let mut selection = Selection {
        hidden: true,
        ignore,
        dereference: false,
        mode: false,
        mtime: false,
        excluded: Vec::new(),
    };
    selection.exclude(args.file.as_ref());
    Ok(selection)
}

/// The file that becomes the CAR is there from now on.
fn exclude_part(args: &CreateArgs, mut selection: Selection) -> Outcome<Selection> {
    if args.file != "-" {
        let path = PathBuf::from(&args.file);
        let path = path.canonicalize().unwrap_or(path);
        if path.file_name().is_some() {
            selection.exclude(&beside(&path, "part")?);
        }
    }
    Ok(selection)
}

/// A CID as long as the root's will be.
fn placeholder() -> Cid {
    let hash = Multihash::wrap(SHA2_256, &[0; 32]).expect("32 bytes fit into 64");
    Cid::new_v1(codec::DAG_PB, hash)
}

/// A CAR as a store that is only written.
struct Sink(Mutex<State>);

struct State {
    writer: CarWriter,
    seen: Seen,
    keyer: Keyer,
    failed: Option<Failure>,
}

impl Sink {
    fn new(writer: CarWriter) -> Self {
        let seen = Seen::new(Dedup::Cid);
        let keyer = seen.keyer();
        Self(Mutex::new(State { writer, seen, keyer, failed: None }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(self) -> Outcome<CarWriter> {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.failed.map_or(Ok(state.writer), Err)
    }
}

impl BlockStore for Sink {
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>> {
        Ok(vec![None; cids.len()])
    }

    fn has_many(&self, cids: &[Cid]) -> Result<Vec<bool>> {
        let state = self.state();
        let has = |cid: &Cid| state.seen.contains(state.keyer.key(&cid.to_bytes()));
        Ok(cids.iter().map(has).collect())
    }

    fn put_many(&self, blocks: &[Block]) -> Result<()> {
        let mut state = self.state();
        for block in blocks.iter().filter(|block| !is_identity(block.cid())) {
            let key = state.keyer.key(&block.cid().to_bytes());
            if !state.seen.insert(key) {
                continue;
            }
            if let Err(failure) = state.writer.block(block.cid(), block.data()) {
                // The failure that is told is the one that is kept.
                state.failed = Some(failure);
                let source = std::io::ErrorKind::Other.into();
                return Err(Error::Io { path: PathBuf::new(), source });
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}
