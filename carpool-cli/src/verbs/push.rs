use carpool_core::{Cid, codec};
use carpool_store::{BlockStore, LocalStore};
use carpool_unixfs::Node;
use std::{path::PathBuf, sync::Arc, time::Instant};

use crate::{
    args::PushArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::{block_on, client, meter, split_name, stopped_short, transfer_json, transfer_line},
};

pub(crate) fn run(args: &PushArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let (url, name) = split_name(&args.url);
    if name.is_some() {
        let what = "push sends a root; `sync` sends a folder under a name";
        return Err(Failure::new(Exit::Usage, what));
    }
    let client = client(url, &args.remote)?;
    let store = blocks::open(store, output)?;
    if !store.has(&args.root)? {
        let what = format_args!("{} is not held here; add, import or pull it first", args.root);
        return Err(Failure::new(Exit::Incomplete, what));
    }
    block_on(async {
        let (begun, progress) = (Instant::now(), client.progress());
        let meter = meter(output, &progress);
        let (held, diff) = (args.held.clone(), args.diff.as_deref());
        let pushed = client.push(args.root, held, diff, Arc::clone(&store)).await;
        drop(meter);
        let short = |error| stopped_short(&args.root, error, &progress, begun, output);
        let pushed = pushed.map_err(short)?;
        let json = transfer_json(&pushed.root, &pushed.totals, pushed.seconds);
        let whole = dag_bytes(&store, &args.root);
        output.result(&json, transfer_line(&pushed.root, &pushed.totals, pushed.seconds, whole));
        Ok(())
    })
}

/// Bytes of all blocks of a UnixFS DAG as its root says; `None` for other DAGs.
pub(crate) fn dag_bytes(store: &Arc<LocalStore>, root: &Cid) -> Option<u64> {
    if root.codec() != codec::DAG_PB {
        return None;
    }
    let own = store.get(root).ok().flatten()?.len() as u64;
    let below: u64 = match blocks::node(&**store, root).ok()? {
        Node::File(file) => file.links.iter().map(|link| link.tsize).sum(),
        Node::Directory(folder) => folder.entries.iter().map(|entry| entry.tsize).sum(),
        Node::Raw(_) | Node::Shard(_) | Node::Symlink(_) => return None,
    };
    Some(own + below)
}
