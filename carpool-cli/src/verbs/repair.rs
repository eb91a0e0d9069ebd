use carpool_store::LocalStore;
use serde_json::json;
use std::path::PathBuf;

use crate::{
    args::RepairArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
};

pub(crate) fn run(args: &RepairArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    if args.rebuild {
        let recovery = LocalStore::rebuild_index(blocks::path(store)?)?;
        let value = json!({"blocks": recovery.blocks, "damaged": recovery.damaged.len()});
        output.result(&value, format_args!("{} blocks indexed", recovery.blocks));
        return Ok(());
    }
    let scrub = blocks::open(store, output)?.scrub()?;
    for damaged in &scrub.damaged {
        output.warn(damaged);
    }
    let value = json!({
        "blocks": scrub.blocks, "bytes": scrub.bytes, "damaged": scrub.damaged.len(),
    });
    output.result(&value, format_args!("{} blocks, {} read", scrub.blocks, size(scrub.bytes)));
    match scrub.damaged.len() {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Damaged, format_args!("{n} blocks are damaged"))),
    }
}
