use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;

use crate::{Error, Result};

/// A body whose chunks come through a channel. An error in the channel breaks the body off, so
/// that the peer sees a cut and never a clean end.
pub(crate) struct ChannelBody {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Result<Bytes>>,
}

impl ChannelBody {
    pub(crate) const fn new(first: Option<Bytes>, rest: mpsc::Receiver<Result<Bytes>>) -> Self {
        Self { first, rest }
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
        self.rest.poll_recv(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
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
