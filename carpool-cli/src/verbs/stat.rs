use carpool_core::{Cid, Limits, codec};
use carpool_selector::{Order, Step, Walk};
use carpool_store::BlockStore;
use serde_json::json;
use std::path::PathBuf;

use crate::{
    args::StatArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
    remote::random_seed,
};

#[derive(Debug, Default)]
struct Counts {
    blocks: u64,
    bytes: u64,
    leaves: u64,
    missing: u64,
}

pub(crate) fn run(args: &StatArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let counts = count(&*store, args.root)?;
    let value = json!({
        "root": args.root.to_string(), "blocks": counts.blocks, "bytes": counts.bytes,
        "raw_blocks": counts.leaves, "blocks_missing": counts.missing,
    });
    let line = format!(
        "{}: {} blocks, {}; {} of them raw; {} missing",
        args.root,
        counts.blocks,
        size(counts.bytes),
        counts.leaves,
        counts.missing
    );
    output.result(&value, line);
    match counts.missing {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Incomplete, format_args!("{n} blocks are not held"))),
    }
}

fn count(store: &dyn BlockStore, root: Cid) -> Outcome<Counts> {
    let mut walk = Walk::new([root], Order::DepthFirst, &Limits::default(), random_seed());
    let (mut counts, mut loads) = (Counts::default(), Vec::new());
    loop {
        match walk.poll(|_| true)? {
            Some(Step::Load(cid)) => loads.push(cid),
            Some(Step::Missing { .. }) => counts.missing += 1,
            Some(Step::Visit(block)) => {
                counts.blocks += 1;
                counts.bytes += block.data().len() as u64;
                counts.leaves += u64::from(block.cid().codec() == codec::RAW);
            }
            None if loads.is_empty() => return Ok(counts),
            None => {
                for (cid, data) in loads.iter().zip(store.get_many(&loads)?) {
                    walk.handle_load(cid, data);
                }
                loads.clear();
            }
        }
    }
}
