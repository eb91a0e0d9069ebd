use carpool_core::Cid;
use carpool_mirror::{Source, Status};
use carpool_selector::Order;
use carpool_store::BlockStore;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Call, Client, End, Wants, blocking, patience::Patience, speech::push_path};
use crate::{
    Error, Result, Totals,
    body::{channel, collect},
    driver::{Sent, SourceDriver, larger_than},
    message::{self, Dialect, Kind},
    progress::add,
    routes,
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
        let begun = Instant::now();
        let held = self.here(held, &store).await?;
        loop {
            match self.push_speaking(root, held.clone(), diff, &store).await {
                Err(error) if self.turns(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let (totals, seconds) = (self.progress.totals(), begun.elapsed().as_secs_f64());
        Ok(PushReport { root, totals, seconds })
    }

    /// The whole transfer, in the dialect that is believed in.
    async fn push_speaking<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        mut held: Vec<Cid>,
        diff: Option<&str>,
        store: &Arc<S>,
    ) -> Result<()> {
        let dialect = self.speech.dialect();
        if dialect == Dialect::CarMirror {
            self.check_block_sizes(root, store).await?;
        }
        let path = push_path(dialect, &root, diff);
        let mut patience = Patience::new(self.options.retries, self.options.limits.max_rounds);
        let mut answered = 0;
        loop {
            let call = if held.is_empty() { Call::Cold } else { Call::Estimate };
            let driver = self.first_call(root, std::mem::take(&mut held), store);
            match self.push_rounds(driver, call, root, &path, &mut answered).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    // What was sent into a connection that broke may have arrived nowhere.
                    let done =
                        answered + u64::from(matches!(error, Error::Cut(_)) && answered == 0);
                    let tried = patience.after(error, done).await;
                    tried.map_err(|error| incomplete(error, done))?;
                }
            }
        }
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
        store: &Arc<S>,
    ) -> Driver<S> {
        let mut source = Source::new(Order::BreadthFirst, &self.options.limits, self.options.seed);
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
        root: Cid,
        path: &str,
        answered: &mut u64,
    ) -> Result<()> {
        let mut wanted_before = Vec::new();
        for _ in 0..self.options.limits.max_rounds {
            let (status, sent);
            let opened = self.open_round(|| std::mem::replace(&mut call, Call::Answer));
            let round = self.push_round(driver, root, path).await;
            self.close_round(opened, &round, |(_, _, status)| End::Wants(Wants::of(status)));
            (driver, sent, status) = round?;
            let mut wanted = status.want.clone();
            wanted.sort_unstable();
            *answered += 1;
            self.progress.missing.store(status.want.len() as u64, Relaxed);
            if status.want.is_empty() {
                return Ok(());
            }
            if wanted == wanted_before {
                return Err(stuck(&status, &sent));
            }
            wanted_before = wanted;
            if sent.interrupted {
                driver.source().handle_forgotten();
            }
            driver.source().handle_status(status)?;
        }
        Err(Error::Incomplete {
            missing: wanted_before.len() as u64,
            example: wanted_before.first().copied(),
            reason: format!("no end after {} rounds", self.options.limits.max_rounds),
        })
    }

    /// One CAR and its answer. An answer that comes before all was sent is the answer.
    async fn push_round<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        root: Cid,
        path: &str,
    ) -> Result<(Driver<S>, Sent, Status)> {
        add(&self.progress.rounds, 1);
        let lost_before = self.progress.lost_writes.load(Relaxed);
        let (mut outgoing, body, alive) = channel(self.options.pace());
        let sending = tokio::task::spawn_blocking(move || {
            let sent = driver.send(Some(root), &mut outgoing);
            if sent.is_ok() {
                outgoing.finish();
            }
            (driver, sent)
        });
        let body = body.boxed_unsync();
        let answered = tokio::select! {
            answered = self.send(Method::POST, path, Some(routes::CAR), body) => answered,
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
        let status = self.push_answer(answer).await?;
        Ok((driver, sent, status))
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

    async fn push_answer(&self, response: Response<Incoming>) -> Result<Status> {
        if !matches!(response.status(), StatusCode::OK | StatusCode::ACCEPTED) {
            return Err(self.refusal(response).await);
        }
        self.understood();
        let duplicate = response.headers().get(routes::DUPLICATE_BLOCKS);
        let duplicate = duplicate.and_then(|value| value.to_str().ok()?.parse().ok());
        add(&self.progress.duplicate, duplicate.unwrap_or(0));
        let (limits, pace) = (&self.options.limits, self.options.pace());
        let body = collect(response.into_body(), limits.max_message_bytes, pace).await?;
        Ok(message::decode(self.speech.dialect(), Kind::PushResponse, &body, limits)?)
    }
}

/// The server wants what it wanted before: either we lack it or it does not take it.
fn stuck(status: &Status, sent: &Sent) -> Error {
    match sent.lacks {
        Some(cid) => Error::SourceLacks { cid },
        None => Error::Incomplete {
            missing: status.want.len() as u64,
            example: status.want.first().copied(),
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
