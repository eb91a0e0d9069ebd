//! Reading the local store: opening it, and answering machines that ask.

use carpool_core::{Bytes, Cid, Limits};
use carpool_store::{BlockStore, LocalOptions, LocalStore};
use carpool_unixfs::{Cat, List, Node, Resolve, cat, list, resolve};
use std::{path::PathBuf, sync::Arc};

use crate::{
    failure::{Exit, Failure, Outcome},
    folders,
    output::Output,
};

/// Where the store is unless somebody says so.
fn default_path() -> Outcome<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "carpool");
    let dirs = dirs.ok_or_else(|| {
        Failure::new(Exit::Usage, "there is no home directory; say where the store is with --store")
    })?;
    Ok(dirs.data_dir().to_path_buf())
}

/// The store's folder.
pub(crate) fn path(given: Option<PathBuf>) -> Outcome<PathBuf> {
    given.map_or_else(default_path, Ok)
}

/// Opens the store, and says what had to be mended.
pub(crate) fn open(given: Option<PathBuf>, output: &Output) -> Outcome<Arc<LocalStore>> {
    open_with(given, output, false)
}

/// As [`open`]; every block that is read is hashed, where people are given what was read.
pub(crate) fn open_verifying(given: Option<PathBuf>, output: &Output) -> Outcome<Arc<LocalStore>> {
    open_with(given, output, true)
}

fn open_with(given: Option<PathBuf>, output: &Output, verify: bool) -> Outcome<Arc<LocalStore>> {
    let mut options = LocalOptions::default();
    options.verify_reads = verify;
    let at = path(given)?;
    let store = LocalStore::open(&at, options)?;
    let recovery = store.recovery();
    for cut in &recovery.cuts {
        output.warn(format_args!(
            "the store was not closed cleanly: {} bytes at the end of segment {} were cut",
            cut.bytes, cut.segment
        ));
    }
    if recovery.rebuilt || recovery.lost_blocks > 0 {
        folders::doubt(&at)?;
    }
    if recovery.lost_blocks > 0 {
        output.warn(format_args!("{} blocks of the store are lost", recovery.lost_blocks));
    }
    Ok(Arc::new(store))
}

/// A path into a DAG: `CID`, `CID/a/b`, `/ipfs/CID/a/b` or `ipfs://CID/a/b`.
pub(crate) fn parse_path(path: &str) -> Outcome<(Cid, &str)> {
    let bare = path.strip_prefix("/ipfs/").or_else(|| path.strip_prefix("ipfs://"));
    let bare = bare.unwrap_or(path);
    let (cid, below) = bare.split_once('/').unwrap_or((bare, ""));
    let cid = cid.parse();
    let wrong = |_| Failure::new(Exit::Usage, format_args!("{path:?} does not begin with a CID"));
    Ok((cid.map_err(wrong)?, below))
}

/// Follows a path to what it names.
pub(crate) fn resolve(store: &dyn BlockStore, path: &str) -> Outcome<Cid> {
    let (root, below) = parse_path(path)?;
    let mut machine = Resolve::new(root, below.as_bytes(), &Limits::default());
    loop {
        match machine.poll()? {
            Some(resolve::Output::Load(cid)) => {
                machine.handle_load(&cid, store.get(&cid)?.as_ref());
            }
            Some(resolve::Output::Resolved { cid, .. }) => return Ok(cid),
            Some(resolve::Output::NotFound { at }) => {
                let name = below.split('/').filter(|name| !name.is_empty()).nth(at);
                let name = name.unwrap_or_default();
                return Err(Failure::new(Exit::Io, format_args!("{path}: there is no {name:?}")));
            }
            None => return Err(unanswered()),
        }
    }
}

/// One block, decoded.
pub(crate) fn node(store: &dyn BlockStore, cid: &Cid) -> Outcome<Node> {
    let block = match carpool_core::identity_data(cid) {
        Some(data) => Some(Bytes::copy_from_slice(data)),
        None => store.get(cid)?,
    };
    let block = block.ok_or_else(|| Failure::from(carpool_unixfs::Error::Missing { cid: *cid }))?;
    Ok(Node::decode(cid, &block, &Limits::default())?)
}

/// The next entry of a folder.
pub(crate) fn next_entry(
    store: &dyn BlockStore,
    machine: &mut List,
) -> Outcome<Option<carpool_unixfs::Entry>> {
    let mut loads = Vec::new();
    loop {
        match machine.poll()? {
            Some(list::Output::Load(cid)) => loads.push(cid),
            Some(list::Output::Entry(entry)) => {
                answer(store, &mut loads, |cid, data| machine.handle_load(cid, data))?;
                return Ok(Some(entry));
            }
            Some(list::Output::Done) => return Ok(None),
            None if loads.is_empty() => return Err(unanswered()),
            None => answer(store, &mut loads, |cid, data| machine.handle_load(cid, data))?,
        }
    }
}

/// The bytes of a file, piece by piece.
pub(crate) fn read_file(
    store: &dyn BlockStore,
    root: Cid,
    mut each: impl FnMut(&Bytes) -> Outcome,
) -> Outcome {
    let mut machine = Cat::new(root, &Limits::default());
    let mut loads = Vec::new();
    loop {
        match machine.poll()? {
            Some(cat::Output::Load(cid)) => loads.push(cid),
            Some(cat::Output::Data(data)) => each(&data)?,
            Some(cat::Output::Done) => return Ok(()),
            None if loads.is_empty() => return Err(unanswered()),
            None => answer(store, &mut loads, |cid, data| machine.handle_load(cid, data))?,
        }
    }
}

fn answer(
    store: &dyn BlockStore,
    loads: &mut Vec<Cid>,
    mut give: impl FnMut(&Cid, Option<&Bytes>),
) -> Outcome {
    if loads.is_empty() {
        return Ok(());
    }
    for (cid, data) in loads.iter().zip(store.get_many(loads)?) {
        give(cid, data.as_ref());
    }
    loads.clear();
    Ok(())
}

fn unanswered() -> Failure {
    Failure::new(Exit::Damaged, "a reader waits for a block that nobody was asked for")
}
