//! `sync URL#NAME DIR`: a folder becomes what a name points to.

use carpool_core::Cid;
use carpool_http::{Client, PullReport};
use carpool_store::{BlockStore, LocalStore};
use carpool_unixfs::Root;
use ignore::gitignore::Gitignore;
use serde_json::{Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};

use crate::{
    acquainted::Acquainted,
    args::SyncArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    files::Extracted,
    folders::{Arrival, MAX_ENTRIES, Memory, Place, Stamp, Wish, arrive, plan, remembered, walk},
    output::{Output, printable},
    progress::{Meter, Reading, Total},
    remote::{
        block_on, client, encoding_json, pull_meter, split_name, stopped_short, transfer_json,
        transfer_line,
    },
    verbs::{
        pull::{named, seeds},
        push::dag_bytes,
        rehearse,
        sync::{left_out, named_here},
    },
};

pub(super) fn run(args: &SyncArgs, url: &str, store: Option<PathBuf>, output: &Output) -> Outcome {
    let output = &output.explaining(args.remote.verbose);
    let (base, name) = split_name(url);
    let name = name.ok_or_else(|| {
        Failure::new(Exit::Usage, format_args!("say which name to receive: {base}#NAME"))
    })?;
    let ignore = left_out(args)?;
    let at = blocks::path(store.clone())?;
    let acquainted = Acquainted::of_store(&at).kept_if(!args.dry_run);
    let flags = if args.dry_run { &rehearse::asking(&args.remote) } else { &args.remote };
    let client = client(base, flags, &acquainted, Some(name))?;
    let store = blocks::open_verifying(store, output)?;
    if args.dry_run {
        return rehearsed(args, &client, name, &ignore, (&store, &at), output);
    }
    let pulled = pull(&client, &store, name, output)?;
    make_folder(&args.to)?;
    let place = Place::of(&at, &args.to)?;
    let Some(_lock) = place.lock()? else {
        let what = format_args!("another sync is bringing {} to a root", args.to.display());
        return Err(Failure::new(Exit::Refused, what));
    };
    let under_way = place.under_way();
    let wish = Wish {
        root: pulled.root,
        delete: args.delete,
        force: args.force,
        ignore: &ignore,
        max_entries: MAX_ENTRIES,
        under_way: &under_way,
    };
    let plan = bring(&args.to, &place, &store, wish, output)?;
    tell(&store, &pulled, &plan, output);
    Ok(())
}

/// What it would do, and nothing of it.
fn rehearsed(
    args: &SyncArgs,
    client: &Client,
    name: &str,
    ignore: &Gitignore,
    (store, at): (&Arc<LocalStore>, &Path),
    output: &Output,
) -> Outcome {
    let stage = rehearse::stage(store);
    let root = block_on(async {
        let root = named(client, store, name).await?;
        rehearse::read_folders(client, &stage, root).await?;
        Ok(root)
    })?;
    let travels = rehearse::lacking(&stage, root)?;
    let place = args.to.exists().then(|| Place::of(at, &args.to)).transpose()?;
    let under_way = place.as_ref().map_or_else(Vec::new, Place::under_way);
    let (delete, force, under_way) = (args.delete, args.force, &under_way[..]);
    let max_entries = MAX_ENTRIES;
    let wish = Wish { root, delete, force, ignore, max_entries, under_way };
    let memory = place.as_ref().and_then(Place::memory);
    let plan = planned(&args.to, memory.as_ref(), &*stage, wish, place.is_some())?;
    rehearse::tell_receive(&args.to, &plan, root, travels, output);
    match plan.edits.len() {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Refused, format_args!("{n} paths were changed here"))),
    }
}

/// Pulls what the name points to, all of it.
fn pull(
    client: &Client,
    store: &Arc<LocalStore>,
    name: &str,
    output: &Output,
) -> Outcome<PullReport> {
    block_on(async {
        let (begun, progress) = (Instant::now(), client.progress());
        let root = named(client, store, name).await?;
        let seeds = seeds(store, &[], Some(name))?;
        let meter = pull_meter(output, &progress);
        let pulled = client.pull(root, seeds, Arc::clone(store)).await;
        drop(meter);
        let mut pulled =
            pulled.map_err(|error| stopped_short(&root, error, &progress, begun, output))?;
        named_here(store, name, root)?;
        client.note_acknowledged(name, root);
        // The look at the name counts too.
        pulled.totals = progress.totals();
        pulled.seconds = begun.elapsed().as_secs_f64();
        Ok(pulled)
    })
}

