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
