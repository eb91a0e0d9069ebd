use bytes::Bytes;
use carpool_bloom::Filter;
use carpool_core::{Cid, Limits};
use carpool_mirror::{
    Outcome, Sink, Status,
    extension::{self, Answer, Offer, Scope},
    planner::{Encoding, Plan, Step},
    sketch::CellRange,
};
use carpool_store::BlockStore;
use http::{Method, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc;

use super::{
    Call, Client, End, Head, RequestBody, Wants, blocking, full, patience::Patience,
    planning::steps, session_name, speech::pull_path,
};
use crate::{
    Error, Result, Totals,
    body::pump,
    coding::Coding,
    driver::{
        Arriving, Body, CHANNEL_CHUNKS, Common, DeltaBody, Incoming as Chunks, Next, SinkDriver,
        Taken,
    },
    late::{Late, Unanswered},
    message::{self, Dialect, Kind},
    progress::add,
    routes,
};

/// What a pull did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PullReport {
    /// The root that was pulled; all of its DAG is held now.
    pub root: Cid,
    /// The counters.
    pub totals: Totals,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// How it was planned; `None` where nothing was missing.
    pub plan: Option<Plan>,
    /// Whether blocks were to travel as deltas, and why; `None` where that was no question.
    pub encoding: Option<Encoding>,
}

/// How a round ended that was not cut.
enum Round {
    Ended,
    /// Blocks of a delta body did not come out: it ended, and says nothing of what is held there. These old
    /// blocks are lost, if it was for them alone.
    InPart(Vec<Cid>),
    /// The server does not know what the request relied on: roots, or what it sent.
    Refused,
    /// The server has sent nothing yet and needs these cells.
    Needs(CellRange),
    /// The server does not read the extension's form after all.
    NotRead,
}

/// What the sink says.
enum Said {
    Plain(Status),
    Extended(Box<extension::Request>),
}

impl Said {
    /// What both sides know of a message that names held roots.
    fn common(&self, root: Cid, held: &[Cid]) -> Option<Common> {
        let Self::Plain(status) = self else { return None };
        let wanted = if status.want.is_empty() { vec![root] } else { status.want.clone() };
        Some(Common { wanted, held: held.to_vec() })
    }

    fn wants(&self) -> Wants {
        match self {
            Self::Plain(status) => Wants::of(status),
            Self::Extended(request) => {
                let extension::Request { want, have, links, cells, .. } = &**request;
                let (have, links) = (have.as_ref(), links.as_ref());
                Wants::of_extended(want.len(), have, links, cells.as_ref())
            }
        }
    }
}

/// Keys that a pull tries.
const MAX_KEYS: u32 = 2;

type Driver<S> = SinkDriver<Arc<S>>;

/// The session's name, and whether there is anything that it could save: what was sent in a round
/// before, or will be before the next.
struct Naming {
    name: Option<[u8; extension::SESSION_BYTES]>,
    begun: bool,
}

impl Naming {
    /// Most transfers that bring no filter are over after a round.
    fn name_for(&mut self, filters: bool) -> Option<[u8; extension::SESSION_BYTES]> {
        let useful = self.begun || filters;
        self.begun = true;
        self.name.filter(|_| useful)
    }
}

/// How a transfer goes on from round to round.
struct Manner {
    session: Naming,
    /// Whether delta bodies are taken: none came out in part.
    deltas: bool,
    /// Whether the server knows a root that is held here.
    knows_root: bool,
    /// Blocks below held roots that turned out not to be here.
    lost: Vec<Cid>,
}

/// What the answer says of the extension.
fn answer_of(response: &Response<Incoming>) -> Answer {
    let said = response.headers().get(extension::HEADER).and_then(|said| said.to_str().ok());
    said.and_then(Answer::decode).unwrap_or_default()
}

