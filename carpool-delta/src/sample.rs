use alloc::vec::Vec;
use core::fmt;
use zstd_safe::CCtx;

use crate::{Operation, operation::write_operations};

/// Bytes of one sample.
const SAMPLE: usize = 4 << 10;
/// What is shorter is not worth a look.
const LEAST: usize = 512;

/// Tells what compresses from what does not.
pub(crate) struct Sampler {
    context: CCtx<'static>,
}

impl Sampler {
    pub(crate) fn new() -> Self {
        Self { context: CCtx::try_create().expect("there is memory for a context") }
    }

    /// Whether compression makes `data` smaller, as far as three samples of 4 KiB tell: by a
    /// thirty-second at least. What has less than 512 bytes does.
    pub(crate) fn is_compressible(&mut self, data: &[u8]) -> bool {
        if data.len() < LEAST {
            return true;
        }
        let (mut raw, mut compressed) = (0, 0);
        for start in [0, data.len() / 2, data.len().saturating_sub(SAMPLE)] {
            let sample = &data[start..data.len().min(start + SAMPLE)];
            (raw, compressed) = (raw + sample.len(), compressed + self.compressed(sample));
        }
        compressed < raw - raw / 32
    }

    /// About how many bytes operations and what they insert come to.
    pub(crate) fn estimate(&mut self, operations: &[Operation], literals: &[u8]) -> usize {
        let mut written = Vec::new();
        write_operations(operations, &mut written);
        let mut out =
            Vec::with_capacity(zstd_safe::compress_bound(literals.len().max(written.len())));
        let mut total = 0;
        for part in [&written[..], literals] {
            total += self.context.compress(&mut out, part, 3).unwrap_or(part.len());
        }
        total
    }

    fn compressed(&mut self, sample: &[u8]) -> usize {
        let mut out = [0_u8; SAMPLE];
        self.context.compress(&mut out[..], sample, 1).unwrap_or(sample.len())
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}
