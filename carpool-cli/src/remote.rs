//! Speaking to a server: options, names in URLs, the summary of a transfer.

use carpool_core::Cid;
use carpool_http::{
    Client, ClientOptions, Encodings, Error as Http, Progress, Tally, Totals, client::Listener,
    message::Dialect,
};
use carpool_mirror::planner::{Cost, Encoding, Plan, Planned};
use serde_json::{Value, json};
use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Instant,
};

use crate::{
    acquainted::Acquainted,
    args::{DialectArg, RemoteFlags, ServerFlags},
    explain::event_line,
    failure::{Exit, Failure, Outcome},
    output::{Output, say, size},
    progress::{Forecast, Meter, Reading, Total},
};

/// A seed that a stranger cannot guess, for hash tables.
pub(crate) fn random_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Runs async work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::io("starting threads", &error))?.block_on(work)
}

/// A client of `url` with what the command line says and what is known of servers, for something that
/// may have a name there.
pub(crate) fn client(
    url: &str,
    flags: &RemoteFlags,
    acquainted: &Acquainted,
    name: Option<&str>,
) -> Outcome<Client> {
    client_heard_as(url, flags, acquainted, name, None)
}

/// As [`client`]; what it explains begins with a name, where it has one.
pub(crate) fn client_heard_as(
    url: &str,
    flags: &RemoteFlags,
    acquainted: &Acquainted,
    name: Option<&str>,
    heard_as: Option<&str>,
) -> Outcome<Client> {
    Ok(Client::new(url, transfer_options(flags, acquainted, name, heard_as)?)?)
}

/// What the command line says, and what is known of servers, for a transfer of something that may have a
/// name there. What it explains begins with `heard_as`, where there is one.
pub(crate) fn transfer_options(
    flags: &RemoteFlags,
    acquainted: &Acquainted,
    name: Option<&str>,
    heard_as: Option<&str>,
) -> Outcome<ClientOptions> {
    let mut options = client_options(&flags.server)?;
    options.acquaintances = acquainted.known();
    options.name = name.map(str::to_owned);
    options.http2 = flags.http2;
    options.dialect = match flags.dialect {
        DialectArg::Auto => None,
        DialectArg::Spec => Some(Dialect::Spec),
        DialectArg::CarMirror => Some(Dialect::CarMirror),
    };
    options.seed = random_seed();
    options.strategy = flags.strategy.step();
    options.deltas = flags.delta.when();
    options.compress = flags.compress.when();
    let of = heard_as.map(|who| format!("{who}: ")).unwrap_or_default();
    let explain = move |event: &_| say(format_args!("{of}{}", event_line(event)));
    options.listener = flags.verbose.then(|| Listener::new(explain));
    Ok(options)
}

/// Options with the headers and certificates of the command line, for a client of any kind.
pub(crate) fn client_options(flags: &ServerFlags) -> Outcome<ClientOptions> {
    let mut options = ClientOptions::default();
    options.headers =
        flags.header.iter().map(|header| split_header(header)).collect::<Outcome<_>>()?;
    if let Some(token) = &flags.token {
        options.headers.push(("authorization".into(), format!("Bearer {token}")));
    }
    if let Some(file) = &flags.cacert {
        options.extra_roots =
            std::fs::read(file).map_err(|error| Failure::io(file.display(), &error))?;
    }
    Ok(options)
}

