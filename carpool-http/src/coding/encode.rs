use bytes::Bytes;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use tokio::sync::OwnedSemaphorePermit;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::Coding;

/// Bytes at the beginning of a body that are compressed to find out whether that pays: a block of
/// zstd.
pub(crate) const SAMPLE_BYTES: usize = 128 << 10;

/// A whole body below this fits into the packet that its head needs in any case.
const LEAST_BYTES: usize = 1 << 10;

/// The level of zstd. Pulling 64 MiB of text over loopback does 160 MB/s with it, and of noise what it does
/// without (`numbers --only coding`).
const LEVEL: i32 = 3;

/// The level of gzip, for clients that know nothing better.
const GZIP_LEVEL: u32 = 3;

/// A reader that has taken all there was is given what waits in the compressor, once that is so
/// many bytes of the body.
const FLUSH_BYTES: usize = 64 << 10;

/// Compression pays where so many tenths of the sample, or less, are left of it.
const PAYS_TENTHS: usize = 9;

/// What a body is to be written in, if that pays.
pub(crate) struct Wish {
    pub(crate) coding: Coding,
    /// Whether it is to be so in any case.
    pub(crate) always: bool,
    /// A place among the bodies that are compressed at a time.
    pub(crate) _place: Option<OwnedSemaphorePermit>,
}

/// Writes a body in a coding, if its beginning says that it pays.
pub(crate) struct Squeeze {
    wish: Wish,
    state: State,
}

enum State {
    /// Chunks, and how many bytes they are.
    Sampling(Vec<Bytes>, usize),
    /// The encoder, and how many bytes went in since it was flushed.
    Coding(Box<Encoder>, usize),
}

/// What can go out.
pub(crate) enum Ready {
    /// Nothing is known of the body yet.
    Nothing,
    /// From here on the body goes as it is.
    Plain(Vec<Bytes>),
    /// Bytes in the coding, or none.
    Coded(Bytes),
}

impl Squeeze {
    pub(crate) const fn new(wish: Wish) -> Self {
        Self { wish, state: State::Sampling(Vec::new(), 0) }
    }

    pub(crate) const fn coding(&self) -> Coding {
        self.wish.coding
    }

    /// Takes a chunk. The reader is `idle` when it has read all that went out.
    pub(crate) fn take(&mut self, chunk: Bytes, idle: bool) -> io::Result<Ready> {
        match &mut self.state {
            State::Sampling(held, bytes) => {
                *bytes += chunk.len();
                held.push(chunk);
                if *bytes < SAMPLE_BYTES { Ok(Ready::Nothing) } else { self.decide() }
            }
            State::Coding(encoder, unflushed) => {
                encoder.write_all(&chunk)?;
                *unflushed += chunk.len();
                if idle && *unflushed >= FLUSH_BYTES {
                    encoder.flush()?;
                    *unflushed = 0;
                }
                Ok(Ready::Coded(encoder.take()))
            }
        }
    }

    /// Looks at the sample; what is behind it follows if it pays.
    fn decide(&mut self) -> io::Result<Ready> {
        let State::Sampling(held, _) = &mut self.state else { return Ok(Ready::Nothing) };
        let held = std::mem::take(held);
        let mut encoder = Encoder::new(self.wish.coding, None)?;
        let (mut left, mut rest) = (SAMPLE_BYTES, Vec::new());
        for chunk in &held {
            let of_sample = left.min(chunk.len());
            encoder.write_all(&chunk[..of_sample])?;
            left -= of_sample;
            rest.push(chunk.slice(of_sample..));
        }
        encoder.flush()?;
        if !self.pays(encoder.written(), SAMPLE_BYTES) {
            return Ok(Ready::Plain(held));
        }
        rest.iter().try_for_each(|chunk| encoder.write_all(chunk))?;
        let coded = encoder.take();
        self.state = State::Coding(Box::new(encoder), 0);
        Ok(Ready::Coded(coded))
    }

    /// The rest of the body.
    pub(crate) fn end(self) -> io::Result<Ready> {
        match self.state {
            State::Coding(encoder, _) => Ok(Ready::Coded(encoder.finish()?)),
            State::Sampling(_, 0) => Ok(Ready::Nothing),
            State::Sampling(ref held, bytes) => {
                if bytes < LEAST_BYTES && !self.wish.always {
                    return Ok(Ready::Plain(held.clone()));
                }
                let mut encoder = Encoder::new(self.wish.coding, Some(bytes))?;
                held.iter().try_for_each(|chunk| encoder.write_all(chunk))?;
                let coded = encoder.finish()?;
                let pays = self.pays(coded.len(), bytes);
                Ok(if pays { Ready::Coded(coded) } else { Ready::Plain(held.clone()) })
            }
        }
    }

    const fn pays(&self, coded: usize, plain: usize) -> bool {
        self.wish.always || coded * 10 <= plain * PAYS_TENTHS
    }
}

