//! A push to several servers at once.

use carpool_core::Cid;
use carpool_http::{Client, Error as Http, Progress, PushReport, Totals};
use carpool_store::LocalStore;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    acquainted::Acquainted,
    args::PushArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::{Output, printable, size},
    progress::Line,
    remote::{block_on, client_heard_as, encoding_json, push_reading, transfer_json},
    verbs::push::{foresee, held_here, liked, without_name},
};

/// A server that is to hold the DAG.
struct Target {
    url: String,
    client: Client,
    /// It is no longer waited for.
    over: Arc<AtomicBool>,
}

/// What came of one.
struct Sunk {
    pushed: Result<PushReport, Http>,
    totals: Totals,
    seconds: f64,
}

/// Each server is pushed to as if it was the only one, and none waits for another; what one fails at stops
/// none.
pub(crate) fn run(args: &PushArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let acquainted = Acquainted::of_store(&blocks::path(store.clone())?);
    let targets = targets(args, &acquainted)?;
    let store = blocks::open(store, output)?;
    held_here(&store, &args.root)?;
    block_on(async {
        let (begun, forecast) = (Instant::now(), Arc::new(output.forecast()));
        let lines = targets.iter().map(|target| {
            let look = push_reading(&target.client.progress(), &forecast);
            Line { name: short(&target.url), look: Box::new(look), over: Arc::clone(&target.over) }
        });
        let meter = output.meters(lines.collect());
        foresee(&forecast, &store, args.root, &args.held);
        let sunk = push_all(args, &targets, &store).await;
        drop(meter);
        tell(output, args.root, &targets, &sunk, begun);
        verdict(&sunk)
    })
}

/// All that is wrong with the command line is found before anybody is asked.
fn targets(args: &PushArgs, acquainted: &Acquainted) -> Outcome<Vec<Target>> {
    let mut targets: Vec<Target> = Vec::new();
    for url in &args.urls {
        let (url, like) = (without_name(url)?, liked(args));
        if targets.iter().any(|other| other.url == url) {
            return Err(Failure::new(Exit::Usage, format_args!("{url} is there twice")));
        }
        let client = client_heard_as(url, &args.remote, acquainted, like, Some(url))?;
        targets.push(Target { url: url.to_owned(), client, over: Arc::default() });
    }
    Ok(targets)
}

/// Pushes to as many at a time as the command line says; the results are in its order.
async fn push_all(args: &PushArgs, targets: &[Target], store: &Arc<LocalStore>) -> Vec<Sunk> {
    let places = Arc::new(Semaphore::new(args.at_once.get()));
    let mut pushes = JoinSet::new();
    for (at, target) in targets.iter().enumerate() {
        let (places, store) = (Arc::clone(&places), Arc::clone(store));
        let (client, over) = (target.client.clone(), Arc::clone(&target.over));
        let (root, held, diff) = (args.root, args.held.clone(), args.diff.clone());
        pushes.spawn(async move {
            // It is never closed.
            let _place = places.acquire_owned().await;
            let begun = Instant::now();
            let pushed = client.push(root, held, diff.as_deref(), store).await;
            over.store(true, Relaxed);
            (at, sunk(pushed, &client.progress(), begun))
        });
    }
    let mut all = pushes.join_all().await;
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, sunk)| sunk).collect()
}

fn sunk(pushed: Result<PushReport, Http>, progress: &Progress, begun: Instant) -> Sunk {
    let mut totals = progress.totals();
    if let Err(Http::Incomplete { missing, .. }) = &pushed {
        totals.missing = (*missing).max(totals.missing);
    }
    Sunk { pushed, totals, seconds: begun.elapsed().as_secs_f64() }
}

impl Sunk {
    fn json(&self, root: &Cid, url: &str) -> Value {
        let pushed = self.pushed.as_ref().ok();
        let plan = pushed.and_then(|pushed| pushed.plan.as_ref());
        let mut json = transfer_json(root, &self.totals, self.seconds, plan);
        let encoding = pushed.and_then(|pushed| pushed.encoding.as_ref());
        json["encoding"] = encoding_json(encoding);
        json["url"] = url.into();
        json["error"] = self.pushed.as_ref().err().map(ToString::to_string).into();
        json["exit_code"] = self.exit().into();
        json
    }

    fn exit(&self) -> u8 {
        self.pushed.as_ref().err().map_or(0, |error| Exit::of(error) as u8)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate for people"
    )]
    fn rate(&self) -> u64 {
        (self.totals.bytes_sent as f64 / self.seconds.max(0.001)) as u64
    }

    fn state(&self) -> String {
        self.pushed
            .as_ref()
            .err()
            .map_or_else(|| "done".to_owned(), |error| printable(&error.to_string()))
    }
}

/// One object of all for programs; a table for people.
fn tell(output: &Output, root: Cid, targets: &[Target], sunk: &[Sunk], begun: Instant) {
    let all = || targets.iter().zip(sunk);
    let seconds = begun.elapsed().as_secs_f64();
    let sinks: Vec<Value> = all().map(|(target, sunk)| sunk.json(&root, &target.url)).collect();
    let widest = targets.iter().map(|target| target.url.len()).max().unwrap_or(0);
    let mut table =
        format!("{root}: {} of {} servers hold it now, {seconds:.2} s", done(sunk), sunk.len());
    for (target, sunk) in all() {
        table += &format!(
            "\n{:widest$}  {:>8} blocks  {:>12} sent  {:>12}/s  {:>7.2} s  {}",
            target.url,
            sunk.totals.blocks_sent,
            size(sunk.totals.bytes_sent),
            size(sunk.rate()),
            sunk.seconds,
            sunk.state(),
        );
    }
    let json = json!({ "root": root.to_string(), "seconds": seconds, "sinks": sinks });
    output.result(&json, table);
}

fn done(sunk: &[Sunk]) -> usize {
    sunk.iter().filter(|sunk| sunk.pushed.is_ok()).count()
}

/// What all failures have in common is the exit code, and otherwise that it is incomplete.
fn verdict(sunk: &[Sunk]) -> Outcome {
    let mut exits = sunk.iter().filter_map(|sunk| sunk.pushed.as_ref().err()).map(Exit::of);
    let Some(first) = exits.next() else { return Ok(()) };
    let exit = if exits.all(|exit| exit == first) { first } else { Exit::Incomplete };
    let what = format!("{} of {} servers do not hold it", sunk.len() - done(sunk), sunk.len());
    Err(Failure::new(exit, what))
}

/// What tells servers apart in a narrow line.
fn short(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, rest)| rest).to_owned()
}
