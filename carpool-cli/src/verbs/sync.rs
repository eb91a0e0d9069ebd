use carpool_core::Cid;
use carpool_http::{Client, Totals};
use carpool_mirror::planner::Plan;
use carpool_store::{BlockStore, Expect, LocalStore, Names, SetName};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use crate::{
    acquainted::Acquainted,
    args::SyncArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{Imported, Importer, Tally, import},
    output::{Output, say},
    remote::{
        block_on, client, push_meter, split_name, stopped_short, transfer_json, transfer_line,
    },
    savings::Savings,
    verbs::{
        add,
        push::{dag_bytes, foresee},
    },
};

pub(crate) fn run(args: &SyncArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let output = &output.explaining(args.remote.verbose);
    let (url, name) = split_name(&args.url);
    let name = name.map_or_else(|| folder_name(&args.dir), |name| Ok(name.to_owned()))?;
    let acquainted = Acquainted::of_store(&blocks::path(store.clone())?);
    let client = client(url, &args.remote, &acquainted, Some(&name))?;
    let store = blocks::open(store, output)?;
    store.name(&name)?;
    let imported = import_folder(args, &store, output)?;
    let root = match imported.roots.first() {
        Some((_, root)) => root.cid,
        None => return add::problems(output, &imported),
    };
    let report = block_on(async {
        let (begun, progress) = (Instant::now(), client.progress());
        let forecast = Arc::new(output.forecast());
        let meter = push_meter(output, &progress, &forecast);
        let begins = |held: &[Cid]| foresee(&forecast, &store, root, held);
        let pushed = push_named(&client, &store, &name, root, begins).await;
        drop(meter);
        pushed.map_err(|error| stopped_short(&root, error, &progress, begun, output))
    })?;
    named_here(&store, &name, root)?;
    let mut json = transfer_json(&root, &report.totals, report.seconds, report.plan.as_ref());
    if args.remote.verbose || output.json() {
        let savings = savings(args, &store, report.before, root)?;
        json["profiles"] = savings.as_ref().map_or(Value::Null, Savings::json);
        savings.iter().filter(|_| args.remote.verbose).for_each(say);
    }
    let whole = dag_bytes(&store, &root);
    output.result(&json, transfer_line(&root, &report.totals, report.seconds, whole));
    add::problems(output, &imported)
}

/// The folder's own name, also for `.` and `..`.
fn folder_name(dir: &Path) -> Outcome<String> {
    let resolved = dir.canonicalize().map_err(|error| Failure::io(dir.display(), &error))?;
    let name = resolved.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Failure::new(Exit::Usage, "this folder has no name; say one as URL#name"))
}

fn import_folder(args: &SyncArgs, store: &Arc<LocalStore>, output: &Output) -> Outcome<Imported> {
    let options = add::options(&args.import)?;
    let selection = add::selection(&args.import, true, &[])?;
    let tally = Arc::new(Tally::default());
    let importer = Importer {
        selection: &selection,
        options: &options,
        empty_folders: args.import.empty_dirs.unwrap_or(true),
        wrap: false,
        tally: &tally,
    };
    let _meter = add::meter(output, &tally, std::slice::from_ref(&args.dir), &selection);
    import(&importer, std::slice::from_ref(&args.dir), Some(&**store as &dyn BlockStore))
}

/// What the change would have cost under another profile, where there is a version before.
fn savings(
    args: &SyncArgs,
    store: &Arc<LocalStore>,
    before: Option<Cid>,
    root: Cid,
) -> Outcome<Option<Savings>> {
    let options = add::options(&args.import)?;
    let used = (args.import.profile, &options);
    Ok(before.and_then(|before| Savings::of_change(&**store, (before, root), used)))
}

/// What a push under a name did, all requests counted.
pub(crate) struct Synced {
    pub(crate) totals: Totals,
    pub(crate) seconds: f64,
    pub(crate) plan: Option<Plan>,
    /// What the name pointed to.
    pub(crate) before: Option<Cid>,
}

/// Pushes what changed since the root that the name points to, and moves the name; nothing where
/// the name points there already, because a server holds what its names point to. A name that has
/// moved meanwhile is a conflict and stays as it is. Where blocks are to be sent, `begins` is told
/// before what the server is known to hold.
pub(crate) async fn push_named(
    client: &Client,
    store: &Arc<LocalStore>,
    name: &str,
    root: Cid,
    begins: impl FnOnce(&[Cid]),
) -> Result<Synced, carpool_http::Error> {
    let begun = Instant::now();
    let before = client.name(name).await?.map(|record| record.root);
    let mut plan = None;
    if before != Some(root) {
        let held: Vec<Cid> = before.into_iter().collect();
        begins(&held);
        let diff = Some(name).filter(|_| before.is_some());
        plan = client.push(root, held, diff, Arc::clone(store)).await?.plan;
        client.set_name(name, root, before).await?;
    }
    let (totals, seconds) = (client.progress().totals(), begun.elapsed().as_secs_f64());
    Ok(Synced { totals, seconds, plan, before })
}

/// What was sent or fetched by name has that name here too.
pub(crate) fn named_here(store: &LocalStore, name: &str, root: Cid) -> Outcome {
    store.note_root(&root)?;
    if store.name(name)?.is_none_or(|entry| entry.root != root) {
        let SetName::Set(_) = store.set_name(name, Expect::Any, &root)? else {
            unreachable!("nothing was expected")
        };
    }
    Ok(())
}