impl Client {
    /// Pulls the DAG below `root` into `store`: what is missing, and nothing else. `seeds` are
    /// roots that are probably held, such as the version before. On success all of the DAG is held
    /// and flushed. What arrived before a failure is kept, and the next pull asks for the rest.
    ///
    /// # Errors
    /// [`Error::Incomplete`] when blocks were wanted and never came; any other [`Error`].
    pub async fn pull<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        seeds: Vec<Cid>,
        store: Arc<S>,
    ) -> Result<PullReport> {
        let (begun, before) = (Instant::now(), self.progress.totals());
        let plan = loop {
            match self.pull_speaking(root, seeds.clone(), Arc::clone(&store)).await {
                Err(error) if self.turns(&error) => {}
                Err(error) => return Err(error),
                Ok(plan) => break plan,
            }
        };
        let (totals, seconds) = (self.progress.totals(), begun.elapsed().as_secs_f64());
        self.note_change(totals.blocks_received - before.blocks_received);
        Ok(PullReport { root, totals, seconds, plan, encoding: self.decided() })
    }

    /// The whole transfer, in the dialect that is believed in.
    async fn pull_speaking<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        seeds: Vec<Cid>,
        store: Arc<S>,
    ) -> Result<Option<Plan>> {
        if self.has_to_ask_first() {
            self.greet().await;
        }
        let limits = self.pull_limits();
        let others = if seeds.is_empty() { self.all_of(&store).await? } else { Vec::new() };
        let sink = Sink::new([root], seeds, &limits, self.options.seed).with_held(others);
        let sink = sink.with_plan();
        let mut driver = SinkDriver::new(sink, store, &limits, self.progress());
        let mut patience = Patience::new(self.options.retries, self.options.limits.max_rounds);
        let (mut plan, mut extended, mut keys) = (None, false, MAX_KEYS);
        let session = Naming { name: session_name(), begun: false };
        let mut manner = Manner { session, deltas: true, knows_root: false, lost: Vec::new() };
        loop {
            driver.sink().handle_path(self.path());
            let next;
            (driver, next) = blocking(move || {
                let next = driver.next();
                (driver, next)
            })
            .await;
            let said = match next? {
                Next::Plan(holding, leaf_bytes) => {
                    let planned = self.plan_pull(&holding, leaf_bytes);
                    extended = self.is_extended();
                    driver.sink().handle_plan(&steps(&planned), extended);
                    self.tell_key(driver.sink());
                    plan = Some(planned);
                    continue;
                }
                Next::Request(status) => Said::Plain(status),
                Next::Ask(request) => Said::Extended(request),
                Next::Done(outcome) => {
                    return pulled(&driver, &outcome).map(|()| plan);
                }
            };
            let held_back = self.is_late(&said, root, driver.sink());
            let wants = || Wants { held_back, ..said.wants() };
            let opened = self.open_round(|| Call::Request(wants()));
            let filtered = said.wants().filter.is_some() && driver.sink().held_roots().is_empty();
            let (begun, before) = (Instant::now(), self.progress.totals().bytes_received);
            let round;
            (driver, round) = self.pull_round(driver, root, said, &mut manner).await;
            let came = self.progress.totals().bytes_received - before;
            self.note_rate(came, begun.elapsed().as_secs_f64());
            let round = round.map_err(cut_if_truncated);
            let missing = driver.sink().missing() as u64;
            self.close_round(opened, &round, |_| End::Missing(missing));
            match round {
                Ok(Round::Ended) => driver.sink().handle_end_round(),
                Ok(Round::InPart(lost)) => {
                    driver.sink().handle_cut();
                    // Once is chance.
                    manner.deltas &= manner.lost.is_empty() && !lost.is_empty();
                    manner.lost = lost;
                }
                Ok(Round::Needs(range)) => driver.sink().handle_need(range),
                Ok(Round::Refused) => self.refused(driver.sink(), &mut keys),
                Ok(Round::NotRead) => {
                    driver.sink().handle_cut();
                    driver.sink().handle_plan(&[Step::Filter], false);
                    self.note_reads(false);
                }
                Err(error) => {
                    driver.sink().handle_cut();
                    let done = self.progress.totals().blocks_received;
                    let missing = driver.sink().missing() as u64;
                    let tried = patience.after(error, done).await;
                    tried.map_err(|error| incomplete(error, done, missing))?;
                }
            }
            if !extended && self.is_extended() {
                // What is left can be asked for in fewer bytes.
                extended = true;
                driver.sink().handle_plan(&plan.iter().flat_map(steps).collect::<Vec<_>>(), true);
                self.tell_key(driver.sink());
                driver.sink().tell_roots(manner.knows_root);
                if filtered {
                    driver.sink().handle_kept_filter();
                }
            }
        }
    }

    /// Whether the step that is forced is one of the extension, of a server that may not know it.
    fn has_to_ask_first(&self) -> bool {
        let of_all_peers = |step| matches!(step, Step::Filter | Step::Everything);
        let extended = self.options.strategy.is_some_and(|step| !of_all_peers(step));
        extended
            && self.speech.dialect() == Dialect::Spec
            && !self.is_extended()
            && !self.is_plain()
    }

    fn tell_key(&self, sink: &mut Sink) {
        if let Some(named) = self.given_key() {
            sink.handle_key(named, CellRange::BEGIN);
        }
    }

    /// A server that does not know the key of a sketch has given another: under that one it is worth
    /// another try. What does not decode does not decode under the next key, for now.
    fn refused(&self, sink: &mut Sink, keys: &mut u32) {
        let Some(number) = sink.key_in_use() else { return sink.handle_refused() };
        self.options.acquaintances.drop_key(&self.base, number);
        *keys -= 1;
        match self.given_key().filter(|_| *keys > 0) {
            Some(named) => {
                sink.handle_cut();
                sink.handle_key(named, CellRange::BEGIN);
            }
            None => sink.handle_refused(),
        }
    }

    /// What a small store holds; nothing of a larger one.
    async fn all_of<S: BlockStore + ?Sized + 'static>(&self, store: &Arc<S>) -> Result<Vec<Cid>> {
        let (store, most) = (Arc::clone(store), self.options.small_store_blocks);
        let held = blocking(move || store.few_cids(most)).await?;
        Ok(held.unwrap_or_default())
    }

    /// car-mirror reads no request above 2 MiB, and without a word takes it for one that asks for
    /// everything.
    fn pull_limits(&self) -> Limits {
        const FILTER_BYTES: usize = 1 << 20;
        let mut limits = self.options.limits.clone();
        if self.speech.dialect() == Dialect::CarMirror {
            limits.max_bloom_bytes = limits.max_bloom_bytes.min(FILTER_BYTES);
        }
        limits
    }

    async fn pull_round<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        root: Cid,
        said: Said,
        Manner { session, deltas, knows_root, lost }: &mut Manner,
    ) -> (Driver<S>, Result<Round>) {
        add(&self.progress.rounds, 1);
        let dialect = self.speech.dialect();
        let held = driver.sink().held_roots();
        let held: Vec<Cid> = held.iter().take(extension::MAX_HELD).copied().collect();
        let path = pull_path(dialect, &root);
        let common = said.common(root, &held);
        let told = driver.sink().tells_roots();
        let (kind, offer, message) = match said {
            Said::Plain(status) => {
                let session = session.name_for(status.have.is_some());
                self.pull_message(root, status, held, told, session)
            }
            Said::Extended(mut request) => {
                // Where only what is named is sent there is nothing to leave out.
                let open = request.scope == Scope::All;
                request.session = session.name_for(request.have.is_some()).filter(|_| open);
                (extension::CONTENT_TYPE, None, (*request).into())
            }
        };
        let common = common.filter(|common| *deltas && self.takes_deltas(&common.held));
        let form = kind;
        let accept = common.is_some().then_some(TAKES_DELTAS);
        let offer = with_lost(offer, lost);
        let late = offer.as_ref().is_some_and(|offer| offer.want.is_some());
        let (body, _unanswered) = if late { self.late(message) } else { (full(message), None) };
        let (content_type, coding) = (Some(kind), self.accepts());
        let head = Head { content_type, offer: offer.as_ref(), accept, coding };
        let sent = self.send_headed(Method::POST, &path, head, body);
        match tokio::time::timeout(self.options.stall_timeout, sent).await {
            Err(_) => (driver, Err(Error::Cut("no answer in time".into()))),
            Ok(Err(error)) => (driver, Err(error)),
            Ok(Ok(response)) => {
                *knows_root |= answer_of(&response).used_held;
                self.pull_answer(driver, form, common, response).await
            }
        }
    }

    /// Whether the message goes only where the server turns out to know none of the roots that are
    /// named beside it.
    fn is_late(&self, said: &Said, root: Cid, sink: &Sink) -> bool {
        let Said::Plain(Status { want, have }) = said else { return false };
        let unknown = self.speech.dialect() == Dialect::Spec && !self.is_plain();
        let offers = unknown && !sink.tells_roots();
        offers && !sink.held_roots().is_empty() && may_wait(want, have.as_ref(), root)
    }

    /// A message that a server which knows a held root does not need.
    fn late(&self, message: Bytes) -> (RequestBody, Option<Unanswered>) {
        let (late, unanswered) = Late::new(message, self.progress());
        (late.boxed_unsync(), Some(unanswered))
    }

    /// A request in the extension's form where the server is known to read it, and otherwise one of
    /// the specification with an offer beside it.
    fn pull_message(
        &self,
        root: Cid,
        Status { want, have }: Status,
        held: Vec<Cid>,
        told: bool,
        session: Option<[u8; extension::SESSION_BYTES]>,
    ) -> (&'static str, Option<Offer>, Bytes) {
        let whole = want == [root];
        if told {
            let want = if whole { Vec::new() } else { want };
            let request = extension::Request {
                root: Some(root),
                want,
                held,
                have,
                session,
                ..extension::Request::default()
            };
            return (extension::CONTENT_TYPE, None, request.into());
        }
        let dialect = self.speech.dialect();
        let offer = if held.is_empty() {
            Offer { session, ..Offer::default() }
        } else if may_wait(&want, have.as_ref(), root) && !self.is_plain() {
            // A session would be of use only where the message is.
            Offer { want: Some(root), held, ..Offer::default() }
        } else {
            Offer { root: (!whole).then_some(root), held, session, ..Offer::default() }
        };
        let offer = (dialect == Dialect::Spec).then_some(offer);
        let status = Status { want, have };
        (routes::DAG_CBOR, offer, message::encode(dialect, Kind::PullRequest, &status))
    }

    /// "Unable to find any new root CIDs" (HTTP §2.4) is a round without blocks, and so is the empty
    /// body of car-mirror.
    async fn pull_answer<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        form: &str,
        common: Option<Common>,
        response: Response<Incoming>,
    ) -> (Driver<S>, Result<Round>) {
        let extended = form == extension::CONTENT_TYPE;
        match response.status() {
            StatusCode::NOT_FOUND if !self.speech.is_guess() => return (driver, Ok(Round::Ended)),
            StatusCode::ACCEPTED if extended => return (driver, needs(&response)),
            StatusCode::PRECONDITION_FAILED if driver.sink().relies() => {
                return (driver, Ok(Round::Refused));
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::BAD_REQUEST
            | StatusCode::UNPROCESSABLE_ENTITY
                if extended =>
            {
                return (driver, Ok(Round::NotRead));
            }
            status if !status.is_success() => {
                let refusal = self.refusal(response).await;
                let told = matches!(refusal, Error::Status { .. }) && !refusal.is_transient();
                if extended && told {
                    // A server that does not know the form may say so: the next transfer finds out.
                    self.note_reads(false);
                }
                return (driver, Err(refusal));
            }
            _ => self.understood(),
        }
        driver.sink().handle_memory(answer_of(&response).memory);
        if self.speech.dialect() == Dialect::CarMirror && response.body().is_end_stream() {
            return (driver, Ok(Round::Ended));
        }
        let coding = match Coding::of_body(response.headers()) {
            Ok(coding) => coding,
            Err(error) => return (driver, Err(error)),
        };
        let (to, incoming) = mpsc::channel(CHANNEL_CHUNKS);
        let common = common.filter(|_| is_delta(&response));
        let taken = tokio::task::spawn_blocking(move || {
            let received = receive(&mut driver, incoming, coding, common.as_ref());
            (driver, received)
        });
        drop(pump(response.into_body(), to, self.options.pace()).await);
        match taken.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

pub(super) const TAKES_DELTAS: &str =
    "application/vnd.carpool.delta.v1, application/vnd.ipld.car; version=1; q=0.9";

pub(crate) fn is_delta(response: &Response<Incoming>) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == routes::DELTA)
}

