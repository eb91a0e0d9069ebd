use axum::{
    extract::{Extension, Path, Query, Request, State},
    response::{IntoResponse, Response},
};
use carpool_core::{Cid, Limits};
use carpool_mirror::{
    Sink, Status,
    extension::{self, Offer},
    planner::Step,
    sketch::CellRange,
};
use http::{HeaderMap, StatusCode, Version, header};
use serde::Deserialize;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use tokio::sync::mpsc;

use super::{Server, SharedStore, held::header_with, observe::Observed, refusal::Refusal, root_of};
use crate::{
    Error, Result,
    body::{drain, pump},
    client::blocking,
    driver::{Arriving, Body, CHANNEL_CHUNKS, Common, DeltaBody, Next, SinkDriver, Taken},
    message::{self, Dialect, Kind},
    routes,
};

/// The query of a push.
#[derive(Debug, Deserialize)]
pub(super) struct PushQuery {
    /// A related CID or name (HTTP §3.1.2).
    diff: Option<String>,
}

/// `POST /api/v0/dag/push` (HTTP §3): a CAR in, a status out. 200 when the DAGs of the CAR's roots
/// are complete, 202 when blocks are missing.
pub(super) async fn push(
    State(server): State<Server>,
    Query(query): Query<PushQuery>,
    Extension(observed): Extension<Observed>,
    request: Request,
) -> Result<Response, Refusal> {
    let (dialect, hint) = (Dialect::Spec, query.diff);
    let offer = offer(request.headers());
    let mut target =
        Target { dialect, root: None, hint, early: false, offer, observed, common: None };
    if is_delta(request.headers()) && !server.options.read_only {
        target = match presume(&server, target).await {
            Ok(target) => target,
            Err(refusal) => {
                // The client listens while it sends: it need not send all of it.
                tokio::spawn(async move { server.drain(request).await });
                return Err(refusal);
            }
        };
    }
    receive(server, target, request).await
}

fn is_delta(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == routes::DELTA)
}

/// Holds what a delta body presumes to what is here, before any of it is read.
async fn presume(server: &Server, mut target: Target) -> Result<Target, Refusal> {
    if !server.options.takes_deltas() {
        let reason = "delta bodies are not taken here";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let (server, offer, hint) = (server.clone(), target.offer.clone(), target.hint.clone());
    let common = blocking(move || presumed(&server, offer.unwrap_or_default(), hint.as_deref()));
    target.common = Some(common.await?);
    target.root = target.common.as_ref().and_then(|common| common.wanted.first().copied());
    Ok(target)
}

/// What the body is held against: the root that is pushed, and roots that are held here with all that
/// lies below them.
fn presumed(server: &Server, offer: Offer, hint: Option<&str>) -> Result<Common, Refusal> {
    let (Some(root), Some(first)) = (offer.root, offer.held.first().copied()) else {
        let reason = "a delta body comes with the root and held roots in the header";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
    };
    if offer.expects_name {
        let name = hint.unwrap_or_default();
        let current = server.store.name(name).map_err(Error::from)?;
        if current.as_ref().is_none_or(|entry| entry.root != first) {
            return Err(Refusal::conflict(name, current.as_ref()));
        }
    }
    for held in &offer.held {
        if !server.holds(*held)? {
            let reason = format!("the DAG below {held} is not all held here");
            return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, reason));
        }
    }
    Ok(Common { wanted: vec![root], held: offer.held })
}

/// What the source says that it can read.
fn offer(headers: &HeaderMap) -> Option<Offer> {
    headers.get(extension::HEADER).and_then(|value| Offer::decode(value.to_str().ok()?))
}

/// `POST /dag/push/{root}`, as car-mirror 0.1.0 has it: the path names the root, whatever the CAR's
/// header says.
pub(super) async fn push_as_car_mirror(
    State(server): State<Server>,
    Path(root): Path<String>,
    Extension(observed): Extension<Observed>,
    request: Request,
) -> Result<Response, Refusal> {
    let root = match root_of(&root) {
        Ok(root) => root,
        Err(refusal) => {
            server.drain(request).await;
            return Err(refusal);
        }
    };
    let (dialect, root) = (Dialect::CarMirror, Some(root));
    let (hint, offer, common) = (None, None, None);
    let target = Target { dialect, root, hint, early: false, offer, observed, common };
    receive(server, target, request).await
}

