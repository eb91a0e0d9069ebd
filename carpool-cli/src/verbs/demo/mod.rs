//! A folder travels to a server, changes, and travels again: on a copy, in a temporary folder.

mod baseline;
mod folder;
mod table;

use carpool_core::Cid;
use carpool_http::{
    Client, ClientOptions, Server, ServerOptions, Totals,
    client::{Acquaintances, Compress, Deltas},
};
use carpool_store::{BlockStore, LocalOptions, LocalStore};
use carpool_unixfs::Options;
use ignore::gitignore::Gitignore;
use std::{path::Path, sync::Arc};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    args::DemoArgs,
    failure::{Exit, Failure, Outcome},
    files::{Extracted, Importer, Selection, Tally, extract, import},
    interrupt::Leftover,
    output::Output,
    remote::{block_on, random_seed},
    verbs::sync::push_named,
};
use baseline::{Baseline, baseline};
use table::Row;

/// The name that the folder has on the server.
const NAME: &str = "demo";

pub(crate) fn run(args: &DemoArgs, output: &Output) -> Outcome {
    // Known as a leftover before it is there, so that no interrupt comes between.
    let name = format!("carpool-demo-{:016x}", random_seed());
    let room = Leftover::new(std::env::temp_dir().join(name));
    make_private(room.path()).map_err(|error| Failure::io("a temporary folder", &error))?;
    let copy = room.path().join("folder");
    let copied = folder::copy(args.dir.as_deref(), &copy)?;
    output.say(format_args!(
        "copied {} files of {} to {}; the original is not touched again",
        copied.files,
        copied.from.display(),
        copy.display()
    ));
    let rows = block_on(async {
        let server = Embedded::start(&room.path().join("server")).await?;
        let rows = story(&server, room.path(), &copy, output).await;
        server.stop().await;
        rows
    })?;
    table::print(output, &rows);
    copied.complete(output)
}

/// A new folder that nobody else can look into.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Mirror, change, mirror again, pull back, compare.
async fn story(server: &Embedded, room: &Path, copy: &Path, output: &Output) -> Outcome<Vec<Row>> {
    let (near, known) = (open(&room.join("near"))?, Acquaintances::default());
    let way = Way { store: &near, url: &server.url, known: &known };
    let first = mirror(&way, copy, None).await?;
    output.say(format_args!("mirrored {} to {}", first.root, server.url));

    let changes = folder::change(copy)?;
    let second = mirror(&way, copy, Some(first.root)).await?;
    output.say(format_args!("changed {changes}; mirrored {}", second.root));

    let inserted = folder::insert(copy)?;
    let third = mirror(&way, copy, Some(second.root)).await?;
    inserted.iter().for_each(|what| output.say(format_args!("{what}; mirrored {}", third.root)));

    let far = open(&room.join("far"))?;
    let client = client(&server.url, &Acquaintances::default())?;
    let pulled = client.pull(third.root, vec![], Arc::clone(&far)).await?;
    let back = room.join("back");
    extract(&*far, third.root, &back, false, &Extracted::default())?;
    folder::compare(copy, &back)?;
    output.say("pulled it back from the server: equal, byte for byte");

    let whole = baseline(&near, third.root, None)?;
    let inserted = inserted.unwrap_or_else(|| "nothing put anywhere".into());
    Ok(vec![
        Row::new("mirror the folder", first.root, &first.totals, &first.baseline),
        Row::new(format!("again: {changes}"), second.root, &second.totals, &second.baseline),
        Row::new(inserted, third.root, &third.totals, &third.baseline),
        Row::new("pull it into an empty store", third.root, &pulled.totals, &whole),
    ])
}

struct Mirrored {
    root: Cid,
    totals: Totals,
    baseline: Baseline,
}

/// From where to where, and what is known of that server.
struct Way<'a> {
    store: &'a Arc<LocalStore>,
    url: &'a str,
    known: &'a Acquaintances,
}

async fn mirror(way: &Way<'_>, folder: &Path, before: Option<Cid>) -> Outcome<Mirrored> {
    let Way { store, url, known } = way;
    let root = add(store, folder)?;
    let baseline = baseline(store, root, before)?;
    let pushed = push_named(&client(url, known)?, store, (NAME, false), root, |_| ()).await?;
    Ok(Mirrored { root, totals: pushed.totals, baseline })
}

fn add(store: &Arc<LocalStore>, folder: &Path) -> Outcome<Cid> {
    let selection = Selection {
        hidden: true,
        ignore: Gitignore::empty(),
        dereference: false,
        mode: false,
        mtime: false,
        excluded: Vec::new(),
    };
    let tally = Tally::default();
    let options = Options::default();
    let importer = Importer {
        selection: &selection,
        options: &options,
        empty_folders: true,
        wrap: false,
        tally: &tally,
    };
    let store: &dyn BlockStore = &**store;
    let imported = import(&importer, &[folder.to_path_buf()], Some(store))?;
    let root = imported.roots.first().map(|(_, root)| root.cid);
    root.ok_or_else(|| Failure::new(Exit::Io, "the folder could not be read"))
}

fn open(path: &Path) -> Outcome<Arc<LocalStore>> {
    Ok(Arc::new(LocalStore::open(path, LocalOptions::default())?))
}

/// On one machine blocks as they are would come sooner; this is to show what travels elsewhere.
fn client(url: &str, known: &Acquaintances) -> Outcome<Client> {
    let mut options = ClientOptions::default();
    options.deltas = Deltas::Always;
    options.compress = Compress::Always;
    options.acquaintances = known.clone();
    options.seed = random_seed();
    Ok(Client::new(url, options)?)
}

/// A server in this process.
struct Embedded {
    url: String,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Embedded {
    async fn start(store: &Path) -> Outcome<Self> {
        let server = Server::new(open(store)?, ServerOptions::default());
        let failed = |error: std::io::Error| Failure::io("listening on loopback", &error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            server.serve(listener, stopped).await
        });
        Ok(Self { url, stop, task })
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
