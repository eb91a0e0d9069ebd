use carpool_core::Cid;
use carpool_http::Client;
use carpool_store::{LocalStore, Names};
use std::{path::PathBuf, sync::Arc, time::Instant};

use crate::{
    acquainted::Acquainted,
    args::PullArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::Output,
    remote::{
        block_on, client, encoding_json, pull_meter, split_name, stopped_short, transfer_json,
        transfer_line,
    },
    verbs::{push::dag_bytes, sync::named_here},
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
    if args.urls.len() > 1 {
        return super::pool::run(args, store, output);
    }
    let output = &output.explaining(args.remote.verbose);
    let what = what(args)?;
    let (What::Root(_, url) | What::Name(_, url)) = what;
    let name = match what {
        What::Root(..) => None,
        What::Name(name, _) => Some(name),
    };
    let acquainted = Acquainted::of_store(&blocks::path(store.clone())?);
    let client = client(url, &args.remote, &acquainted, name)?;
    let store = blocks::open(store, output)?;
    block_on(async {
        let root = match what {
            What::Root(root, _) => root,
            What::Name(name, _) => named(&client, &store, name).await?,
        };
        let seeds = seeds(&store, &args.have, name)?;
        let (begun, progress) = (Instant::now(), client.progress());
        let meter = pull_meter(output, &progress);
        let pulled = client.pull(root, seeds, Arc::clone(&store)).await;
        drop(meter);
        let pulled =
            pulled.map_err(|error| stopped_short(&root, error, &progress, begun, output))?;
        match name {
            Some(name) => {
                named_here(&store, name, root)?;
                client.note_acknowledged(name, root);
            }
            None => store.note_root(&root)?,
        }
        let mut json =
            transfer_json(&pulled.root, &pulled.totals, pulled.seconds, pulled.plan.as_ref());
        json["encoding"] = encoding_json(pulled.encoding.as_ref());
        let whole = dag_bytes(&store, &root);
        output.result(&json, transfer_line(&pulled.root, &pulled.totals, pulled.seconds, whole));
        Ok(())
    })
}

fn what(args: &PullArgs) -> Outcome<What<'_>> {
    let usage = |what: &str| Err(Failure::new(Exit::Usage, what));
    match (args.urls.first(), split_name(&args.what)) {
        (Some(url), _) => match args.what.parse() {
            Ok(root) => Ok(What::Root(root, url)),
            Err(_) => usage("the first argument is no CID"),
        },
        (None, (url, Some(name))) => Ok(What::Name(name, url)),
        (None, _) => usage("say what to pull: ROOT URL..., or URL#name"),
    }
}

/// A name that no store takes is refused before anybody is asked.
pub(super) async fn named(client: &Client, store: &LocalStore, name: &str) -> Outcome<Cid> {
    store.name(name)?;
    let record = client.name(name).await?;
    let missing = || Failure::new(Exit::Io, format_args!("the server has no name {name:?}"));
    Ok(record.ok_or_else(missing)?.root)
}

pub(super) fn seeds(store: &LocalStore, have: &[Cid], name: Option<&str>) -> Outcome<Vec<Cid>> {
    if !have.is_empty() {
        return Ok(have.to_vec());
    }
    let before = name.map(|name| store.name(name)).transpose()?.flatten();
    match before {
        Some(entry) => Ok(vec![entry.root]),
        None => Ok(store.recent_roots(RECENT)?),
    }
}
