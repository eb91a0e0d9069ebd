use carpool_core::Cid;
use carpool_http::{Client, Totals};
use carpool_mirror::planner::{Encoding, Plan};
use carpool_store::{BlockStore, Expect, LocalStore, Names, SetName};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crate::{
    acquainted::Acquainted,
    args::{ImportFlags, SyncArgs},
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{Imported, Importer, Tally, import},
    folders::{Folder, Place, import_folder},
    output::{Output, say},
    remote::{
        block_on, client, encoding_json, push_meter, split_name, stopped_short, transfer_json,
        transfer_line,
    },
    savings::Savings,
    verbs::{
        add,
        follow::{Followed, follow},
        push::{dag_bytes, foresee},
        receive, rehearse,
    },
};

/// Which way it goes.
pub(crate) fn run(args: &SyncArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let usage = |what: &str| Err(Failure::new(Exit::Usage, what));
    match (server(&args.from), server(&args.to)) {
        (None, Some(_)) if args.delete => {
            usage("--delete is for a folder that is received: sync URL#NAME DIR")
        }
        (None, Some(url)) if args.watch => watch(args, url, store, output),
        (None, Some(url)) => send(args, url, store, None, output)?.1,
        (Some(_), None) if args.watch => {
            usage("--watch follows a folder that is sent, and not what a server has")
        }
        (Some(_), None) if args.import != ImportFlags::default() => usage(
            "a folder that is received is what the name points to; import settings are the sender's",
        ),
        (Some(url), None) => receive::run(args, url, store, output),
        (Some(_), Some(_)) => {
            usage("both are servers; say a folder: sync DIR URL, or URL#NAME DIR")
        }
        (None, None) => {
            usage("neither is a server; its URL begins with http:// or https://: sync DIR URL")
        }
    }
}

/// The URL of a server; everything else is a folder.
fn server(place: &Path) -> Option<&str> {
    let begins = |url: &&str| url.starts_with("http://") || url.starts_with("https://");
    place.to_str().filter(begins)
}

/// What is left out.
pub(super) fn left_out(args: &SyncArgs) -> Outcome<Gitignore> {
    let wrong = |error: ignore::Error| Failure::new(Exit::Usage, error);
    let mut builder = GitignoreBuilder::new("");
    for pattern in &args.exclude {
        builder.add_line(None, pattern).map_err(wrong)?;
    }
    for file in &args.ignore_file {
        builder.add(file).map_or(Ok(()), |error| Err(wrong(error)))?;
    }
    builder.build().map_err(wrong)
}

fn watch(args: &SyncArgs, url: &str, store: Option<PathBuf>, output: &Output) -> Outcome {
    let (at, ignore) = (blocks::path(store.clone())?, left_out(args)?);
    // So that there is something to be left out.
    drop(blocks::open(store.clone(), output)?);
    let followed = Followed { dir: &args.from, ignore: &ignore, store: &at };
    let mut last = None;
    follow(&followed, output, || {
        let (root, problems) = send(args, url, store.clone(), last, output)?;
        last = root.or(last);
        problems
    })
}

/// Sends a folder; gives its root, and whether all of it was taken. Nothing is told where the root is
/// the `last` one.
fn send(
    args: &SyncArgs,
    url: &str,
    store: Option<PathBuf>,
    last: Option<Cid>,
    output: &Output,
) -> Outcome<(Option<Cid>, Outcome)> {
    let output = &output.explaining(args.remote.verbose);
    let (url, name) = split_name(url);
    let name = name.map_or_else(|| folder_name(&args.from), |name| Ok(name.to_owned()))?;
    let at = blocks::path(store.clone())?;
    let acquainted = Acquainted::of_store(&at).kept_if(!args.dry_run);
    let flags = if args.dry_run { &rehearse::asking(&args.remote) } else { &args.remote };
    let client = client(url, flags, &acquainted, Some(&name))?;
    let store = blocks::open(store, output)?;
    store.name(&name)?;
    if args.dry_run {
        return Ok((None, rehearsed(args, &client, &name, (&store, &at), output)));
    }
    let source = Source { args, store: &*store, at: &at, output };
    let mut taken = source.import(false)?;
    let Some(mut root) = taken.root() else {
        return Ok((None, add::problems(output, &taken.imported)));
    };
    let under = (&*name, args.force);
    let mut pushed = push(&client, &store, under, root, output)?;
    if taken.known > 0 && pushed.as_ref().is_err_and(|(error, _)| lacks(error)) {
        // What is remembered of the folder is of more than the store has.
        taken = source.import(true)?;
        root = taken.root().unwrap_or(root);
        pushed = push(&client, &store, under, root, output)?;
    }
    let report = pushed
        .map_err(|(error, begun)| stopped_short(&root, error, &client.progress(), begun, output))?;
    named_here(&store, &name, root)?;
    let mut json = transfer_json(&root, &report.totals, report.seconds, report.plan.as_ref());
    json["encoding"] = encoding_json(report.encoding.as_ref());
    json["files_read"] = taken.read.into();
    json["files_known"] = taken.known.into();
    if args.remote.verbose {
        say(format_args!("files: {} read, {} unchanged", taken.read, taken.known));
    }
    if args.remote.verbose || output.json() {
        let savings = savings(args, &store, report.before, root)?;
        json["profiles"] = savings.as_ref().map_or(Value::Null, Savings::json);
        savings.iter().filter(|_| args.remote.verbose).for_each(say);
    }
    if last != Some(root) {
        let whole = dag_bytes(&store, &root);
        output.result(&json, transfer_line(&root, &report.totals, report.seconds, whole));
    }
    Ok((Some(root), add::problems(output, &taken.imported)))
}

