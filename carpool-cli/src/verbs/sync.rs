use carpool_core::Cid;
use carpool_http::{Client, PushReport};
use carpool_store::{BlockStore, Expect, LocalStore, Names, SetName};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    args::SyncArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{Imported, Importer, Tally, import},
    output::Output,
    remote::{block_on, client, meter, split_name, transfer_json, transfer_line},
    verbs::{add, push::dag_bytes},
};

pub(crate) fn run(args: &SyncArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let (url, name) = split_name(&args.url);
    let name = name.map_or_else(|| folder_name(&args.dir), |name| Ok(name.to_owned()))?;
    let store = blocks::open(store, output)?;
    let imported = import_folder(args, &store, output)?;
    let root = match imported.roots.first() {
        Some((_, root)) => root.cid,
        None => return add::problems(output, &imported),
    };
    let report = block_on(async {
        let client = client(url, &args.remote)?;
        let _meter = meter(output, &client.progress());
        push_named(&client, &store, &name, root).await
    })?;
    let json = transfer_json(&root, &report.totals, report.seconds);
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
    let _meter = add::meter(output, &tally);
    import(&importer, std::slice::from_ref(&args.dir), Some(&**store as &dyn BlockStore))
}

/// Pushes what changed since the root that the name points to, and moves the name. A name that
/// has moved meanwhile is a conflict and stays as it is.
pub(crate) async fn push_named(
    client: &Client,
    store: &Arc<LocalStore>,
    name: &str,
    root: Cid,
) -> Outcome<PushReport> {
    let before = client.name(name).await?.map(|record| record.root);
    let held: Vec<Cid> = before.into_iter().collect();
    let diff = Some(name).filter(|_| before.is_some());
    let mut report = client.push(root, held, diff, Arc::clone(store)).await?;
    if before != Some(root) {
        client.set_name(name, root, before).await?;
    }
    report.totals = client.progress().totals();
    store.note_root(&root)?;
    let SetName::Set(_) = store.set_name(name, Expect::Any, &root)? else {
        unreachable!("nothing was expected")
    };
    Ok(report)
}
