use alloc::vec::Vec;
use core::fmt;
use zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, zstd_sys::ZSTD_EndDirective,
};

/// What can lie on one piece of a stream that was flushed.
const FLUSH: ZSTD_EndDirective = ZSTD_EndDirective::ZSTD_e_flush;

/// A zstd stream that is written piece by piece; each can be decoded once it is there.
pub(crate) struct Deflating {
    context: CCtx<'static>,
}

impl Deflating {
    /// A stream whose reader needs a window of two to the power of `window` bytes.
    pub(crate) fn new(level: i32, window: u32) -> Self {
        let mut context = CCtx::try_create().expect("there is memory for a context");
        for parameter in [
            CParameter::CompressionLevel(level),
            CParameter::WindowLog(window),
            CParameter::ContentSizeFlag(false),
        ] {
            context.set_parameter(parameter).expect("zstd has these parameters");
        }
        Self { context }
    }

    /// Compresses `raw` and appends all that its reader needs to have it.
    pub(crate) fn flush(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        if raw.is_empty() {
            return;
        }
        let mut input = InBuffer::around(raw);
        loop {
            out.reserve(zstd_safe::compress_bound(raw.len() - input.pos()).max(1024));
            let end = out.len();
            let mut output = OutBuffer::around_pos(out, end);
            let left = self.context.compress_stream2(&mut output, &mut input, FLUSH);
            let left = left.expect("zstd compresses whatever there is room for");
            if left == 0 && input.pos() == raw.len() {
                return;
            }
        }
    }

    /// Bytes of memory that it has.
    pub(crate) fn memory(&self) -> usize {
        self.context.sizeof()
    }
}

impl fmt::Debug for Deflating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflating").field("memory", &self.memory()).finish()
    }
}

/// A zstd stream that is read piece by piece.
pub(crate) struct Inflating {
    context: DCtx<'static>,
}

/// The bytes are no zstd, or hold fewer bytes than were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl Inflating {
    /// A stream whose window has at most two to the power of `window` bytes.
    pub(crate) fn new(window: u32) -> Self {
        let mut context = DCtx::try_create().expect("there is memory for a context");
        let limit = DParameter::WindowLogMax(window);
        context.set_parameter(limit).expect("zstd has this parameter");
        Self { context }
    }

    /// Decodes up to `most` bytes of what `compressed` begins with onto the end of `out`, and
    /// takes what it used off its front. Less than `most` are all that is there.
    pub(crate) fn read(
        &mut self,
        compressed: &mut &[u8],
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Broken> {
        let begun = out.len();
        out.resize(begun + most, 0);
        let mut output = OutBuffer::around(&mut out[begun..]);
        let mut input = InBuffer::around(compressed);
        let read = loop {
            let before = (input.pos(), output.pos());
            // Of a frame that ended there is no more.
            let hint = self.context.decompress_stream(&mut output, &mut input);
            let Ok(hint) = hint else { break Err(Broken) };
            let stands = before == (input.pos(), output.pos());
            if hint == 0 && (output.pos() < most || input.pos() < input.src.len()) {
                break Err(Broken);
            }
            if stands || output.pos() == most && input.pos() == input.src.len() {
                break Ok(output.pos());
            }
        };
        *compressed = &compressed[input.pos()..];
        out.truncate(begun + read?);
        read
    }
}

impl fmt::Debug for Inflating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflating").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn pieces_come_back_in_portions_of_any_size() {
        let pieces: [&[u8]; 4] = [b"a first piece", b"", &[7; 300_000], b"a first piece again"];
        let (mut deflating, mut inflating) = (Deflating::new(3, 18), Inflating::new(18));
        for piece in pieces {
            let mut compressed = Vec::new();
            deflating.flush(piece, &mut compressed);
            let (mut rest, mut out) = (&compressed[..], Vec::new());
            for portion in [1, 5, 0, 200_000, 1 << 20] {
                inflating.read(&mut rest, portion, &mut out).unwrap();
            }
            assert_eq!((&out[..], rest), (piece, &[][..]));
            assert_eq!(inflating.read(&mut rest, 1, &mut out), Ok(0));
        }
    }

    #[test]
    fn a_raw_block_comes_back_too() {
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0, 8 << 3];
        let mut inflating = Inflating::new(18);
        for (n, block) in [&b"abc"[..], b"zerotwo"].into_iter().enumerate() {
            let size = u8::try_from(block.len() << 3).unwrap();
            let head = if n == 0 { &head[..] } else { &[] };
            let compressed = [head, &[size, 0, 0], block].concat();
            let (mut rest, mut out) = (&compressed[..], Vec::new());
            assert_eq!(inflating.read(&mut rest, 2, &mut out), Ok(2));
            assert_eq!(inflating.read(&mut rest, block.len() - 2, &mut out), Ok(block.len() - 2));
            assert_eq!(inflating.read(&mut rest, 1, &mut out), Ok(0));
            assert_eq!((&out[..], rest), (block, &[][..]));
        }
    }

    #[test]
    fn what_is_no_zstd_is_broken() {
        for bytes in [&[1_u8, 2, 3, 4, 5][..], &[0x28, 0xb5, 0x2f, 0xfd, 0, 9 << 3, 1, 2, 3]] {
            assert_eq!(Inflating::new(18).read(&mut &bytes[..], 10, &mut vec![]), Err(Broken));
        }
    }
}
