//! One sink, many sources: a DAG from all of them at once (`docs/pool.md`).

mod aside;
mod drive;
mod events;
mod fetch;

use carpool_core::Cid;
use carpool_pool::{Gone, Kind, Options, SourceId, State, Tally};
use carpool_store::BlockStore;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{Client, ClientOptions, Error, Result, Totals, client::session_name};
use drive::{Drive, Joined};

/// A pool of servers: each of them sends what the others do not.
///
/// ```no_run
/// # async fn example(root: carpool_core::Cid) -> carpool_http::Result<()> {
/// use carpool_http::{ClientOptions, Pool};
/// use carpool_store::MemoryStore;
/// use std::sync::Arc;
///
/// let urls = ["http://one.example".into(), "http://two.example".into()];
/// let pool = Pool::new(&urls, &ClientOptions::default())?;
/// let report = pool.pull(root, vec![], Arc::new(MemoryStore::new())).await?;
/// for source in report.sources {
///     println!("{}: {} B", source.url, source.bytes);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    sources: Vec<(String, Client)>,
    options: Options,
    limits: carpool_core::Limits,
    seen: Arc<Mutex<Vec<SourceReport>>>,
}

/// What a pooled pull did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PoolReport {
    /// The root that was pulled; all of its DAG is held now.
    pub root: Cid,
    /// The counters of all sources together.
    pub totals: Totals,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// What each source did, in the order of their URLs.
    pub sources: Vec<SourceReport>,
}

/// What one source did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SourceReport {
    /// Its URL.
    pub url: String,
    /// What it can do: `plain`, `named`, `aware` or `gossiping`; empty before that is known.
    pub kind: &'static str,
    /// `ready`, `resting` (after a failure), `left`, `failed`, `lied`, `wasteful`, `unconnected`.
    pub state: &'static str,
    /// Blocks that it brought first.
    pub blocks: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of blocks that were held when they came.
    pub duplicate_bytes: u64,
    /// Bytes of bodies that were given up: what was under way when others took over.
    pub wasted_bytes: u64,
    /// Requests.
    pub requests: u64,
    /// Blocks that it took over from others.
    pub steals: u64,
    /// How often it stood still, broke off or refused.
    pub failures: u64,
    /// Bytes a second, as far as they were measured.
    pub rate: Option<u64>,
    /// TCP payload to it and from it, in bytes.
    pub bytes_sent: u64,
    /// See [`bytes_sent`](Self::bytes_sent).
    pub bytes_received: u64,
    /// What went wrong last.
    pub trouble: Option<String>,
}

impl SourceReport {
    fn tell(&mut self, tally: &Tally, state: State) {
        self.state = match state {
            State::Resting => "resting",
            State::Gone(why) => name_of(why),
            State::Ready | _ => "ready",
        };
        (self.blocks, self.bytes) = (tally.blocks, tally.bytes);
        (self.requests, self.steals) = (tally.requests, tally.stolen);
        (self.duplicate_bytes, self.failures) = (tally.duplicate_bytes, tally.failures);
    }
}

const fn name_of(why: Gone) -> &'static str {
    match why {
        Gone::Left => "left",
        Gone::Lied => "lied",
        Gone::Wasteful => "wasteful",
        Gone::Unconnected => "unconnected",
        Gone::Failed | _ => "failed",
    }
}

const fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind { gossips: true, .. } => "gossiping",
        Kind { aware: true, .. } => "aware",
        Kind { named: true, .. } => "named",
        _ => "plain",
    }
}

