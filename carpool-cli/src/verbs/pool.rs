//! A pull from several servers at once.

use carpool_core::Cid;
use carpool_http::{
    Error as Http, Pool,
    pool::{PoolReport, SourceReport},
};
use carpool_store::Names;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{pull::seeds, push::dag_bytes};
use crate::{
    acquainted::Acquainted,
    args::PullArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    output::{Output, say, size},
    remote::{block_on, split_name, transfer_json, transfer_line, transfer_options},
};

pub(super) fn run(args: &PullArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let root: Cid = args.what.parse().map_err(|_| {
        Failure::new(Exit::Usage, "the first argument is no CID: names are pulled from one server")
    })?;
    let urls: Vec<String> = args.urls.iter().map(|url| split_name(url).0.to_owned()).collect();
    let acquainted = Acquainted::of_store(&blocks::path(store.clone())?);
    let pool = Pool::new(&urls, &transfer_options(&args.remote, &acquainted, None, None)?)?;
    let store = blocks::open(store, output)?;
    block_on(async {
        let held = seeds(&store, &args.have, None)?;
        let begun = Instant::now();
        let lines = Lines::begin(&pool, output);
        let pulled = pool.pull(root, held, Arc::clone(&store)).await;
        drop(lines);
        let pulled = pulled.map_err(|error| stopped_short(root, error, &pool, begun, output))?;
        store.note_root(&root)?;
        let whole = dag_bytes(&store, &root);
        output.result(&json_of(&pulled), table(&pulled, whole));
        Ok(())
    })
}

/// What came of a pull that did not get everything; programs are told what it did until then.
fn stopped_short(root: Cid, error: Http, pool: &Pool, begun: Instant, output: &Output) -> Failure {
    if let (Http::Incomplete { missing, .. }, true) = (&error, output.json()) {
        let mut totals = pool.totals();
        totals.missing = *missing;
        let mut value = transfer_json(&root, &totals, begun.elapsed().as_secs_f64(), None);
        value["sources"] = sources_json(&pool.sources());
        value["error"] = error.to_string().into();
        output.result(&value, "");
    } else {
        pool.sources().iter().for_each(|source| say(line_of(source, 0)));
    }
    error.into()
}

fn json_of(report: &PoolReport) -> Value {
    let mut value = transfer_json(&report.root, &report.totals, report.seconds, None);
    value["sources"] = sources_json(&report.sources);
    value
}

fn sources_json(sources: &[SourceReport]) -> Value {
    let all = bytes_of(sources).max(1);
    let source = |source: &SourceReport| {
        json!({
            "url": source.url,
            "kind": source.kind,
            "state": source.state,
            "blocks": source.blocks,
            "bytes": source.bytes,
            "share": ratio(source.bytes, all),
            "rate": source.rate,
            "steals": source.steals,
            "requests": source.requests,
            "failures": source.failures,
            "duplicate_bytes": source.duplicate_bytes,
            "wasted_bytes": source.wasted_bytes,
            "bytes_sent": source.bytes_sent,
            "bytes_received": source.bytes_received,
            "trouble": source.trouble,
        })
    };
    sources.iter().map(source).collect()
}

fn bytes_of(sources: &[SourceReport]) -> u64 {
    sources.iter().map(|source| source.bytes).sum()
}

#[expect(clippy::cast_precision_loss, reason = "for a person")]
fn ratio(part: u64, of: u64) -> f64 {
    part as f64 / of as f64
}

/// A line for each source, and the line of any transfer.
fn table(report: &PoolReport, whole: Option<u64>) -> String {
    let all = bytes_of(&report.sources);
    let mut text: String =
        report.sources.iter().map(|source| line_of(source, all) + "\n").collect();
    text += &transfer_line(&report.root, &report.totals, report.seconds, whole);
    text
}

fn line_of(source: &SourceReport, all: u64) -> String {
    let SourceReport { url, kind, state, blocks, bytes, steals, .. } = source;
    let kind = if kind.is_empty() { "unknown" } else { kind };
    let mut line = format!("{url}: {kind}, {state}, {blocks} blocks, {}", size(*bytes));
    if all > 0 {
        line += &format!(" ({:.1} %)", 100.0 * ratio(*bytes, all));
    }
    if let Some(rate) = source.rate {
        line += &format!(", {}/s", size(rate));
    }
    if *steals > 0 {
        line += &format!(", {steals} taken over");
    }
    let in_vain = source.duplicate_bytes + source.wasted_bytes;
    if in_vain > 0 {
        line += &format!(", {} in vain", size(in_vain));
    }
    if let Some(trouble) = source.trouble.as_ref().filter(|_| source.failures > 0 || *blocks == 0) {
        line += &format!("; {trouble}");
    }
    line
}

/// A line of progress for each source; they go away when this is dropped.
struct Lines(Option<(Arc<AtomicBool>, JoinHandle<()>)>);

impl Lines {
    fn begin(pool: &Pool, output: &Output) -> Self {
        const TICK: Duration = Duration::from_millis(100);
        if !output.has_bars() {
            return Self(None);
        }
        let (stop, pool) = (Arc::new(AtomicBool::new(false)), pool.clone());
        let seen = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let all = MultiProgress::new();
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = |_| all.add(ProgressBar::no_length().with_style(style.clone()));
            let bars: Vec<ProgressBar> = pool.sources().iter().map(bar).collect();
            while !seen.load(Relaxed) {
                let sources = pool.sources();
                let bytes = bytes_of(&sources);
                for (bar, source) in bars.iter().zip(&sources) {
                    bar.set_message(line_of(source, bytes));
                    bar.tick();
                }
                thread::sleep(TICK);
            }
            bars.iter().for_each(ProgressBar::finish_and_clear);
        });
        Self(Some((stop, thread)))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            stop.store(true, Relaxed);
            let _ = thread.join();
        }
    }
}
