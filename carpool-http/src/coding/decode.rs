use bytes::{Buf, Bytes};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};
use tokio::sync::mpsc;
use zstd::stream::{raw::DParameter, read::Decoder as ZstdDecoder};

use super::Coding;
use crate::{Error, Result};

/// The largest window of zstd that is taken, as a power of two: 8 MiB, as RFC 9659 has it.
pub(crate) const MAX_WINDOW_LOG: u32 = 23;

/// Bytes of a body that are decoded at a time, however few they came in.
const DECODE_BYTES: usize = 128 << 10;

/// A body on its way in, without its coding. What is held beside a chunk from the network is the
/// coding's window and [`DECODE_BYTES`].
pub(crate) struct Decoded {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
}

/// Takes the coding off chunks as they come.
///
/// # Errors
/// Where there is no memory.
pub(crate) fn decoded(coding: Coding, incoming: mpsc::Receiver<Result<Bytes>>) -> Result<Decoded> {
    let chunks = Chunks { incoming, chunk: Bytes::new() };
    let reader: Box<dyn Read + Send> = match coding {
        Coding::Zstd => Box::new(zstd(chunks).map_err(error)?),
        Coding::Gzip => Box::new(MultiGzDecoder::new(chunks)),
    };
    Ok(Decoded { reader, buffer: vec![0; DECODE_BYTES] })
}

fn zstd(chunks: Chunks) -> io::Result<ZstdDecoder<'static, Chunks>> {
    let mut decoder = ZstdDecoder::with_buffer(chunks)?;
    decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
    Ok(decoder)
}

impl Decoded {
    /// The next bytes, or `None` at the end of the body. Blocks.
    ///
    /// # Errors
    /// What broke the body off; [`Error::Cut`] where the coding says that there is more;
    /// [`Error::Coding`].
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        let read = self.reader.read(&mut self.buffer).map_err(error)?;
        // A copy, so that a small block never keeps a large buffer.
        Ok((read > 0).then(|| Bytes::copy_from_slice(&self.buffer[..read])))
    }
}

fn error(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::Cut(format!("the compressed body has no end: {error}"));
    }
    error.downcast::<Error>().unwrap_or_else(|error| Error::Coding(error.to_string()))
}

/// Chunks of a body, to be read on a thread that may block.
struct Chunks {
    incoming: mpsc::Receiver<Result<Bytes>>,
    chunk: Bytes,
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let Some(next) = self.incoming.blocking_recv() else { break };
            self.chunk = next.map_err(io::Error::other)?;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, bytes: usize) {
        self.chunk.advance(bytes);
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn with_window(log: u32, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("memory");
        encoder.window_log(log).expect("a window");
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// The whole body, from chunks of so many bytes.
    fn all(coding: Coding, body: &[u8], chunk: usize) -> Result<Vec<u8>> {
        let (to, incoming) = mpsc::channel(body.len() + 1);
        for chunk in body.chunks(chunk) {
            to.try_send(Ok(Bytes::copy_from_slice(chunk))).expect("there is room");
        }
        drop(to);
        let (mut decoded, mut all) = (decoded(coding, incoming)?, Vec::new());
        while let Some(bytes) = decoded.next()? {
            assert!(bytes.len() <= DECODE_BYTES);
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    #[test]
    fn streams_are_read_to_their_end_and_no_further() {
        let text = b"0123456789abcdef".repeat(100_000);
        let zstd = zstd::encode_all(&text[..], 3).expect("memory");
        let skipped = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".as_slice(), &zstd].concat();
        for (coding, body) in [(Coding::Zstd, zstd), (Coding::Gzip, gzip(&text))] {
            let twice = [&body[..], &body].concat();
            for chunk in [1, 1000, 1 << 20] {
                assert!(all(coding, &body, chunk).expect("it is whole") == text);
            }
            assert_eq!(all(coding, &twice, 1000).expect("both").len(), 2 * text.len());
            let cut = all(coding, &body[..body.len() - 1], 1000);
            assert!(matches!(cut, Err(Error::Cut(_))), "{coding:?}: {cut:?}");
            let garbage = all(coding, &[&body[..], b"garbage that is none"].concat(), 1000);
            assert!(matches!(garbage, Err(Error::Coding(_))), "{coding:?}: {garbage:?}");
            let wrong = all(coding, b"garbage that is none", 1000);
            assert!(matches!(wrong, Err(Error::Coding(_))), "{coding:?}: {wrong:?}");
        }
        assert!(all(Coding::Zstd, &skipped, 7).expect("a skipped frame is none") == text);
    }

    #[test]
    fn a_window_at_the_limit_and_past_it() {
        let body = vec![7; 9 << 20];
        let limit = with_window(MAX_WINDOW_LOG, &body);
        assert!(all(Coding::Zstd, &limit, 1000).expect("8 MiB are taken") == body);
        let past = all(Coding::Zstd, &with_window(MAX_WINDOW_LOG + 1, &body), 1000);
        assert!(matches!(past, Err(Error::Coding(_))), "{past:?}");
    }

    #[test]
    fn what_broke_the_body_off_is_said() {
        let (to, incoming) = mpsc::channel(2);
        let body = zstd::encode_all(&[1; 1000][..], 3).expect("memory");
        to.try_send(Ok(Bytes::from(body).slice(..10))).expect("there is room");
        to.try_send(Err(Error::TooLarge { max: 3 })).expect("there is room");
        let mut decoded = decoded(Coding::Zstd, incoming).expect("memory");
        let broken = std::iter::from_fn(|| decoded.next().transpose()).find_map(Result::err);
        assert!(matches!(broken, Some(Error::TooLarge { max: 3 })), "{broken:?}");
    }
}