/// An encoder into memory.
enum Encoder {
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Encoder {
    /// Of a body of so many bytes, where that is known.
    fn new(coding: Coding, bytes: Option<usize>) -> io::Result<Self> {
        match coding {
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), LEVEL)?;
                encoder.set_pledged_src_size(bytes.map(|bytes| bytes as u64))?;
                Ok(Self::Zstd(encoder))
            }
            Coding::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Ok(Self::Gzip(GzEncoder::new(Vec::new(), level)))
            }
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }

    fn written(&self) -> usize {
        match self {
            Self::Zstd(encoder) => encoder.get_ref().len(),
            Self::Gzip(encoder) => encoder.get_ref().len(),
        }
    }

    /// What was written up to now.
    fn take(&mut self) -> Bytes {
        let written = match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        std::mem::take(written).into()
    }

    fn finish(self) -> io::Result<Bytes> {
        let written = match self {
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Gzip(encoder) => encoder.finish()?,
        };
        Ok(written.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn squeeze(coding: Coding, always: bool) -> Squeeze {
        Squeeze::new(Wish { coding, always, _place: None })
    }

    /// Bytes that do not compress.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        (0..len).map(|_| next()).collect()
    }

    /// What goes out of a body in pieces, and whether it is in the coding.
    fn written(mut squeeze: Squeeze, body: &[u8], piece: usize) -> (bool, Vec<u8>) {
        let (mut coded, mut out, mut plain) = (false, Vec::new(), false);
        for piece in body.chunks(piece) {
            if plain {
                out.extend_from_slice(piece);
                continue;
            }
            match squeeze.take(Bytes::copy_from_slice(piece), true).expect("memory") {
                Ready::Nothing => {}
                Ready::Plain(held) => {
                    plain = true;
                    held.iter().for_each(|chunk| out.extend_from_slice(chunk));
                }
                Ready::Coded(bytes) => {
                    coded = true;
                    out.extend_from_slice(&bytes);
                }
            }
        }
        if !plain {
            match squeeze.end().expect("memory") {
                Ready::Nothing => {}
                Ready::Plain(held) => held.iter().for_each(|chunk| out.extend_from_slice(chunk)),
                Ready::Coded(bytes) => {
                    coded = true;
                    out.extend_from_slice(&bytes);
                }
            }
        }
        (coded, out)
    }

    fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Zstd => out = zstd::decode_all(bytes).expect("one stream"),
            Coding::Gzip => {
                flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).expect("one stream");
            }
        }
        out
    }

    #[test]
    fn what_compresses_is_compressed_and_what_does_not_is_left_alone() {
        let text = b"a block and another block. ".repeat(20_000);
        let mixed = [&noise(SAMPLE_BYTES)[..], &text].concat();
        let other = [&text[..SAMPLE_BYTES], &noise(SAMPLE_BYTES)].concat();
        for coding in [Coding::Zstd, Coding::Gzip] {
            for (what, body, expected) in [
                ("text", &text[..], true),
                ("a little", &text[..LEAST_BYTES], true),
                ("less", &text[..LEAST_BYTES - 1], false),
                ("nothing", &[], false),
                ("noise", &noise(300_000), false),
                ("a little noise", &noise(2000), false),
                ("the sample decides", &mixed, false),
                ("and nothing else", &other, true),
            ] {
                for piece in [1000, 60_000, 1 << 20] {
                    let (coded, out) = written(squeeze(coding, false), body, piece);
                    assert_eq!(coded, expected, "{what}, {coding:?}, {piece}");
                    let back = if coded { decode(coding, &out) } else { out };
                    assert!(back == body, "{what}, {coding:?}, {piece}");
                }
                let (coded, out) = written(squeeze(coding, true), body, 60_000);
                assert_eq!(coded, !body.is_empty(), "{what}, {coding:?}, in any case");
                assert!(body.is_empty() || decode(coding, &out) == body, "{what}, {coding:?}");
            }
        }
    }

    #[test]
    fn a_reader_that_waits_is_given_what_is_there() {
        let text = b"a block and another block. ".repeat(20_000);
        for coding in [Coding::Zstd, Coding::Gzip] {
            for (idle, flushed) in [(true, true), (false, false)] {
                let mut squeeze = squeeze(coding, false);
                let mut given = Vec::new();
                for piece in [&text[..SAMPLE_BYTES], &text[..FLUSH_BYTES], &text[..1]] {
                    match squeeze.take(Bytes::copy_from_slice(piece), idle).expect("memory") {
                        Ready::Coded(bytes) => given.push(bytes.len()),
                        Ready::Nothing | Ready::Plain(_) => panic!("it compresses"),
                    }
                }
                assert!(given[0] > 0, "the sample goes out, {coding:?}");
                assert_eq!(given[1] > 0, flushed, "{coding:?}");
                assert_eq!(given[2], 0, "a byte waits, {coding:?}");
            }
        }
    }
}
