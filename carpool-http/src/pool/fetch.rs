//! One request on its way: from the network to verified blocks.

use carpool_core::{Cid, Limits, verify};
use carpool_pool::{Ask, Form, RequestId, SESSION_ID_BYTES, SessionKey, SourceId, Trouble};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
    mpsc::SyncSender,
};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::drive::Event;
use crate::{
    Client, Error, Result,
    client::is_delta,
    coding::Coding,
    driver::{Arriving, Body, CHANNEL_CHUNKS, Common, DeltaBody},
    pace::Watch,
};

/// A message that did not get through, and one that could not be fetched, are tried again after this.
const AGAIN: Duration = Duration::from_millis(200);

/// Who does not let itself be heard is asked no more often than this.
const SELDOM: Duration = Duration::from_secs(5);

/// How often a message is said.
const TRIES: u32 = 3;

/// Where a source's answers go, and what is counted of them.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) source: SourceId,
    pub(super) client: Client,
    /// Bytes of bodies that came.
    pub(super) came: Arc<AtomicU64>,
    pub(super) to: SyncSender<Event>,
    /// The number of the next message of its session, of whoever listens.
    pub(super) heard: Arc<tokio::sync::Mutex<u64>>,
}

/// What a request has of its transfer.
pub(super) struct About {
    pub(super) root: Cid,
    /// Roots that are held.
    pub(super) held: Arc<Vec<Cid>>,
    pub(super) limits: Limits,
    /// Reads blocks below the held roots.
    pub(super) bases: Bases,
    /// Whether its answer is read at the moment.
    pub(super) reads: watch::Receiver<bool>,
}

/// What deltas are against: only what was held before the transfer.
pub(super) type Bases = Arc<dyn Fn(&Cid) -> Result<Option<bytes::Bytes>> + Send + Sync>;

impl Line {
    /// Sends a request and tells what comes of it, to the end.
    pub(super) async fn fetch(self, about: About, ask: Ask) {
        let request = ask.request;
        let done = self.answer(about, ask).await;
        let event = match done {
            Ok(()) => Event::End { request },
            Err(error) => {
                let trouble = trouble_of(&error);
                Event::Trouble { source: self.source, request, trouble, error }
            }
        };
        self.tell(event).await;
    }

    async fn answer(&self, about: About, ask: Ask) -> Result<()> {
        let About { root, held, limits, bases, reads } = about;
        let (source, request) = (self.source, ask.request);
        let session = session_of(&ask);
        let common = Common { wanted: ask.want.clone(), held: held.to_vec() };
        let mut response = self.client.ask(root, &held, ask).await?;
        if http_body::Body::is_end_stream(response.body()) {
            // car-mirror's way to say that there is nothing to send.
            return Ok(());
        }
        let coding = Coding::of_body(response.headers())?;
        let (chunks, incoming) = mpsc::channel(CHANNEL_CHUNKS);
        let (to, deltas) = (self.to.clone(), is_delta(&response));
        let progress = self.client.progress();
        let taken = tokio::task::spawn_blocking(move || {
            let arriving = Arriving::new(incoming, coding)?;
            if !deltas {
                return take(Body::new(arriving, &limits), &to, source, request);
            }
            let mut body = DeltaBody::new(arriving, &common, &limits);
            let give = |blocks| to.send(Event::Blocks { source, request, blocks }).is_ok();
            let done = body.receive(|cid| bases(cid), give);
            progress.count_encoded(&body.counts());
            done
        });
        let pump = self.pump(response.body_mut(), reads, chunks);
        match session {
            None => pump.await,
            Some(session) => tokio::select! {
                () = pump => {}
                () = self.listen(session) => unreachable!("it listens until it is dropped"),
            },
        }
        match taken.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Hears what the source says in the session, as long as this is polled.
    async fn listen(&self, session: [u8; SESSION_ID_BYTES]) {
        let mut after = self.heard.lock().await;
        let mut pause = AGAIN;
        loop {
            match self.client.listen(&session, *after).await {
                // No pull is under way there any more.
                Ok((_, messages)) if messages.is_empty() => tokio::time::sleep(AGAIN).await,
                Ok((next, messages)) => {
                    (*after, pause) = (next, AGAIN);
                    for message in messages {
                        self.tell(Event::Said { source: self.source, message }).await;
                    }
                }
                // What is not heard comes twice, or is asked for by name.
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(SELDOM);
                }
            }
        }
    }

    /// Says something to the source.
    pub(super) async fn say(self, session: [u8; SESSION_ID_BYTES], message: Vec<u8>) {
        // It may have the session open only later.
        for _ in 0..TRIES {
            match self.client.say(&session, message.clone()).await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn tell(&self, event: Event) {
        let to = self.to.clone();
        // Nobody hears it where the loop is over.
        let _ = tokio::task::spawn_blocking(move || to.send(event).is_ok()).await;
    }

    /// Reads a body while its source is read.
    async fn pump(
        &self,
        body: &mut hyper::body::Incoming,
        mut reads: watch::Receiver<bool>,
        to: mpsc::Sender<Result<bytes::Bytes>>,
    ) {
        let mut watch = Watch::new(self.client.pace());
        loop {
            if reads.wait_for(|reads| *reads).await.is_err() {
                return;
            }
            let Some(chunk) = watch.data(body).await.transpose() else { return };
            if let Ok(bytes) = &chunk {
                self.came.fetch_add(bytes.len() as u64, Relaxed);
            }
            let broken = chunk.is_err();
            if to.send(chunk).await.is_err() || broken {
                return;
            }
        }
    }
}

/// The session of a share whose source gossips.
fn session_of(ask: &Ask) -> Option<[u8; SESSION_ID_BYTES]> {
    let Form::Share(plan) = &ask.form else { return None };
    ask.part.map(|_| *SessionKey::new(plan.session()).id())
}

/// Takes a CAR apart and verifies its blocks, on a thread of its own.
fn take(
    mut body: Body,
    to: &SyncSender<Event>,
    source: SourceId,
    request: RequestId,
) -> Result<()> {
    while let Some(batch) = body.next_sections()? {
        let (mut blocks, mut fault) = (Vec::with_capacity(batch.len()), None);
        for block in verify(batch) {
            match block {
                Ok(block) => blocks.push(block),
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        // Blocks in front of a fault count.
        if to.send(Event::Blocks { source, request, blocks }).is_err() {
            return Ok(());
        }
        if let Some(error) = fault {
            return Err(error.into());
        }
    }
    Ok(())
}

/// What an error says of its source.
fn trouble_of(error: &Error) -> Trouble {
    match error {
        Error::Block(_) | Error::Message(_) | Error::TooLarge { .. } | Error::Coding(_) => {
            Trouble::Lie
        }
        // HTTP said that the body is whole, and a proxy may have cut it.
        Error::Car(carpool_car::Error::Truncated { .. }) => Trouble::Broken,
        Error::Car(_) => Trouble::Lie,
        Error::Status { .. } | Error::Refused { .. } if !error.is_transient() => Trouble::Refused,
        Error::Status { .. }
        | Error::Refused { .. }
        | Error::Usage(_)
        | Error::Connect(_)
        | Error::Conflict { .. }
        | Error::Incomplete { .. }
        | Error::SourceLacks { .. }
        | Error::PeerTakesLess { .. }
        | Error::Mirror(_)
        | Error::Store(_)
        | Error::Pool(_)
        | Error::Aside(_)
        | Error::Cut(_) => Trouble::Broken,
    }
}