fn make_folder(dir: &Path) -> Outcome {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|error| Failure::io(dir.display(), &error)),
    }
}

/// Brings a folder to a root that is held, unless edits speak against it.
fn bring(
    dir: &Path,
    place: &Place,
    store: &Arc<LocalStore>,
    wish: Wish<'_>,
    output: &Output,
) -> Outcome<Arrival> {
    let looked = SystemTime::now();
    let memory = place.memory();
    let mut plan = planned(dir, memory.as_ref(), &**store, wish, true)?;
    refuse(dir, &plan, wish.root, output)?;
    if plan.is_done() {
        place.end_way();
        return Ok(plan);
    }
    if plan.has_work() {
        place.begin_way(&wish.root, wish.under_way)?;
    }
    let done = Arc::new(Extracted::default());
    let meter = meter(output, &done);
    arrive(&**store, dir, &mut plan, &done)?;
    drop(meter);
    let root = Root { cid: wish.root, size: 0, tsize: 0 };
    let top = stamp(dir)?;
    place.remember(&remembered(&plan, place, memory.as_ref(), looked, (top, root)))?;
    place.end_way();
    Ok(plan)
}

fn planned(
    dir: &Path,
    memory: Option<&Memory>,
    store: &dyn BlockStore,
    wish: Wish<'_>,
    exists: bool,
) -> Outcome<Arrival> {
    let top = if exists { stamp(dir)? } else { Stamp::default() };
    let tree = walk(dir, memory, wish.ignore);
    let known = memory.and_then(Memory::top).filter(|top| !top.partial);
    plan(store, dir, &tree, top, known.map(|top| top.root), wish)
}

fn stamp(dir: &Path) -> Outcome<Stamp> {
    let found = fs::metadata(dir).map_err(|error| Failure::io(dir.display(), &error))?;
    if found.is_dir() {
        return Ok(Stamp::of(&found));
    }
    Err(Failure::new(Exit::Refused, format_args!("{} is no folder", dir.display())))
}

/// Names what would be lost, and fails.
fn refuse(dir: &Path, plan: &Arrival, root: Cid, output: &Output) -> Outcome {
    if plan.edits.is_empty() {
        return Ok(());
    }
    for (path, why) in &plan.edits {
        output.warn(format_args!("{}: {why}", shown(&dir.join(path))));
    }
    let n = plan.edits.len();
    let what = format!("{n} paths would be lost, so nothing is touched; --force overwrites them");
    let edits: Vec<Value> = plan.edits.iter().map(|(path, _)| shown(path).into()).collect();
    if output.json() {
        let value = json!({"root": root.to_string(), "local_edits": edits, "error": what});
        output.result(&value, "");
    }
    Err(Failure::new(Exit::Refused, what))
}

pub(super) fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

fn meter(output: &Output, done: &Arc<Extracted>) -> Meter {
    let done = Arc::clone(done);
    output.meter(move || Reading {
        what: "blocks",
        done: done.blocks.load(Relaxed),
        bytes: done.bytes.load(Relaxed),
        total: Total::Bytes(0),
    })
}

fn tell(store: &Arc<LocalStore>, pulled: &PullReport, plan: &Arrival, output: &Output) {
    let PullReport { root, totals, seconds, plan: how, .. } = pulled;
    let mut json = transfer_json(root, totals, *seconds, how.as_ref());
    let (added, changed, removed) = (plan.added.len(), plan.changed.len(), plan.removed.len());
    json["encoding"] = encoding_json(pulled.encoding.as_ref());
    json["files_added"] = added.into();
    json["files_changed"] = changed.into();
    json["files_removed"] = removed.into();
    json["files_read"] = plan.read.into();
    json["files_known"] = plan.known.into();
    let line = transfer_line(root, totals, *seconds, dag_bytes(store, root));
    output
        .result(&json, format_args!("{line}; {added} added, {changed} changed, {removed} removed"));
}
