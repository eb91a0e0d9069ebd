use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll},
};

/// Bytes of the pieces of a body over HTTP/1.1, each of which costs some ten more.
pub(crate) const PIECE_BYTES: usize = 512 << 10;

/// A body whose chunks go out together, as far as they are there: HTTP/1.1 tells the length of each
/// piece that it is given. Nothing is copied, and nothing waits.
pub(crate) struct Joined<B: Body> {
    body: B,
    /// Bytes from which on nothing is joined.
    most: usize,
    /// What the body said behind chunks that went out first.
    behind: Option<Said<B>>,
}

type Said<B> = Option<Result<Frame<Bytes>, <B as Body>::Error>>;

impl<B: Body> Joined<B> {
    /// Pieces end with the chunk that brings them to `most` bytes; 0 joins nothing.
    pub(crate) const fn new(body: B, most: usize) -> Self {
        Self { body, most, behind: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Joined<B> {
    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Said<B>> {
        match self.behind.take() {
            Some(said) => Poll::Ready(said),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }
}

impl<B: Body<Data = Bytes, Error: Unpin> + Unpin> Body for Joined<B> {
    type Data = Chunks;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunks>, B::Error>>> {
        let mut chunks = Chunks::default();
        while chunks.bytes < self.most.max(1) {
            match self.poll_said(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_data() => chunks.extend(frame.into_data()),
                Poll::Ready(said) if chunks.bytes == 0 => {
                    let said = said.map(|said| said.map(|frame| frame.map_data(Chunks::from)));
                    return Poll::Ready(said);
                }
                Poll::Ready(said) => {
                    self.behind = Some(said);
                    break;
                }
                Poll::Pending if chunks.bytes == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(Frame::data(chunks))))
    }

    fn is_end_stream(&self) -> bool {
        self.behind.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Chunks that are one piece.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    chunks: VecDeque<Bytes>,
    bytes: usize,
}

impl Extend<Bytes> for Chunks {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, chunks: I) {
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            self.bytes += chunk.len();
            self.chunks.push_back(chunk);
        }
    }
}

impl From<Bytes> for Chunks {
    fn from(chunk: Bytes) -> Self {
        let mut chunks = Self::default();
        chunks.extend([chunk]);
        chunks
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let both = slices.iter_mut().zip(&self.chunks);
        both.map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count()
    }

    fn advance(&mut self, mut n: usize) {
        assert!(n <= self.bytes, "{n} of {} bytes", self.bytes);
        self.bytes -= n;
        while let Some(front) = self.chunks.front_mut().filter(|_| n > 0) {
            let some = n.min(front.len());
            front.advance(some);
            n -= some;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::convert::Infallible;

    /// Frames, with pauses where there is `None`.
    struct Script(VecDeque<Option<Frame<Bytes>>>);

    impl Body for Script {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(Some(frame)) => Poll::Ready(Some(Ok(frame))),
                Some(None) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        }
    }

    fn data(bytes: &'static [u8]) -> Option<Frame<Bytes>> {
        Some(Frame::data(Bytes::from_static(bytes)))
    }

    async fn pieces(
        script: impl IntoIterator<Item = Option<Frame<Bytes>>>,
        most: usize,
    ) -> Vec<String> {
        let mut joined = Joined::new(Script(script.into_iter().collect()), most);
        let mut pieces = Vec::new();
        while let Some(frame) = joined.frame().await {
            pieces.push(match frame.expect("no errors").into_data() {
                Ok(mut chunks) => {
                    let bytes = chunks.copy_to_bytes(chunks.remaining());
                    String::from_utf8(bytes.to_vec()).expect("text")
                }
                Err(_) => "trailers".to_owned(),
            });
        }
        pieces
    }

    #[tokio::test]
    async fn chunks_that_are_there_are_joined_up_to_the_limit() {
        let script = || [data(b"a"), data(b"bc"), data(b""), None, data(b"d"), data(b"e")];
        for (most, expected) in [
            (0, vec!["a", "bc", "d", "e"]),
            (2, vec!["abc", "de"]),
            (3, vec!["abc", "de"]),
            (100, vec!["abc", "de"]),
        ] {
            assert_eq!(pieces(script(), most).await, expected, "{most}");
        }
    }

    #[tokio::test]
    async fn trailers_come_behind_what_was_before_them() {
        let trailers = Some(Frame::trailers(http::HeaderMap::new()));
        let script = [data(b"a"), data(b"b"), trailers];
        assert_eq!(pieces(script, 100).await, ["ab", "trailers"]);
    }

    #[test]
    fn bytes_are_taken_across_chunks() {
        let mut chunks = Chunks::default();
        chunks.extend([&b"ab"[..], b"c", b"def"].map(Bytes::from_static));
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(chunks.chunks_vectored(&mut slices), 2);
        assert_eq!([&slices[0][..], &slices[1]].concat(), b"abc");
        chunks.advance(4);
        assert_eq!((chunks.remaining(), chunks.chunk()), (2, &b"ef"[..]));
        chunks.advance(2);
        assert_eq!((chunks.remaining(), chunks.chunk()), (0, &b""[..]));
    }
}
