use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

use crate::{Error, Result};

/// Chunks of a body that wait between a machine and the network.
const CHUNKS: usize = 8;

/// A body that a machine on a blocking thread fills, and the end by which it does.
pub(crate) fn channel() -> (Outgoing, ChannelBody, Alive) {
    let (to, rest) = mpsc::channel(CHUNKS);
    let (alive, gone) = watch::channel(());
    let whole = Arc::new(AtomicBool::new(false));
    let outgoing = Outgoing { to, gone, whole: Arc::clone(&whole), runtime: Handle::current() };
    (outgoing, ChannelBody { first: None, rest, whole }, Alive { _alive: alive })
}

/// Whoever drops this takes back the body: the thread that fills it stops.
pub(crate) struct Alive {
    _alive: watch::Sender<()>,
}

/// The end of a body that a blocking thread fills.
pub(crate) struct Outgoing {
    to: mpsc::Sender<Result<Bytes>>,
    gone: watch::Receiver<()>,
    whole: Arc<AtomicBool>,
    runtime: Handle,
}

impl Outgoing {
    /// Waits until there is room.
    ///
    /// # Errors
    /// [`Error::Cut`] when nobody wants the body any more.
    pub(crate) fn send(&mut self, chunk: Bytes) -> Result<()> {
        match self.to.try_send(Ok(chunk)) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(chunk)) => self.wait(chunk),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Self::gone()),
        }
    }

    fn wait(&mut self, chunk: Result<Bytes>) -> Result<()> {
        let Self { to, gone, runtime, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                sent = to.send(chunk) => sent.map_err(|_| Self::gone()),
                _ = gone.changed() => Err(Self::gone()),
            }
        })
    }

    fn gone() -> Error {
        Error::Cut("the peer stopped reading".into())
    }

    /// Says that the body is whole. One that is dropped without this breaks off, so that the peer
    /// sees a cut and never a clean end.
    pub(crate) fn finish(self) {
        self.whole.store(true, Release);
    }

    /// Breaks the body off with a reason, for a reader that waits for its first chunk.
    pub(crate) fn fail(self, error: Error) {
        let _ = self.to.try_send(Err(error));
    }
}

/// A body whose chunks come through a channel.
pub(crate) struct ChannelBody {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes>>,
    whole: Arc<AtomicBool>,
}

impl ChannelBody {
    /// Waits for the first chunk and keeps it; `false` for a body that has none.
    ///
    /// # Errors
    /// What broke the body off before its first chunk.
    pub(crate) async fn has_any(&mut self) -> Result<bool> {
        self.first = self.rest.recv().await.transpose()?;
        Ok(self.first.is_some())
    }
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let polled = self.rest.poll_recv(cx);
        if matches!(polled, Poll::Ready(None)) && !self.whole.load(Acquire) {
            return Poll::Ready(Some(Err(Outgoing::gone())));
        }
        polled.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// Moves a body's chunks into a channel until it ends, breaks, stands still for `stall`, or nobody
/// takes them any more; then gives back what is left of it.
pub(crate) async fn pump<B>(mut body: B, to: mpsc::Sender<Result<Bytes>>, stall: Duration) -> B
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    loop {
        let chunk = match tokio::time::timeout(stall, body.frame()).await {
            Err(_) => Err(Error::Cut(format!("no data for {} s", stall.as_secs()))),
            Ok(None) => return body,
            Ok(Some(Err(error))) => Err(Error::Cut(format!("the connection broke: {error}"))),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(data),
                Err(_) => continue,
            },
        };
        let broken = chunk.is_err();
        if to.send(chunk).await.is_err() || broken {
            return body;
        }
    }
}

/// Reads and drops up to `max` bytes of a body, so that a peer which still writes can read the
/// answer; `false` when there was more.
pub(crate) async fn drain<B>(mut body: B, max: u64, stall: Duration) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut left = max;
    loop {
        let Ok(frame) = tokio::time::timeout(stall, body.frame()).await else { return false };
        let Some(Ok(frame)) = frame else { return true };
        let len = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = left.checked_sub(len) else { return false };
        left = rest;
    }
}

/// All of a body that has to be short.
///
/// # Errors
/// [`Error::TooLarge`] beyond `max` bytes, [`Error::Cut`].
pub(crate) async fn collect<B>(mut body: B, max: usize, stall: Duration) -> Result<Bytes>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut all = bytes::BytesMut::new();
    loop {
        let frame = tokio::time::timeout(stall, body.frame()).await;
        let frame = frame.map_err(|_| Error::Cut("a short body stood still".into()))?;
        let Some(frame) = frame else { return Ok(all.freeze()) };
        let frame = frame.map_err(|error| Error::Cut(format!("the connection broke: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > max {
            return Err(Error::TooLarge { max: max as u64 });
        }
        all.extend_from_slice(&data);
    }
}