impl Pool {
    /// A pool of the servers at `urls`, each of which is asked as a [`Client`] with `options` asks.
    ///
    /// # Errors
    /// [`Error::Usage`] for no URL, for more than [`MAX_MEMBERS`](carpool_pool::MAX_MEMBERS), one that is there
    /// twice, and one that cannot be used.
    pub fn new(urls: &[String], options: &ClientOptions) -> Result<Self> {
        if urls.is_empty() || urls.len() > carpool_pool::MAX_MEMBERS {
            let max = carpool_pool::MAX_MEMBERS;
            return Err(Error::Usage(format!("a pool has 1 to {max} sources, not {}", urls.len())));
        }
        let mut sources: Vec<(String, Client)> = Vec::with_capacity(urls.len());
        for url in urls {
            if sources.iter().any(|(other, _)| other == url) {
                return Err(Error::Usage(format!("{url} is there twice")));
            }
            sources.push((url.clone(), Client::new(url, options.clone())?));
        }
        let mut pool = Options::default();
        pool.seed = options.seed;
        pool.stall = u64::try_from(STALL.as_micros()).unwrap_or(u64::MAX);
        let seen = sources
            .iter()
            .map(|(url, _)| SourceReport { url: url.clone(), ..SourceReport::default() });
        let seen = Arc::new(Mutex::new(seen.collect()));
        Ok(Self { sources, options: pool, limits: options.limits.clone(), seen })
    }

    /// How long a source may send nothing before others do its work. Default 5 s.
    #[must_use]
    pub fn with_stall(mut self, stall: Duration) -> Self {
        self.options.stall = u64::try_from(stall.as_micros()).unwrap_or(u64::MAX);
        self
    }

    /// What each source has done up to now, to be looked at from another thread.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceReport> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The counters of all sources together, up to now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let sources = self.sources();
        let mut all = Totals::default();
        for (_, client) in &self.sources {
            let totals = client.progress().totals();
            all.requests += totals.requests;
            all.rounds += totals.rounds;
            all.bytes_sent += totals.bytes_sent;
            all.bytes_received += totals.bytes_received;
            all.duplicate += totals.duplicate;
            all.missing = all.missing.max(totals.missing);
        }
        all.blocks_received = sources.iter().map(|source| source.blocks).sum();
        all.block_bytes = sources.iter().map(|source| source.bytes).sum();
        all
    }

    /// Pulls the DAG below `root` into `store` from all sources at once: what is missing, and nothing else.
    /// `held` are roots that are held with all that lies below them, such as the version before. A source that
    /// fails, stands still or lies is done without. On success all of the DAG is held and flushed; what arrived
    /// before a failure is kept.
    ///
    /// # Errors
    /// [`Error::Incomplete`] when no source has what is wanted; the error of the last source when none answers;
    /// any other [`Error`].
    pub async fn pull<S: BlockStore + ?Sized + 'static>(
        &self,
        root: Cid,
        held: Vec<Cid>,
        store: Arc<S>,
    ) -> Result<PoolReport> {
        let begun = Instant::now();
        let mut options = self.options.clone();
        options.session = session_name().unwrap_or_default();
        options.differs = !held.is_empty();
        let (drive, joining) = Drive::new(root, held, store, &self.limits, options, &self.seen);
        for (place, (_, client)) in self.sources.iter().enumerate() {
            let place = SourceId::try_from(place).expect("sources are few");
            let (client, joining) = (client.clone(), joining.clone());
            tokio::spawn(async move {
                for time in 0..HELLOS {
                    let hello = client.hello(root).await;
                    let again = hello.as_ref().is_err_and(Error::is_transient);
                    let client = Box::new(client.clone());
                    let joined = Joined { place, client, hello, again: time > 0 };
                    // The drive may be over without it.
                    if joining.send(drive::Event::Hello(joined)).is_err() || !again {
                        return;
                    }
                    tokio::time::sleep(AGAIN * 2_u32.pow(time)).await;
                }
            });
        }
        drop(joining);
        crate::client::blocking(move || drive.run()).await?;
        let (totals, seconds) = (self.totals(), begun.elapsed().as_secs_f64());
        Ok(PoolReport { root, totals, seconds, sources: self.sources() })
    }
}

/// How often a source that cannot be reached is greeted, in all.
const HELLOS: u32 = 6;
/// After how long for the first time; then after twice as long each.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a source may send nothing before others do its work.
const STALL: Duration = Duration::from_secs(5);
