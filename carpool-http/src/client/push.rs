use carpool_core::Cid;
use carpool_mirror::{
    Question, Source, Status,
    extension::{self, Asked, Offer},
    planner::{Encoding, Plan},
    sketch::CellRange,
};
use carpool_selector::Order;
use carpool_store::BlockStore;
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{
    Call, Client, End, Head, Wants,
    acquaintances::now,
    blocking,
    patience::Patience,
    planning::steps,
    sketching::{Came, Sketching},
    speech::push_path,
};
use crate::{
    Error, Result, Totals,
    body::{channel, collect},
    driver::{About, Common, Sent, SourceDriver, larger_than},
    message::{self, Dialect, Kind},
    progress::add,
    routes,
    survey::survey,
};

/// What a push did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PushReport {
    /// The root that was pushed; the server holds all of its DAG now.
    pub root: Cid,
    /// The counters.
    pub totals: Totals,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// How it was planned: what the server is asked for.
    pub plan: Option<Plan>,
    /// Whether blocks were to travel as deltas, and why; `None` where that was no question.
    pub encoding: Option<Encoding>,
}

/// What a server answers.
enum Said {
    Plain(Status),
    Extended(Box<Asked>),
}

impl Said {
    fn named(&self) -> Vec<Cid> {
        match self {
            Self::Plain(status) => status.want.clone(),
            Self::Extended(asked) => asked.want.iter().collect(),
        }
    }

    const fn has_bitmap(&self) -> bool {
        matches!(self, Self::Extended(asked) if asked.links.is_some())
    }

    /// Whether nothing is wanted any more.
    fn is_content(&self) -> bool {
        matches!(self, Self::Plain(status) if status.want.is_empty())
    }

    fn wants(&self) -> Wants {
        match self {
            Self::Plain(status) => Wants::of(status),
            Self::Extended(asked) => {
                let Asked { want, have, links, cells, .. } = &**asked;
                Wants::of_extended(want.len(), have.as_ref(), links.as_ref(), cells.as_ref())
            }
        }
    }
}

/// How the server is asked to say what it lacks, and what is made of its cells.
struct Asking {
    question: Question,
    sketching: Option<Sketching>,
}

impl Asking {
    /// After a cut nobody knows what was held then.
    fn begin_anew(&mut self) {
        self.question.handle_need(CellRange::BEGIN);
        self.sketching = self.sketching.take().map(Sketching::begun_anew);
    }

    /// Begins the round that answers the server.
    fn answer(&mut self, source: &mut Source, said: Said) -> Result<()> {
        match said {
            Said::Plain(status) => source.handle_status(status)?,
            Said::Extended(asked) => drop(self.question.handle_asked(source, *asked)?),
        }
        Ok(())
    }
}

/// What is pushed, and where to.
struct Target<'a, S: ?Sized> {
    root: Cid,
    path: &'a str,
    store: &'a Arc<S>,
}

/// What a server that takes deltas is presumed to hold.
#[derive(Clone, Debug)]
struct Presumed {
    held: Vec<Cid>,
    /// Whether the name that is pushed to has to point to the first of them.
    expects_name: bool,
    /// Blocks below them that turned out not to be there.
    lost: Vec<Cid>,
}

impl Presumed {
    /// What is presumed once a body was read of which not all came out, for want of these old blocks. Once
    /// is chance.
    fn without(self, lost: Vec<Cid>) -> Option<Self> {
        (self.lost.is_empty() && !lost.is_empty()).then_some(Self { lost, ..self })
    }

    fn write(&self, root: Cid, offer: Option<Offer>) -> Offer {
        let (held, expects_name) = (self.held.clone(), self.expects_name);
        // What is missing is named one by one: deltas are of blocks whose places are known.
        Offer { ask: None, root: Some(root), held, expects_name, ..offer.unwrap_or_default() }
    }

    /// A body for a sink that asked for these blocks.
    fn about(&self, root: Cid, asked: Vec<Cid>) -> About {
        let common = Common { wanted: vec![root], held: self.held.clone() };
        About { common, root, asked, lost: self.lost.clone(), is_share: false }
    }
}

