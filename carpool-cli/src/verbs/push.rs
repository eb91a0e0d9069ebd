use carpool_core::{Cid, codec};
use carpool_store::{BlockStore, LocalStore};
use std::{path::PathBuf, sync::Arc};

use crate::{
    args::PushArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::{block_on, client, meter, split_name, transfer_json, transfer_line},
};

pub(crate) fn run(args: &PushArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let (url, name) = split_name(&args.url);
    if name.is_some() {
        let what = "push sends a root; `sync` sends a folder under a name";
        return Err(Failure::new(Exit::Usage, what));
    }
    let store = blocks::open(store, output)?;
    if !store.has(&args.root)? {
        let what = format_args!("{} is not held", args.root);
        return Err(Failure::new(Exit::Io, what));
    }
    block_on(async {
        let client = client(url, &args.remote)?;
        let meter = meter(output, &client.progress());
        let pushed =
            client.push(args.root, args.held.clone(), args.diff.as_deref(), Arc::clone(&store)).await?;
        drop(meter);
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
        carpool_unixfs::Node::File(file) => file.links.iter().map(|link| link.tsize).sum(),
        carpool_unixfs::Node::Directory(folder) => {
            folder.entries.iter().map(|entry| entry.tsize).sum()
        }
        _ => return None,
    };
    Some(own + below)
}
