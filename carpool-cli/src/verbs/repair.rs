use carpool_store::{Error, LocalStore};
use serde_json::json;
use std::{fmt::Display, path::PathBuf};

use crate::{
    args::RepairArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    folders,
    output::{Output, size},
};

pub(crate) fn run(args: &RepairArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    if args.rebuild {
        return rebuild(store, output);
    }
    let at = blocks::path(store.clone())?;
    let store = blocks::open(store, output)?;
    let scrub = store.scrub()?;
    for damaged in &scrub.damaged {
        output.warn(damaged);
    }
    let forgotten = if args.forget { forget(&store, &scrub.damaged)? } else { 0 };
    if forgotten > 0 {
        folders::doubt(&at)?;
    }
    let value = json!({
        "blocks": scrub.blocks, "bytes": scrub.bytes, "damaged": scrub.damaged.len(),
        "forgotten": forgotten,
    });
    output.result(&value, format_args!("{} blocks, {} read", scrub.blocks, size(scrub.bytes)));
    match scrub.damaged.len() {
        0 => Ok(()),
        n if args.forget => damaged(format_args!("{n} damaged blocks are forgotten; {AGAIN}")),
        n => damaged(format_args!("{n} blocks are damaged; --forget forgets them, then {AGAIN}")),
    }
}

const AGAIN: &str = "add, import or pull again what they belong to";

fn damaged(what: impl Display) -> Outcome {
    Err(Failure::new(Exit::Damaged, what))
}

fn forget(store: &LocalStore, damaged: &[Error]) -> Outcome<u64> {
    let cid = |error: &Error| {
        if let Error::Damaged { cid, .. } = error { Some(*cid) } else { None }
    };
    Ok(store.forget_damaged(&damaged.iter().filter_map(cid).collect::<Vec<_>>())?)
}

fn rebuild(store: Option<PathBuf>, output: &Output) -> Outcome {
    let at = blocks::path(store)?;
    let recovery = LocalStore::rebuild_index(&at)?;
    folders::doubt(&at)?;
    let lost = recovery.damaged.len();
    let value = json!({"blocks": recovery.blocks, "damaged": lost});
    output.result(&value, format_args!("{} blocks indexed", recovery.blocks));
    match lost {
        0 => Ok(()),
        n => damaged(format_args!("{n} damaged blocks are left out; {AGAIN}")),
    }
}
