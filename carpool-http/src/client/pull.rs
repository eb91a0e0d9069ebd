use carpool_core::{Cid, Limits};
use carpool_mirror::{Outcome, Sink, Status};
use carpool_store::BlockStore;
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use std::{sync::Arc, time::Instant};
use tokio::sync::mpsc;

use super::{Call, Client, End, Wants, blocking, full, patience::Patience, speech::pull_path};
use crate::{
    Error, Result, Totals,
    body::pump,
    driver::{Body, CHANNEL_CHUNKS, Next, SinkDriver},
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
}

type Driver<S> = SinkDriver<Arc<S>>;

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
        let begun = Instant::now();
        loop {
            match self.pull_speaking(root, seeds.clone(), Arc::clone(&store)).await {
                Err(error) if self.turns(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let (totals, seconds) = (self.progress.totals(), begun.elapsed().as_secs_f64());
        Ok(PullReport { root, totals, seconds })
    }

    /// The whole transfer, in the dialect that is believed in.
    async fn pull_speaking<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        seeds: Vec<Cid>,
        store: Arc<S>,
    ) -> Result<()> {
        let limits = self.pull_limits();
        let sink = Sink::new([root], seeds, &limits, self.options.seed);
        let mut driver = SinkDriver::new(sink, store, &limits, self.progress());
        let mut patience = Patience::new(self.options.retries, self.options.limits.max_rounds);
        loop {
            let next;
            (driver, next) = blocking(move || {
                let next = driver.next();
                (driver, next)
            })
            .await;
            let status = match next? {
                Next::Request(status) => status,
                Next::Done(outcome) => {
                    return pulled(&driver, &outcome);
                }
            };
            let opened = self.open_round(|| Call::Request(Wants::of(&status)));
            let round;
            (driver, round) = self.pull_round(driver, root, status).await;
            let round = round.map_err(cut_if_truncated);
            let missing = driver.sink().missing() as u64;
            self.close_round(opened, &round, |()| End::Missing(missing));
            match round {
                Ok(()) => driver.sink().handle_end_round(),
                Err(error) => {
                    driver.sink().handle_cut();
                    let done = self.progress.totals().blocks_received;
                    let missing = driver.sink().missing() as u64;
                    let tried = patience.after(error, done).await;
                    tried.map_err(|error| incomplete(error, done, missing))?;
                }
            }
        }
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
        driver: Driver<S>,
        root: Cid,
        status: Status,
    ) -> (Driver<S>, Result<()>) {
        add(&self.progress.rounds, 1);
        let dialect = self.speech.dialect();
        let message = full(message::encode(dialect, Kind::PullRequest, &status));
        let path = pull_path(dialect, &root);
        let sent = self.send(Method::POST, &path, Some(routes::DAG_CBOR), message);
        match tokio::time::timeout(self.options.stall_timeout, sent).await {
            Err(_) => (driver, Err(Error::Cut("no answer in time".into()))),
            Ok(Err(error)) => (driver, Err(error)),
            Ok(Ok(response)) => self.pull_answer(driver, response).await,
        }
    }

    /// "Unable to find any new root CIDs" (HTTP §2.4) is a round without blocks, and so is the empty
    /// body of car-mirror.
    async fn pull_answer<S: BlockStore + ?Sized + 'static>(
        &self,
        mut driver: Driver<S>,
        response: Response<Incoming>,
    ) -> (Driver<S>, Result<()>) {
        match response.status() {
            StatusCode::NOT_FOUND if !self.speech.is_guess() => return (driver, Ok(())),
            status if !status.is_success() => {
                let refusal = self.refusal(response).await;
                return (driver, Err(refusal));
            }
            _ => self.understood(),
        }
        if self.speech.dialect() == Dialect::CarMirror && response.body().is_end_stream() {
            return (driver, Ok(()));
        }
        let (to, incoming) = mpsc::channel(CHANNEL_CHUNKS);
        let taken = tokio::task::spawn_blocking(move || {
            let mut body = Body::new(incoming, driver.limits());
            let received = driver.receive(&mut body);
            (driver, received)
        });
        drop(pump(response.into_body(), to, self.options.pace()).await);
        match taken.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
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
