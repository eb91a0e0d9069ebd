use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{Progress, progress::add};

/// Makes TCP connections that count their payload, below TLS, so that the bytes of a transfer are
/// those that the network carried.
#[derive(Clone, Debug)]
pub(crate) struct CountingConnector {
    inner: HttpConnector,
    progress: Arc<Progress>,
}

impl CountingConnector {
    pub(crate) fn new(mut inner: HttpConnector, progress: Arc<Progress>) -> Self {
        inner.set_nodelay(true);
        inner.enforce_http(false);
        Self { inner, progress }
    }
}

type Connecting = Pin<
    Box<
        dyn Future<Output = Result<TokioIo<Counted>, Box<dyn std::error::Error + Send + Sync>>>
            + Send,
    >,
>;

impl tower::Service<http::Uri> for CountingConnector {
    type Response = TokioIo<Counted>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let progress = Arc::clone(&self.progress);
        Box::pin(async move {
            let begun = Instant::now();
            let inner = connecting.await?.into_inner();
            progress.note_connected(begun.elapsed());
            Ok(TokioIo::new(Counted { inner, progress, deaf: false }))
        })
    }
}

/// A connection that counts.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: TcpStream,
    progress: Arc<Progress>,
    /// The peer takes no more. A server that answers early and closes makes writes fail while its
    /// answer waits to be read: writes then go nowhere, and reading goes on.
    deaf: bool,
}

impl Counted {
    fn write(
        &mut self,
        offered: usize,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.deaf {
            add(&self.progress.lost_writes, 1);
            return Poll::Ready(Ok(offered));
        }
        match write(Pin::new(&mut self.inner)) {
            Poll::Ready(Err(error)) if is_closed(&error) => {
                self.deaf = true;
                add(&self.progress.lost_writes, 1);
                Poll::Ready(Ok(offered))
            }
            Poll::Ready(Ok(n)) => {
                add(&self.progress.bytes_sent, n as u64);
                Poll::Ready(Ok(n))
            }
            other @ (Poll::Ready(Err(_)) | Poll::Pending) => other,
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        add(&self.progress.bytes_received, (buf.filled().len() - before) as u64);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(buf.len(), |inner| inner.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        self.write(offered, |inner| inner.poll_write_vectored(cx, bufs))
    }
}

impl Connection for Counted {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}