/// What a push is about, beside its CAR.
struct Target {
    dialect: Dialect,
    /// The root, where the CAR's header does not name it.
    root: Option<Cid>,
    /// A related CID or name (HTTP §3.1.2).
    hint: Option<String>,
    /// Whether an answer may come before the end of the CAR.
    early: bool,
    /// What the source says that it can read.
    offer: Option<Offer>,
    observed: Observed,
    /// What its body is held against, where that is no CAR.
    common: Option<Common>,
}

/// A body on its way in.
#[expect(clippy::large_enum_variant, reason = "there is one for each push, on the stack")]
enum Incoming {
    Car(Body),
    Delta(Box<DeltaBody>),
}

impl Incoming {
    fn new(chunks: Arriving, target: &Target, limits: &Limits) -> Self {
        match &target.common {
            Some(common) => Self::Delta(Box::new(DeltaBody::new(chunks, common, limits))),
            None => Self::Car(Body::new(chunks, limits)),
        }
    }

    /// The roots in the header of a CAR.
    fn roots(&mut self) -> Result<Vec<Cid>> {
        match self {
            Self::Car(body) => body.roots(),
            Self::Delta(_) => Ok(Vec::new()),
        }
    }

    /// Takes it to its end, and says which old blocks were not there. What does not come out of a delta body is
    /// missing still, and is answered so.
    fn receive(&mut self, driver: &mut SinkDriver<SharedStore>) -> Result<Vec<Cid>> {
        match self {
            Self::Car(body) => driver.receive(body).map(|()| Vec::new()),
            Self::Delta(body) => driver.receive_delta(body).map(|taken| match taken {
                Taken::But(lost) => lost,
                Taken::Whole | Taken::InPart => Vec::new(),
            }),
        }
    }
}

/// What is answered.
enum Answered {
    Plain(Status),
    Extended(Box<extension::Request>),
}

/// What became of a push.
struct Received {
    answered: Answered,
    duplicates: u64,
    /// Old blocks that a delta body was against and that are not here.
    lost: Vec<Cid>,
}

/// Bytes of held blocks after which a push is answered early. Over HTTP/1.1 clients fail that are
/// answered while they write, so there a push is read to its end.
const EARLY_BYTES: u64 = 256 << 10;