/// What it would do, and nothing of it.
fn rehearsed(
    args: &SyncArgs,
    client: &Client,
    name: &str,
    (store, at): (&Arc<LocalStore>, &Path),
    output: &Output,
) -> Outcome {
    let stage = rehearse::stage(store);
    let source = Source { args, store: &*stage, at, output };
    let taken = source.import(false)?;
    let Some(root) = taken.root() else { return add::problems(output, &taken.imported) };
    let before = block_on(async {
        let before = client.name(name).await?.map(|record| record.root);
        if let Some(before) = before.filter(|before| *before != root) {
            rehearse::read_folders(client, &stage, before).await?;
            rehearse::lacking(&stage, before)?;
        }
        Ok(before)
    })?;
    rehearse::tell_send(&stage, before, root, output)?;
    add::problems(output, &taken.imported)
}

const fn lacks(error: &carpool_http::Error) -> bool {
    matches!(error, carpool_http::Error::SourceLacks { .. })
}

/// Pushes under a name, with a progress bar; a failure comes with the time of the beginning.
fn push(
    client: &Client,
    store: &Arc<LocalStore>,
    under: (&str, bool),
    root: Cid,
    output: &Output,
) -> Outcome<Result<Synced, (carpool_http::Error, Instant)>> {
    let begun = Instant::now();
    block_on(async {
        let progress = client.progress();
        let forecast = Arc::new(output.forecast());
        let _meter = push_meter(output, &progress, &forecast);
        let begins = |held: &[Cid]| foresee(&forecast, store, root, held);
        let pushed = push_named(client, store, under, root, begins).await;
        Ok(pushed.map_err(|error| (error, begun)))
    })
}

/// The folder's own name, also for `.` and `..`.
fn folder_name(dir: &Path) -> Outcome<String> {
    let resolved = dir.canonicalize().map_err(|error| Failure::io(dir.display(), &error))?;
    let name = resolved.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Failure::new(Exit::Usage, "this folder has no name; say one as URL#name"))
}

/// A folder that is to be sent.
struct Source<'a> {
    args: &'a SyncArgs,
    store: &'a dyn BlockStore,
    /// Where the store is.
    at: &'a Path,
    output: &'a Output,
}

/// What an import made.
struct Taken {
    imported: Imported,
    read: u64,
    /// Files that were not read: nothing about them has changed.
    known: u64,
}

impl Taken {
    fn root(&self) -> Option<Cid> {
        self.imported.roots.first().map(|(_, root)| root.cid)
    }
}

impl Source<'_> {
    /// Imports what is new or has changed since the last time; all of it if `anew`.
    fn import(&self, anew: bool) -> Outcome<Taken> {
        let (dir, flags) = (&self.args.from, &self.args.import);
        let options = add::options(flags)?;
        let mut selection = add::selection(flags, true, &[])?;
        selection.ignore = left_out(self.args)?;
        let tally = Arc::new(Tally::default());
        let importer = Importer {
            selection: &selection,
            options: &options,
            empty_folders: flags.empty_dirs.unwrap_or(true),
            wrap: false,
            tally: &tally,
        };
        let _meter = add::meter(self.output, &tally, std::slice::from_ref(dir), &selection);
        // Links that are followed lead out of what is remembered.
        let is_folder = dir.symlink_metadata().is_ok_and(|found| found.is_dir());
        if selection.dereference || !is_folder {
            let imported = import(&importer, std::slice::from_ref(dir), Some(self.store))?;
            return Ok(Taken { imported, read: tally.files.load(Relaxed), known: 0 });
        }
        self.import_known(&importer, anew)
    }

    fn import_known(&self, importer: &Importer<'_>, anew: bool) -> Outcome<Taken> {
        let place = Place::of(self.at, &self.args.from)?;
        if let Some(root) = place.under_way().first() {
            self.output.warn(format_args!(
                "this folder was being brought to {root} by a sync that was cut short: it is a mix"
            ));
        }
        let folder = Folder { dir: &self.args.from, place: &place, anew };
        let found = import_folder(importer, folder, Some(self.store))?;
        if let Some(memory) = found.memory.as_ref().filter(|_| !self.args.dry_run) {
            place.remember(memory)?;
        }
        let roots = found.root.map(|root| (String::new(), root)).into_iter().collect();
        let imported = Imported { roots, problems: found.problems, ..Imported::default() };
        let read = importer.tally.files.load(Relaxed);
        Ok(Taken { imported, read, known: found.known })
    }
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
    pub(crate) encoding: Option<Encoding>,
    /// What the name pointed to.
    pub(crate) before: Option<Cid>,
}

/// Pushes what changed since the root that the name points to, and moves the name, by force where
/// somebody else has moved it. Where blocks are to be sent, `begins` is told before what the server is
/// believed to hold.
pub(crate) async fn push_named(
    client: &Client,
    store: &Arc<LocalStore>,
    (name, force): (&str, bool),
    root: Cid,
    begins: impl FnOnce(&[Cid]),
) -> Result<Synced, carpool_http::Error> {
    let begun = Instant::now();
    let report = client.push_named(root, name, force, Arc::clone(store), begins).await?;
    let (totals, seconds) = (client.progress().totals(), begun.elapsed().as_secs_f64());
    let before = report.before;
    let (plan, encoding) = report.push.map(|push| (push.plan, push.encoding)).unwrap_or_default();
    Ok(Synced { totals, seconds, plan, encoding, before })
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