/// Takes a CAR, or a delta body where both sides know what it is written against.
fn receive<S: BlockStore>(
    driver: &mut SinkDriver<S>,
    incoming: Chunks,
    coding: Option<Coding>,
    common: Option<&Common>,
) -> Result<Round> {
    let arriving = Arriving::new(incoming, coding)?;
    let Some(common) = common else {
        let mut body = Body::new(arriving, driver.limits());
        return driver.receive(&mut body).map(|()| Round::Ended);
    };
    let mut body = DeltaBody::new(arriving, common, driver.limits());
    Ok(match driver.receive_delta(&mut body)? {
        Taken::Whole => Round::Ended,
        Taken::But(lost) => Round::InPart(lost),
        Taken::InPart => Round::InPart(Vec::new()),
    })
}

/// What the header says, and of which old blocks it is known that they are not here.
fn with_lost(offer: Option<Offer>, lost: &[Cid]) -> Option<Offer> {
    if lost.is_empty() {
        return offer;
    }
    Some(Offer { lost: lost.to_vec(), ..offer.unwrap_or_default() })
}

/// Whether a header says all of it but the filter.
fn may_wait(want: &[Cid], have: Option<&Filter>, root: Cid) -> bool {
    want == [root] && have.is_some()
}

/// The cells that an answer asks for.
fn needs(response: &Response<Incoming>) -> Result<Round> {
    let said = response.headers().get(extension::HEADER).and_then(|said| said.to_str().ok());
    let cells = said.and_then(Answer::decode).and_then(|answer| answer.cells);
    let (status, reason) = (response.status(), "nothing was sent, nor asked for".to_owned());
    cells.map(Round::Needs).ok_or(Error::Status { status, reason })
}

fn pulled<S: BlockStore + ?Sized>(driver: &Driver<S>, outcome: &Outcome) -> Result<()> {
    driver.flush()?;
    if outcome.missing == 0 {
        return Ok(());
    }
    Err(Error::Incomplete {
        missing: outcome.missing,
        example: outcome.named.first().copied(),
        reason: "the server does not have them".into(),
    })
}

/// HTTP said that the body is whole, and the CAR says that it is not: a proxy may have cut it.
fn cut_if_truncated(error: Error) -> Error {
    if matches!(error, Error::Car(carpool_car::Error::Truncated { .. })) {
        return Error::Cut(error.to_string());
    }
    error
}

/// A connection that broke for good after blocks came is a transfer to be resumed.
fn incomplete(error: Error, done: u64, missing: u64) -> Error {
    if error.is_transient() && done > 0 {
        return Error::Incomplete { missing, example: None, reason: error.to_string() };
    }
    error
}