async fn receive(
    server: Server,
    mut target: Target,
    request: Request,
) -> Result<Response, Refusal> {
    // A source of the specification remembers what it sent, so all of that has to be read.
    target.early = target.dialect == Dialect::CarMirror && request.version() == Version::HTTP_2;
    if server.options.read_only {
        server.drain(request).await;
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this server is read-only"));
    }
    let place = match server.place() {
        Ok(place) => place,
        Err(refusal) => {
            server.drain(request).await;
            return Err(refusal);
        }
    };
    let unpacked = match server.unpacked(request.headers()) {
        Ok(unpacked) => unpacked,
        Err(refusal) => {
            server.drain(request).await;
            return Err(refusal);
        }
    };
    let (dialect, pace) = (target.dialect, server.options.pace());
    let extended = target.offer.is_some();
    let takes_deltas = server.options.takes_deltas();
    let (drain_bytes, says) = (server.options.drain_bytes, server.clone());
    let (to, incoming) = mpsc::channel(CHANNEL_CHUNKS);
    let taking = tokio::task::spawn_blocking(move || {
        let (coding, _place) = unpacked.unzip();
        let arriving = Arriving::new(incoming, coding)?;
        let body = Incoming::new(arriving, &target, &server.options.push_limits());
        take(&server, body, &target)
    });
    let rest = pump(request.into_body(), to, pace).await;
    let taken = match taking.await {
        Ok(taken) => taken,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    if taken.is_err() {
        drain(rest, drain_bytes, pace).await;
    }
    drop(place);
    let Received { answered, duplicates, lost } = taken?;
    let mut response = match answered {
        Answered::Plain(status) => answer(dialect, &status, duplicates),
        Answered::Extended(request) => answer_extended(&request, duplicates),
    };
    says.say_taken(&mut response);
    if extended {
        let answer = extension::Answer { takes_deltas, ..Default::default() };
        response.headers_mut().insert(extension::HEADER, header_with(&answer, &lost));
    }
    Ok(response)
}

/// The whole of a push on the server's side: what is held, what came, what is missing now.
fn take(server: &Server, mut body: Incoming, target: &Target) -> Result<Received> {
    let (roots, sink) = sink(server, &mut body, target)?;
    target.observed.is_about(roots.len(), roots.first().copied());
    let progress = target.observed.progress();
    let limits = &server.options.limits;
    let mut driver =
        SinkDriver::new(sink, Arc::clone(&server.store), limits, Arc::clone(&progress));
    let (inventory, store) = (Arc::clone(&server.inventory), Arc::clone(&server.store));
    let sketches = |offer: &&Offer| offer.ask == Some(Step::Sketch);
    let key = target.offer.as_ref().filter(sketches).and_then(|offer| offer.key);
    driver.summarise(Box::new(move || inventory.known(&*store, key.as_ref().map(|it| &it.key))));
    if target.early {
        driver.interrupt_after(EARLY_BYTES);
    }
    driver.settle()?;
    let lost = body.receive(&mut driver)?;
    driver.sink().handle_end_round();
    let duplicates = progress.duplicate.load(Relaxed);
    let answered = match driver.next()? {
        Next::Request(status) => Answered::Plain(status),
        Next::Ask(request) => Answered::Extended(request),
        Next::Plan(..) => unreachable!("the source plans"),
        Next::Done(outcome) if outcome.missing > 0 => {
            return Err(Error::Incomplete {
                missing: outcome.missing,
                example: outcome.named.first().copied(),
                reason: "no further round is allowed".into(),
            });
        }
        Next::Done(_) => {
            finish(&server.store, &driver, &roots)?;
            Answered::Plain(Status::default())
        }
    };
    Ok(Received { answered, duplicates, lost })
}

/// A sink of the roots that the push is about. A source of the specification remembers what it
/// sent; that of car-mirror begins every request anew.
fn sink(server: &Server, body: &mut Incoming, target: &Target) -> Result<(Vec<Cid>, Sink)> {
    let named = body.roots()?;
    let roots = target.root.map_or(named, |root| vec![root]);
    if roots.is_empty() {
        return Err(Error::Usage("a push names the root of its DAG in the CAR's header".into()));
    }
    let hint = target.hint.as_deref().and_then(|hint| related(&*server.store, hint));
    let options = &server.options;
    let sink = Sink::new(roots.iter().copied(), hint, &options.limits, options.seed);
    let mut sink = sink.with_summary();
    if let Some(Offer { ask: Some(step), keeps_filter, key, cells, .. }) = target.offer {
        // What both hold the source knows by itself.
        let steps = [step].into_iter().filter(|step| *step != Step::HeldRoots).collect::<Vec<_>>();
        sink.handle_plan(&steps, true);
        if keeps_filter {
            sink.handle_kept_filter();
        }
        if let Some(named) = key {
            sink.handle_key(named, cells.unwrap_or(CellRange::BEGIN));
        }
    }
    match target.dialect {
        Dialect::Spec => sink.handle_begin_round(),
        Dialect::CarMirror => sink.handle_begin_round_of_forgetful(),
    }
    Ok((roots, sink))
}

/// Success is said after the blocks are safe from a power loss.
fn finish(store: &SharedStore, driver: &SinkDriver<SharedStore>, roots: &[Cid]) -> Result<()> {
    driver.flush()?;
    for root in roots {
        store.note_root(root)?;
    }
    Ok(())
}

/// The root that a `diff` hint means; a hint that means nothing here is ignored.
fn related<S: carpool_store::Names + ?Sized>(store: &S, diff: &str) -> Option<Cid> {
    let bare = ["ipfs://", "ipns://", "/ipfs/", "/ipns/"]
        .iter()
        .find_map(|prefix| diff.strip_prefix(prefix))
        .unwrap_or(diff);
    if let Ok(cid) = bare.parse() {
        return Some(cid);
    }
    store.name(bare).ok().flatten().map(|entry| entry.root)
}

fn answer_extended(request: &extension::Request, duplicates: u64) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), extension::CONTENT_TYPE.to_owned()),
        (routes::DUPLICATE_BLOCKS, duplicates.to_string()),
    ];
    (StatusCode::ACCEPTED, headers, request.encode()).into_response()
}

fn answer(dialect: Dialect, status: &Status, duplicates: u64) -> Response {
    let code = if status.want.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let headers = [
        (header::CONTENT_TYPE.as_str(), routes::DAG_CBOR.to_owned()),
        (routes::DUPLICATE_BLOCKS, duplicates.to_string()),
    ];
    (code, headers, message::encode(dialect, Kind::PushResponse, status)).into_response()
}