fn split_header(header: &str) -> Outcome<(String, String)> {
    let wrong = || Failure::new(Exit::Usage, format_args!("{header:?} is not `Name: value`"));
    let (name, value) = header.split_once(':').ok_or_else(wrong)?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// The URL, and the name after `#` if there is one.
pub(crate) fn split_name(url: &str) -> (&str, Option<&str>) {
    match url.split_once('#') {
        Some((url, name)) if !name.is_empty() => (url, Some(name)),
        Some((url, _)) => (url, None),
        None => (url, None),
    }
}

/// A progress bar for a pull. How many blocks are missing is known from what has come, and grows
/// while the DAG unfolds.
pub(crate) fn pull_meter(output: &Output, progress: &Arc<Progress>) -> Meter {
    let progress = Arc::clone(progress);
    let (mut missing, mut before) = (0, 0);
    output.meter(move || {
        let totals = progress.totals();
        if totals.missing != missing {
            (missing, before) = (totals.missing, totals.blocks_received);
        }
        let (done, bytes) = (totals.blocks_received, totals.block_bytes);
        Reading { what: "blocks", done, bytes, total: Total::Items(before + missing) }
    })
}

/// A progress bar for a push of as many blocks as `forecast` says. What a server answers that it
/// misses are the tops of what it misses, which says nothing of how much lies below them.
pub(crate) fn push_meter(
    output: &Output,
    progress: &Arc<Progress>,
    forecast: &Arc<Forecast>,
) -> Meter {
    output.meter(push_reading(progress, forecast))
}

/// What such a bar shows.
pub(crate) fn push_reading(
    progress: &Arc<Progress>,
    forecast: &Arc<Forecast>,
) -> impl FnMut() -> Reading + Send + 'static {
    let (progress, forecast) = (Arc::clone(progress), Arc::clone(forecast));
    move || {
        let totals = progress.totals();
        let (done, bytes) = (totals.blocks_sent, totals.block_bytes);
        Reading { what: "blocks", done, bytes, total: Total::Items(forecast.total()) }
    }
}

/// A transfer as JSON.
pub(crate) fn transfer_json(
    root: &Cid,
    totals: &Totals,
    seconds: f64,
    plan: Option<&Plan>,
) -> Value {
    json!({
        "root": root.to_string(),
        "rounds": totals.rounds,
        "requests": totals.requests,
        "bytes_sent": totals.bytes_sent,
        "bytes_received": totals.bytes_received,
        "blocks_sent": totals.blocks_sent,
        "blocks_received": totals.blocks_received,
        "blocks_duplicate": totals.duplicate,
        "blocks_missing": totals.missing,
        "encodings": encodings_json(totals),
        "seconds": seconds,
        "plan": plan.map(plan_json),
    })
}

/// Whether blocks were to travel as deltas, and why.
pub(crate) fn encoding_json(encoding: Option<&Encoding>) -> Value {
    encoding.map_or(Value::Null, |it| json!({ "deltas": it.deltas, "reason": it.reason }))
}

/// Blocks and their bytes by what they travelled as.
fn encodings_json(totals: &Totals) -> Value {
    let Encodings { plain, compressed, copies, prefix, .. } = totals.encodings;
    let tally = |tally: Tally| json!({ "blocks": tally.blocks, "bytes": tally.bytes });
    let [plain, compressed, copies, prefix] = [plain, compressed, copies, prefix].map(tally);
    json!({ "plain": plain, "compressed": compressed, "copies": copies, "prefix": prefix })
}

/// A plan as JSON: its steps in the order in which to try them, what each was thought to cost, and
/// why.
fn plan_json(plan: &Plan) -> Value {
    let step = |planned: &Planned| {
        let Cost { up, down, seconds } = planned.cost;
        let step = planned.step.token();
        json!({ "step": step, "bytes_up": up, "bytes_down": down, "seconds": seconds })
    };
    json!({ "steps": plan.steps.iter().map(step).collect::<Vec<_>>(), "reason": plan.reason })
}

/// A transfer that stopped short; programs are told what it did until then.
pub(crate) fn stopped_short(
    root: &Cid,
    error: Http,
    progress: &Progress,
    begun: Instant,
    output: &Output,
) -> Failure {
    if let (Http::Incomplete { missing, .. }, true) = (&error, output.json()) {
        let mut totals = progress.totals();
        totals.missing = (*missing).max(totals.missing);
        let mut value = transfer_json(root, &totals, begun.elapsed().as_secs_f64(), None);
        value["error"] = error.to_string().into();
        output.result(&value, "");
    }
    error.into()
}

/// A transfer as a line; `whole` is what all of the DAG would have been, in bytes, if known.
pub(crate) fn transfer_line(
    root: &Cid,
    totals: &Totals,
    seconds: f64,
    whole: Option<u64>,
) -> String {
    let moved = totals.bytes_sent + totals.bytes_received;
    let mut line = format!(
        "{root}: {} blocks, {} sent, {} received, {} rounds, {seconds:.2} s",
        totals.blocks_sent + totals.blocks_received,
        size(totals.bytes_sent),
        size(totals.bytes_received),
        totals.rounds,
    );
    if let Some(saved) = whole.and_then(|whole| whole.checked_sub(moved)) {
        line += &format!("; deduplication saved {}", size(saved));
    }
    line
}
