use carpool_core::{Bytes, Cid, Limits, codec, may_link};
use carpool_http::gather;
use carpool_selector::{Order, Step, Walk};
use carpool_store::{BlockStore, LocalStore};
use carpool_unixfs::Node;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    acquainted::Acquainted,
    args::{PushArgs, parse_cid},
    blocks,
    failure::{Exit, Failure, Outcome},
    output::Output,
    progress::Forecast,
    remote::{
        block_on, client, encoding_json, push_meter, random_seed, split_name, stopped_short,
        transfer_json, transfer_line,
    },
    verbs::replicate,
};

pub(crate) fn run(args: &PushArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let output = &output.explaining(args.remote.verbose);
    let [url] = &args.urls[..] else { return replicate::run(args, store, output) };
    let url = without_name(url)?;
    let acquainted = Acquainted::of_store(&blocks::path(store.clone())?);
    let client = client(url, &args.remote, &acquainted, liked(args))?;
    let store = blocks::open(store, output)?;
    held_here(&store, &args.root)?;
    block_on(async {
        let (begun, progress) = (Instant::now(), client.progress());
        let forecast = Arc::new(output.forecast());
        let meter = push_meter(output, &progress, &forecast);
        foresee(&forecast, &store, args.root, &args.held);
        let (held, diff) = (args.held.clone(), args.diff.as_deref());
        let pushed = client.push(args.root, held, diff, Arc::clone(&store)).await;
        drop(meter);
        let short = |error| stopped_short(&args.root, error, &progress, begun, output);
        let pushed = pushed.map_err(short)?;
        let mut json =
            transfer_json(&pushed.root, &pushed.totals, pushed.seconds, pushed.plan.as_ref());
        json["encoding"] = encoding_json(pushed.encoding.as_ref());
        let whole = dag_bytes(&store, &args.root);
        output.result(&json, transfer_line(&pushed.root, &pushed.totals, pushed.seconds, whole));
        Ok(())
    })
}

/// The URL of a server, which has no name in it.
pub(super) fn without_name(url: &str) -> Outcome<&str> {
    match split_name(url) {
        (url, None) => Ok(url),
        (_, Some(_)) => {
            let what = "push sends a root; `sync` sends a folder under a name";
            Err(Failure::new(Exit::Usage, what))
        }
    }
}

/// The name of the server that is like what is pushed.
pub(super) fn liked(args: &PushArgs) -> Option<&str> {
    args.diff.as_deref().filter(|diff| parse_cid(diff).is_err())
}

pub(super) fn held_here(store: &LocalStore, root: &Cid) -> Outcome {
    if store.has(root)? {
        return Ok(());
    }
    let what = format_args!("{root} is not held here; add, import or pull it first");
    Err(Failure::new(Exit::Incomplete, what))
}

/// Finds out how many blocks a push sends. It is right where the server holds what `held` says;
/// a server that holds more, of which it tells only in its answers, is sent less.
pub(crate) fn foresee(forecast: &Forecast, store: &Arc<LocalStore>, root: Cid, held: &[Cid]) {
    let (store, held) = (Arc::clone(store), held.to_vec());
    forecast.begin(move |stop| beyond(&*store, root, &held, stop));
}

/// How many blocks lie below `root` and not below `held`. Leaves are counted by their links and not
/// read; what is missing is for the push itself to find.
fn beyond(store: &dyn BlockStore, root: Cid, held: &[Cid], stop: &AtomicBool) -> Option<u64> {
    let (limits, seed) = (Limits::default(), random_seed());
    let known = gather(store, held, &limits, seed).ok()?.held;
    let mut walk = Walk::new([root], Order::BreadthFirst, &limits, seed);
    let (mut blocks, mut loads) = (0, Vec::new());
    while !stop.load(Relaxed) {
        match walk.poll(|cid| !known.contains(cid)).ok()? {
            Some(Step::Load(cid)) if may_link(&cid) => loads.push(cid),
            Some(Step::Load(leaf)) => walk.handle_load(&leaf, Some(Bytes::new())),
            Some(Step::Visit(_)) => blocks += 1,
            Some(Step::Missing { .. }) => {}
            None if loads.is_empty() => return Some(blocks),
            None => {
                for (cid, data) in loads.iter().zip(store.get_many(&loads).ok()?) {
                    walk.handle_load(cid, data);
                }
                loads.clear();
            }
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::{Block, cbor};
    use carpool_store::MemoryStore;

    fn leaf(n: u8) -> Block {
        Block::new(codec::RAW, vec![n].into())
    }

    fn node(links: &[&Block]) -> Block {
        let mut data = Vec::new();
        cbor::write_head(&mut data, cbor::ARRAY, links.len() as u64);
        links.iter().for_each(|link| cbor::write_link(&mut data, link.cid()));
        Block::new(codec::DAG_CBOR, data.into())
    }

    #[test]
    fn blocks_beyond_what_is_held_are_counted_once_each() {
        let leaves = [leaf(1), leaf(2), leaf(3)];
        let old = node(&[&leaves[0], &leaves[1]]);
        let new = node(&[&old, &leaves[2], &leaves[2], &leaves[0]]);
        let store = MemoryStore::default();
        store.put_many(&leaves).unwrap();
        store.put_many(&[old.clone(), new.clone()]).unwrap();
        let count = |root: &Block, held: &[&Block]| {
            let held: Vec<Cid> = held.iter().map(|block| *block.cid()).collect();
            beyond(&store, *root.cid(), &held, &AtomicBool::new(false))
        };
        assert_eq!(count(&new, &[]), Some(5));
        assert_eq!(count(&new, &[&old]), Some(2));
        assert_eq!(count(&old, &[&new]), Some(0));
        assert_eq!(beyond(&store, *new.cid(), &[], &AtomicBool::new(true)), None);
    }
}
