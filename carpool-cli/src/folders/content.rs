//! Whether what lies there is what a node stands for.

use carpool_core::Cid;
use carpool_store::BlockStore;
use carpool_unixfs::{Node, Resolve, resolve};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use crate::{
    blocks,
    failure::{Exit, Failure, Outcome},
};

/// Whether the file or link at `path` has the bytes of the one at `cid`. One of which blocks are missing
/// is not the same.
pub(super) fn is_same(store: &dyn BlockStore, cid: &Cid, path: &Path) -> Outcome<bool> {
    let failed = |error: io::Error| Failure::io(path.display(), &error);
    let Some(node) = found(blocks::node(store, cid))? else { return Ok(false) };
    let there = path.symlink_metadata().map_err(failed)?;
    match node {
        Node::Symlink(link) => {
            let leads = there.is_symlink().then(|| fs::read_link(path)).transpose();
            let leads = leads.map_err(failed)?.map(|to| to.into_os_string().into_encoded_bytes());
            Ok(leads.is_some_and(|to| to == link.target))
        }
        Node::Raw(data) => {
            Ok(there.is_file() && there.len() == data.len() as u64 && same(store, cid, path)?)
        }
        Node::File(file) => {
            Ok(there.is_file() && there.len() == file.size && same(store, cid, path)?)
        }
        Node::Directory(_) | Node::Shard(_) => Ok(false),
    }
}

/// Compares piece by piece; the bytes are as many.
fn same(store: &dyn BlockStore, cid: &Cid, path: &Path) -> Outcome<bool> {
    let failed = |error: io::Error| Failure::io(path.display(), &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut equal, mut piece) = (true, Vec::new());
    let compared = blocks::read_file(store, *cid, |data| {
        piece.clear();
        let asked = if equal { data.len() as u64 } else { 0 };
        (&mut file).take(asked).read_to_end(&mut piece).map_err(failed)?;
        equal &= piece == data[..];
        if equal { Ok(()) } else { Err(Failure::new(Exit::Incomplete, "they differ")) }
    });
    let compared = found(compared)?.is_some();
    Ok(compared && equal)
}

/// What is not held is none.
fn found<T>(outcome: Outcome<T>) -> Outcome<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.exit == Exit::Incomplete => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What is at `path` below `root`, if all that leads there is held.
pub(super) fn at(store: &dyn BlockStore, root: Cid, path: &Path) -> Outcome<Option<Cid>> {
    let names = path.to_str().unwrap_or_default().replace(std::path::MAIN_SEPARATOR, "/");
    let mut machine = Resolve::new(root, names.as_bytes(), &carpool_core::Limits::default());
    loop {
        match found(machine.poll().map_err(Failure::from))?.flatten() {
            Some(resolve::Output::Load(cid)) => {
                machine.handle_load(&cid, store.get(&cid)?.as_ref());
            }
            Some(resolve::Output::Resolved { cid, .. }) => return Ok(Some(cid)),
            Some(resolve::Output::NotFound { .. }) | None => return Ok(None),
        }
    }
}
