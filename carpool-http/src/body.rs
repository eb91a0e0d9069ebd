use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
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
    coding::{Coding, Ready, Squeeze, Wish},
    pace::{Pace, Watch},
};

/// Chunks of a body that wait between a machine and the network.
const CHUNKS: usize = 8;

/// Bytes of one of them: what waits for a slow reader is bounded, and its pace can be told.
const CHUNK_BYTES: usize = 128 << 10;

/// A body that a machine on a blocking thread fills, and the end by which it does. A reader that
/// falls behind `pace` is given up. Where there is a `wish`, the body is compressed if that pays, on
/// the thread that fills it; its first chunk comes once that is decided.
pub(crate) fn channel(pace: Pace, wish: Option<Wish>) -> (Outgoing, ChannelBody, Alive) {
    let (to, rest) = mpsc::channel(CHUNKS);
    let (alive, gone) = watch::channel(());
    let fate = Arc::<Fate>::default();
    let (fate_too, runtime) = (Arc::clone(&fate), Handle::current());
    let squeeze = wish.map(Squeeze::new);
    let outgoing = Outgoing { to, gone, fate: fate_too, runtime, pace, squeeze };
    (outgoing, ChannelBody { first: None, rest, fate }, Alive { _alive: alive })
}

/// What whoever fills a body tells whoever reads it.
#[derive(Default)]
struct Fate {
    whole: AtomicBool,
    /// Set before the first chunk, if at all.
    coding: OnceLock<Coding>,
}

/// Whoever drops this takes back the body: the thread that fills it stops.
pub(crate) struct Alive {
    _alive: watch::Sender<()>,
}

/// The end of a body that a blocking thread fills.
pub(crate) struct Outgoing {
    to: mpsc::Sender<Result<Bytes>>,
    gone: watch::Receiver<()>,
    fate: Arc<Fate>,
    runtime: Handle,
    pace: Pace,
    /// What compresses the body; `None` once it is known that nothing does.
    squeeze: Option<Squeeze>,
}

impl Outgoing {
    /// Waits until there is room.
    ///
    /// # Errors
    /// [`Error::Cut`] when nobody wants the body any more, or nobody reads it.
    pub(crate) fn send(&mut self, bytes: Bytes) -> Result<()> {
        let idle = self.to.capacity() == CHUNKS;
        let Some(squeeze) = &mut self.squeeze else { return self.send_ready(bytes) };
        let ready = squeeze.take(bytes, idle).map_err(Self::unable)?;
        let coding = squeeze.coding();
        if matches!(ready, Ready::Plain(_)) {
            self.squeeze = None;
        }
        self.send_either(ready, coding)
    }

    fn send_either(&mut self, ready: Ready, coding: Coding) -> Result<()> {
        match ready {
            Ready::Nothing => Ok(()),
            Ready::Plain(chunks) => chunks.into_iter().try_for_each(|it| self.send_ready(it)),
            Ready::Coded(bytes) if bytes.is_empty() => Ok(()),
            Ready::Coded(bytes) => {
                self.fate.coding.get_or_init(|| coding);
                self.send_ready(bytes)
            }
        }
    }

    fn send_ready(&mut self, mut bytes: Bytes) -> Result<()> {
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

    /// The compressor writes into memory, so that is what there was none of.
    fn unable(error: std::io::Error) -> Error {
        Error::Cut(format!("the body cannot be compressed: {error}"))
    }

    fn gone() -> Error {
        Error::Cut("the peer stopped reading".into())
    }

    /// Sends what is left and says that the body is whole. One that is dropped without this breaks
    /// off, so that the peer sees a cut and never a clean end.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some(squeeze) = self.squeeze.take() {
            let coding = squeeze.coding();
            let rest = squeeze.end().map_err(Self::unable)?;
            self.send_either(rest, coding)?;
        }
        self.fate.whole.store(true, Release);
        Ok(())
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
    fate: Arc<Fate>,
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

    /// The coding of the body, once it [has any](Self::has_any).
    pub(crate) fn coding(&self) -> Option<Coding> {
        self.fate.coding.get().copied()
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
        if matches!(polled, Poll::Ready(None)) && !self.fate.whole.load(Acquire) {
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
