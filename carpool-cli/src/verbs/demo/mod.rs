//! A folder travels to a server, changes, and travels again: on a copy, in a temporary folder.

mod baseline;
mod folder;
mod table;

use carpool_core::Cid;
use carpool_http::{Client, ClientOptions, Server, ServerOptions, Totals};
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
    let near = open(&room.join("near"))?;
    let first = mirror(&near, copy, server, None).await?;
    output.say(format_args!("mirrored {} to {}", first.root, server.url));

    let changes = folder::change(copy)?;
    let second = mirror(&near, copy, server, Some(first.root)).await?;
    output.say(format_args!("changed {changes}; mirrored {}", second.root));

    let far = open(&room.join("far"))?;
    let client = client(&server.url)?;
    let pulled = client.pull(second.root, vec![], Arc::clone(&far)).await?;
    let back = room.join("back");
    extract(&*far, second.root, &back, false, &Extracted::default())?;
    folder::compare(copy, &back)?;
    output.say("pulled it back from the server: equal, byte for byte");

    let whole = baseline(&near, second.root, None)?;
    Ok(vec![
        Row::new("mirror the folder", first.root, &first.totals, &first.baseline),
        Row::new(format!("again: {changes}"), second.root, &second.totals, &second.baseline),
        Row::new("pull it into an empty store", second.root, &pulled.totals, &whole),
    ])
}

struct Mirrored {
    root: Cid,
    totals: Totals,
    baseline: Baseline,
}

async fn mirror(
    store: &Arc<LocalStore>,
    folder: &Path,
    server: &Embedded,
    before: Option<Cid>,
) -> Outcome<Mirrored> {
    let root = add(store, folder)?;
    let baseline = baseline(store, root, before)?;
    let pushed = push_named(&client(&server.url)?, store, (NAME, false), root, |_| ()).await?;
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

fn client(url: &str) -> Outcome<Client> {
    let mut options = ClientOptions::default();
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
