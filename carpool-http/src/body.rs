use bytes::Bytes;
use http_body::{Body, Frame};
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
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

use crate::{
    Error, Result,
    pace::{Pace, Watch},
};

/// Chunks of a body that wait between a machine and the network.
const CHUNKS: usize = 8;

/// Bytes of one of them: what waits for a slow reader is bounded, and its pace can be told.
const CHUNK_BYTES: usize = 128 << 10;

/// A body that a machine on a blocking thread fills, and the end by which it does. A reader that
/// falls behind `pace` is given up.
pub(crate) fn channel(pace: Pace) -> (Outgoing, ChannelBody, Alive) {
    let (to, rest) = mpsc::channel(CHUNKS);
    let (alive, gone) = watch::channel(());
    let whole = Arc::new(AtomicBool::new(false));
    let (whole_too, runtime) = (Arc::clone(&whole), Handle::current());
    let outgoing = Outgoing { to, gone, whole: whole_too, runtime, pace };
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
    pace: Pace,
}

impl Outgoing {
    /// Waits until there is room.
    ///
    /// # Errors
    /// [`Error::Cut`] when nobody wants the body any more, or nobody reads it.
    pub(crate) fn send(&mut self, mut bytes: Bytes) -> Result<()> {
        while bytes.len() > CHUNK_BYTES {
            let chunk = bytes.split_to(CHUNK_BYTES);
            self.send_chunk(chunk)?;
        }
        self.send_chunk(bytes)
    }

    fn send_chunk(&mut self, chunk: Bytes) -> Result<()> {
        match self.to.try_send(Ok(chunk)) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(chunk)) => self.wait(chunk),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Self::gone()),
        }
    }

    fn wait(&mut self, chunk: Result<Bytes>) -> Result<()> {
        let Self { to, gone, runtime, pace, .. } = self;
        let patience = pace.patience(CHUNK_BYTES);
        runtime.block_on(async {
            tokio::select! {
                sent = tokio::time::timeout(patience, to.send(chunk)) => match sent {
                    Ok(sent) => sent.map_err(|_| Self::gone()),
                    Err(_) => Err(Error::Cut("the peer does not read".into())),
                },
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

/// Moves a body's chunks into a channel until it ends, breaks, falls behind its pace, or nobody
/// takes them any more; then gives back what is left of it.
pub(crate) async fn pump<B>(mut body: B, to: mpsc::Sender<Result<Bytes>>, pace: Pace) -> B
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut watch = Watch::new(pace);
    loop {
        let Some(chunk) = watch.data(&mut body).await.transpose() else { return body };
        let broken = chunk.is_err();
        if to.send(chunk).await.is_err() || broken {
            return body;
        }
    }
}

/// Reads and drops up to `max` bytes of a body, so that a peer which still writes can read the
/// answer; `false` when there was more.
pub(crate) async fn drain<B>(mut body: B, max: u64, pace: Pace) -> bool
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (mut watch, mut left) = (Watch::new(pace), max);
    loop {
        let Ok(data) = watch.data(&mut body).await else { return false };
        let Some(data) = data else { return true };
        let Some(rest) = left.checked_sub(data.len() as u64) else { return false };
        left = rest;
    }
}

/// All of a body that has to be short.
///
/// # Errors
/// [`Error::TooLarge`] beyond `max` bytes, [`Error::Cut`].
pub(crate) async fn collect<B>(mut body: B, max: usize, pace: Pace) -> Result<Vec<u8>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (mut watch, mut all) = (Watch::new(pace), Vec::new());
    while let Some(data) = watch.data(&mut body).await? {
        if all.len() + data.len() > max {
            return Err(Error::TooLarge { max: max as u64 });
        }
        all.extend_from_slice(&data);
    }
    Ok(all)
}
