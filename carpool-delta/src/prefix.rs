use alloc::vec::Vec;
use zstd_safe::{CCtx, CParameter, DCtx, Strategy};

/// Compresses `data` as one zstd frame that refers to `prefix` as bytes before it; `None` where zstd
/// cannot. The hash tables are as large as the prefix asks for: with those of level 3 matches far back are lost.
#[must_use]
pub fn compress_with(prefix: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
    let window = (prefix.len() + data.len()).next_power_of_two().trailing_zeros().clamp(17, 24);
    let mut context = CCtx::try_create()?;
    for parameter in [
        CParameter::CompressionLevel(3),
        CParameter::WindowLog(window),
        CParameter::Strategy(Strategy::ZSTD_dfast),
        CParameter::HashLog(window.min(19)),
        CParameter::ChainLog(window.min(19)),
    ] {
        context.set_parameter(parameter).ok()?;
    }
    context.ref_prefix(prefix).ok()?;
    context.compress2(&mut out, data).ok()?;
    Some(out)
}

/// Decompresses a frame of [`compress_with`] to exactly `len` bytes; `None` where it is none, or has
/// another length. Nothing but these `len` bytes and a context of some 100 KiB is allocated.
#[must_use]
pub fn decompress_with(prefix: &[u8], frame: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len);
    let mut context = DCtx::try_create()?;
    context.ref_prefix(prefix).ok()?;
    // A vector may have room for more than was asked for.
    context.decompress(&mut out, frame).ok()?;
    (out.len() == len).then_some(out)
}
