use carpool_core::Cid;
use carpool_http::Client;
use carpool_store::{Expect, LocalStore, Names, SetName};
use std::{path::PathBuf, sync::Arc};

use crate::{
    args::PullArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::{block_on, client, meter, split_name, transfer_json, transfer_line},
    verbs::push::dag_bytes,
};

/// Roots completed lately that narrow the first request when nothing better is known.
const RECENT: usize = 4;

/// What to pull and from where.
#[derive(Debug)]
enum What<'a> {
    Root(Cid, &'a str),
    Name(&'a str, &'a str),
}

pub(crate) fn run(args: &PullArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let what = what(args)?;
    let store = blocks::open(store, output)?;
    block_on(async {
        let (What::Root(_, url) | What::Name(_, url)) = what;
        let client = client(url, &args.remote)?;
        let (root, name) = match what {
            What::Root(root, _) => (root, None),
            What::Name(name, _) => (named(&client, name).await?, Some(name)),
        };
        let seeds = seeds(&store, &args.have, name)?;
        let meter = meter(output, &client.progress());
        let pulled = client.pull(root, seeds, Arc::clone(&store)).await?;
        drop(meter);
        keep(&store, root, name)?;
        let json = transfer_json(&pulled.root, &pulled.totals, pulled.seconds);
        let whole = dag_bytes(&store, &root);
        output.result(&json, transfer_line(&pulled.root, &pulled.totals, pulled.seconds, whole));
        Ok(())
    })
}

fn what(args: &PullArgs) -> Outcome<What<'_>> {
    let usage = |what: &str| Err(Failure::new(Exit::Usage, what));
    match (&args.url, split_name(&args.what)) {
        (Some(url), _) => match args.what.parse() {
            Ok(root) => Ok(What::Root(root, url)),
            Err(_) => usage("the first argument is no CID"),
        },
        (None, (url, Some(name))) => Ok(What::Name(name, url)),
        (None, _) => usage("say what to pull: ROOT URL, or URL#name"),
    }
}

async fn named(client: &Client, name: &str) -> Outcome<Cid> {
    let record = client.name(name).await?;
    let missing = || Failure::new(Exit::Io, format_args!("the server has no name {name:?}"));
    Ok(record.ok_or_else(missing)?.root)
}

fn seeds(store: &LocalStore, have: &[Cid], name: Option<&str>) -> Outcome<Vec<Cid>> {
    if !have.is_empty() {
        return Ok(have.to_vec());
    }
    let before = name.map(|name| store.name(name)).transpose()?.flatten();
    match before {
        Some(entry) => Ok(vec![entry.root]),
        None => Ok(store.recent_roots(RECENT)?),
    }
}

/// What was pulled by name has that name here too.
fn keep(store: &LocalStore, root: Cid, name: Option<&str>) -> Outcome {
    store.note_root(&root)?;
    if let Some(name) = name {
        if store.name(name)?.is_none_or(|entry| entry.root != root) {
            let SetName::Set(_) = store.set_name(name, Expect::Any, &root)? else {
                unreachable!("nothing was expected")
            };
        }
    }
    Ok(())
}
