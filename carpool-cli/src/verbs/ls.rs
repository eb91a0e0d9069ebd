use carpool_core::Limits;
use carpool_unixfs::{List, Node};
use serde_json::json;
use std::path::PathBuf;

use crate::{
    args::LsArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::{Output, printable},
};

pub(crate) fn run(args: &LsArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let cid = blocks::resolve(&*store, &args.path)?;
    if !matches!(blocks::node(&*store, &cid)?, Node::Directory(_) | Node::Shard(_)) {
        return Err(Failure::new(Exit::Io, format_args!("{} is no folder", args.path)));
    }
    let mut entries = List::new(cid, &Limits::default());
    while let Some(entry) = blocks::next_entry(&*store, &mut entries)? {
        let name = String::from_utf8_lossy(&entry.name);
        let value = json!({"name": name, "cid": entry.cid.to_string(), "dag_bytes": entry.tsize});
        output
            .result(&value, format_args!("{} {:>12} {}", entry.cid, entry.tsize, printable(&name)));
    }
    Ok(())
}