/// What one CAR, or delta body, is sent with.
struct Sending {
    offer: Option<Offer>,
    /// Where its blocks go as deltas.
    about: Option<About>,
}

/// Bytes of the largest block that car-mirror 0.1.0 takes.
const CAR_MIRROR_BLOCK_BYTES: u64 = 1_000_000;

type Driver<S> = SourceDriver<Arc<S>>;

impl Client {
    /// Pushes the DAG below `root` from `store`: what the server lacks, and nothing else.
    ///
    /// `held` are roots whose DAGs the server holds as far as anyone knows, such as the one that a
    /// name of its points to: what lies below them is not sent, and if that was wrong the server
    /// says so. Without any, a small cold call comes first. `diff` is a related CID or name for
    /// the server to narrow by (HTTP §3.1.2).
    ///
    /// # Errors
    /// [`Error::SourceLacks`] when the DAG is not all in `store`; any other [`Error`].
    pub async fn push<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        held: Vec<Cid>,
        diff: Option<&str>,
        store: Arc<S>,
    ) -> Result<PushReport> {
        self.push_expecting(root, held, diff, false, store).await
    }

    /// As [`push`](Self::push); a server that takes deltas says where the name `diff` does not point to
    /// the first of the held roots.
    pub(super) async fn push_expecting<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        held: Vec<Cid>,
        diff: Option<&str>,
        expects_name: bool,
        store: Arc<S>,
    ) -> Result<PushReport> {
        let (begun, before) = (Instant::now(), self.progress.totals());
        let held = self.here(held, &store).await?;
        let deltas = !held.is_empty() && self.sends_deltas() && self.decide_encoding();
        let mut presumed =
            deltas.then(|| Presumed { held: held.clone(), expects_name, lost: Vec::new() });
        let plan = loop {
            match self.push_speaking(root, held.clone(), &mut presumed, diff, &store).await {
                Err(error) if self.turns(&error) => {}
                Err(error) => return Err(error),
                Ok(plan) => break plan,
            }
        };
        let (totals, seconds) = (self.progress.totals(), begun.elapsed().as_secs_f64());
        self.note_change(arrived(&totals) - arrived(&before));
        Ok(PushReport { root, totals, seconds, plan, encoding: self.decided() })
    }

    /// The whole transfer, in the dialect that is believed in.
    async fn push_speaking<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        mut held: Vec<Cid>,
        presumed: &mut Option<Presumed>,
        diff: Option<&str>,
        store: &Arc<S>,
    ) -> Result<Option<Plan>> {
        let dialect = self.speech.dialect();
        if dialect == Dialect::CarMirror {
            self.check_block_sizes(root, store).await?;
        }
        let plan = match dialect {
            Dialect::Spec => Some(self.plan_push(root, !held.is_empty(), store).await?),
            Dialect::CarMirror => None,
        };
        let key = self.options.acquaintances.drawn_key(&self.base, now());
        let question = Question::keyed(&plan.as_ref().map_or(Vec::new(), steps), key);
        let mut asking = Asking { question, sketching: key.map(Sketching::new) };
        let path = push_path(dialect, &root, diff);
        let mut patience = Patience::new(self.options.retries, self.options.limits.max_rounds);
        let mut answered = 0;
        loop {
            let call = if held.is_empty() { Call::Cold } else { Call::Estimate };
            let order = if presumed.is_some() { Order::DepthFirst } else { Order::BreadthFirst };
            let driver = self.first_call(root, std::mem::take(&mut held), order, store);
            let target = Target { root, path: &path, store };
            let pushed =
                self.push_rounds(driver, call, &target, &mut asking, presumed, &mut answered);
            match pushed.await {
                Ok(()) => return Ok(plan),
                Err(error) if presumed.is_some() && self.is_not_presumed(&error) => {
                    *presumed = None;
                    asking.begin_anew();
                }
                Err(error) => {
                    asking.begin_anew();
                    // What was sent into a connection that broke may have arrived nowhere.
                    let done =
                        answered + u64::from(matches!(error, Error::Cut(_)) && answered == 0);
                    let tried = patience.after(error, done).await;
                    tried.map_err(|error| incomplete(error, done))?;
                }
            }
        }
    }

    /// Whether the server says that it has not what was presumed, or takes no deltas any more.
    fn is_not_presumed(&self, error: &Error) -> bool {
        let Error::Status { status, .. } = error else { return false };
        if matches!(*status, StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::BAD_REQUEST) {
            self.note_takes_no_deltas();
            return true;
        }
        *status == StatusCode::PRECONDITION_FAILED
    }

    /// car-mirror refuses larger blocks in the midst of a transfer: better to say so before the
    /// first byte.
    async fn check_block_sizes<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        store: &Arc<S>,
    ) -> Result<()> {
        let (store, options) = (Arc::clone(store), Arc::clone(&self.options));
        let found = blocking(move || {
            larger_than(&*store, root, CAR_MIRROR_BLOCK_BYTES, &options.limits, options.seed)
        });
        match found.await? {
            None => Ok(()),
            Some((cid, bytes)) => {
                Err(Error::PeerTakesLess { cid, bytes, max: CAR_MIRROR_BLOCK_BYTES })
            }
        }
    }

    /// Those roots that are here, to be compared with.
    async fn here<S: BlockStore + ?Sized + 'static>(
        &self,
        held: Vec<Cid>,
        store: &Arc<S>,
    ) -> Result<Vec<Cid>> {
        let store = Arc::clone(store);
        blocking(move || {
            let here = store.has_many(&held)?;
            Ok(held.into_iter().zip(here).filter_map(|(cid, here)| here.then_some(cid)).collect())
        })
        .await
    }

    /// After a cut nobody knows what arrived, so the estimate serves once.
    fn first_call<S: BlockStore + ?Sized>(
        &self,
        root: Cid,
        held: Vec<Cid>,
        order: Order,
        store: &Arc<S>,
    ) -> Driver<S> {
        let source = Source::new(order, &self.options.limits, self.options.seed);
        let mut source = source.with_trail(None);
        if held.is_empty() {
            source.handle_cold_call(root, self.options.cold_call_bytes);
        } else {
            source.handle_presumed(root, held);
        }
        SourceDriver::new(source, Arc::clone(store), self.progress())
    }

    async fn push_rounds<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        mut call: Call,
        target: &Target<'_, S>,
        asking: &mut Asking,
        presumed: &mut Option<Presumed>,
        answered: &mut u64,
    ) -> Result<()> {
        let (mut wanted_before, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..self.options.limits.max_rounds {
            let (said, mut sent);
            let is_cold = call == Call::Cold;
            let opened = self.open_round(|| std::mem::replace(&mut call, Call::Answer));
            let offer = asking.question.offer(driver.source());
            let sending = match presumed {
                Some(presumed) => Sending {
                    offer: Some(presumed.write(target.root, offer)),
                    about: Some(presumed.about(target.root, std::mem::take(&mut asked))),
                },
                None => Sending { offer, about: None },
            };
            let (begun, before) = (Instant::now(), self.progress.totals().bytes_sent);
            let round = self.push_round(driver, target.root, target.path, sending).await;
            self.close_round(opened, &round, |(_, _, said)| End::Wants(said.wants()));
            (driver, sent, said) = round?;
            let went = self.progress.totals().bytes_sent - before;
            self.note_rate(went, begun.elapsed().as_secs_f64());
            let mut wanted = said.named();
            if let Some(before) = presumed.take_if(|_| !is_cold) {
                // Nobody knows what came out. What did not for want of old blocks goes without them.
                driver.source().handle_forgotten();
                *presumed = before.without(std::mem::take(&mut sent.lost));
            }
            asked.clone_from(&wanted);
            wanted.sort_unstable();
            *answered += 1;
            self.progress.missing.store(wanted.len() as u64, Relaxed);
            if said.is_content() {
                return Ok(());
            }
            if sent.interrupted {
                driver.source().handle_forgotten();
            }
            let said = match said {
                Said::Extended(asked) if asked.cells.is_some() => {
                    driver = self.push_by_cells(driver, target, asking, *asked).await?;
                    wanted_before = Vec::new();
                    continue;
                }
                Said::Plain(_) | Said::Extended(_) => said,
            };
            self.survey(driver.source(), target.store, &said).await?;
            // A bitmap is over what was just sent, so it says something new.
            if wanted == wanted_before && !said.has_bitmap() {
                return Err(stuck(&wanted, &sent));
            }
            wanted_before = if said.has_bitmap() { Vec::new() } else { wanted };
            asking.answer(driver.source(), said)?;
        }
        Err(Error::Incomplete {
            missing: wanted_before.len() as u64,
            example: wanted_before.first().copied(),
            reason: format!("no end after {} rounds", self.options.limits.max_rounds),
        })
    }

    /// Reads the blocks that the server names to speak of their links. Where that fails the source finds
    /// that its bitmap is over nothing.
    async fn survey<S: BlockStore + ?Sized + 'static>(
        &self,
        source: &mut Source,
        store: &Arc<S>,
        said: &Said,
    ) -> Result<()> {
        let Said::Extended(asked) = said else { return Ok(()) };
        if asked.parents.is_empty() {
            return Ok(());
        }
        let (store, options) = (Arc::clone(store), Arc::clone(&self.options));
        let parents = asked.parents.clone();
        let surveyed = blocking(move || survey(&parents, &options.limits, &*store)).await?;
        surveyed.into_iter().for_each(|trail| source.handle_surveyed(trail));
        Ok(())
    }

    /// Makes of cells what can be made: the next round sends what is lacking, or nothing but a
    /// question.
    async fn push_by_cells<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        target: &Target<'_, S>,
        asking: &mut Asking,
        asked: Asked,
    ) -> Result<Driver<S>> {
        let asks = asking.question.sketches();
        let Some(mut sketching) = asking.sketching.take().filter(|_| asks) else {
            // Nobody asked for them.
            asking.answer(
                driver.source(),
                Said::Extended(Box::new(Asked { cells: None, ..asked })),
            )?;
            return Ok(driver);
        };
        let (options, store, root) =
            (Arc::clone(&self.options), Arc::clone(target.store), target.root);
        let (came, sketching) = blocking(move || {
            let with = (&options.limits, options.seed);
            (sketching.take(asked, root, with, &*store), sketching)
        })
        .await;
        match came? {
            Came::Need(range) => {
                asking.question.handle_need(range);
                asking.sketching = Some(sketching);
                driver.rest();
                return Ok(driver);
            }
            Came::Lacking(both) => {
                let (asked, lacking) = *both;
                match driver.source().handle_reconciled(asked, lacking) {
                    Err(carpool_mirror::Error::UnknownTrail) => driver.rest(),
                    begun => begun?,
                }
            }
            Came::GaveUp => {
                self.options.acquaintances.drop_key(&self.base, sketching.named().number);
                driver.rest();
            }
        }
        asking.question.end_sketch();
        Ok(driver)
    }

    /// One CAR and its answer. An answer that comes before all was sent is the answer.
    async fn push_round<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        root: Cid,
        path: &str,
        Sending { offer, about }: Sending,
    ) -> Result<(Driver<S>, Sent, Said)> {
        add(&self.progress.rounds, 1);
        let lost_before = self.progress.lost_writes.load(Relaxed);
        let wish = self.wish().filter(|_| about.is_none());
        let content_type = Some(if about.is_some() { routes::DELTA } else { routes::CAR });
        let limits = self.options.limits.clone();
        let decides = wish.is_some();
        let (mut outgoing, mut body, alive) = channel(self.options.pace(), wish);
        let sending = tokio::task::spawn_blocking(move || {
            let sent = match about {
                Some(about) => driver.send_delta(&about, &limits, &mut outgoing),
                None => driver.send(Some(root), &mut outgoing),
            };
            let sent = sent.and_then(|sent| outgoing.finish().map(|()| sent));
            (driver, sent)
        });
        // What breaks it off before its first chunk breaks off the request.
        let _ = decides && body.has_any().await.is_ok();
        let coding = body.coding().map(|coding| (header::CONTENT_ENCODING, coding.token()));
        let coded = coding.is_some();
        let head = Head { content_type, offer: offer.as_ref(), coding, ..Head::default() };
        let body = body.boxed_unsync();
        let answered = tokio::select! {
            answered = self.send_headed(Method::POST, path, head, body) => answered,
            stalled = self.stalled() => Err(stalled),
        };
        drop(alive);
        let (driver, sent) = match sending.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let (answer, mut sent) = match (answered, sent) {
            (Ok(answer), Ok(sent)) => (answer, sent),
            (Ok(answer), Err(Error::Cut(_))) => {
                (answer, Sent { interrupted: true, ..Sent::default() })
            }
            (_, Err(error)) if !matches!(error, Error::Cut(_)) => return Err(error),
            (Err(error), _) | (Ok(_), Err(error)) => return Err(error),
        };
        sent.interrupted |= self.progress.lost_writes.load(Relaxed) > lost_before;
        sent.lost = lost_of(&answer);
        let said = self.push_answer(answer).await;
        let said = said.map_err(|error| if coded { self.untaken(error) } else { error })?;
        Ok((driver, sent, said))
    }

    /// Ends once no byte has moved for the time that a body may stand still: a push has no end that
    /// could be waited for with a clock, but it has movement.
    async fn stalled(&self) -> Error {
        let moved = || {
            let totals = self.progress.totals();
            totals.bytes_sent + totals.bytes_received
        };
        let mut before = moved();
        loop {
            tokio::time::sleep(self.options.stall_timeout).await;
            let now = moved();
            if now == before {
                return Error::Cut("the server takes nothing and says nothing".into());
            }
            before = now;
        }
    }

    async fn push_answer(&self, response: Response<Incoming>) -> Result<Said> {
        match response.status() {
            StatusCode::OK | StatusCode::ACCEPTED => self.understood(),
            StatusCode::CONFLICT => return Err(self.conflict(response).await),
            _ => return Err(self.refusal(response).await),
        }
        let duplicate = response.headers().get(routes::DUPLICATE_BLOCKS);
        let duplicate = duplicate.and_then(|value| value.to_str().ok()?.parse().ok());
        add(&self.progress.duplicate, duplicate.unwrap_or(0));
        let (limits, pace) = (&self.options.limits, self.options.pace());
        let kind = response.headers().get(header::CONTENT_TYPE);
        let extended = kind.is_some_and(|kind| kind == extension::CONTENT_TYPE);
        let body = collect(response.into_body(), limits.max_message_bytes, pace).await?;
        if extended {
            return Ok(Said::Extended(Box::new(Asked::decode(body, limits, self.options.seed)?)));
        }
        let plain = message::decode(self.speech.dialect(), Kind::PushResponse, &body, limits)?;
        Ok(Said::Plain(plain))
    }
}

/// Old blocks that the server says it has not.
fn lost_of(response: &Response<Incoming>) -> Vec<Cid> {
    let said = response.headers().get(extension::HEADER).and_then(|said| said.to_str().ok());
    said.map_or_else(Vec::new, extension::lost_of)
}

/// Blocks that were sent and that the server had not.
const fn arrived(totals: &Totals) -> u64 {
    totals.blocks_sent.saturating_sub(totals.duplicate)
}

/// The server wants what it wanted before: either we lack it or it does not take it.
fn stuck(wanted: &[Cid], sent: &Sent) -> Error {
    match sent.lacks {
        Some(cid) => Error::SourceLacks { cid },
        None => Error::Incomplete {
            missing: wanted.len() as u64,
            example: wanted.first().copied(),
            reason: "the server goes on asking for what it was sent".into(),
        },
    }
}

fn incomplete(error: Error, done: u64) -> Error {
    if error.is_transient() && done > 0 {
        return Error::Incomplete { missing: 0, example: None, reason: error.to_string() };
    }
    error
}
