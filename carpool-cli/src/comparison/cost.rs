//! What the blocks that one DAG has beyond another cost in each encoding, by encoding them.

use carpool_car::{header, section_prefix};
use carpool_core::{Block, Cid, CidSet, Limits};
use carpool_delta::{Counts, Encoder, Options, Pairing, Sending};
use carpool_selector::{Order, Step, Walk};
use carpool_store::BlockStore;
use std::time::Instant;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, zstd_sys::ZSTD_EndDirective};

use crate::{
    failure::{Exit, Failure, Outcome},
    remote::random_seed,
};

/// The level of the one stream: that of transfers.
const LEVEL: i32 = 3;

/// What one encoding costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) encoding: &'static str,
    pub(crate) bytes: u64,
    pub(crate) micros: u64,
}

/// What the blocks below `b` cost that are not in `held`, the blocks below `a`: as a CAR, as one
/// compressed stream of it, and as a delta body to who holds `a`.
pub(crate) fn costs(
    store: &dyn BlockStore,
    a: Cid,
    b: Cid,
    held: &CidSet,
) -> Outcome<([Cost; 3], Counts)> {
    let header = header(&[b]);
    let (mut plain, mut zstd, mut delta) =
        (Meter::new("plain"), Meter::new("zstd"), Meter::new("delta"));
    let mut stream = Stream::new()?;
    plain.bytes = header.len() as u64;
    zstd.spend(|| stream.write(header.as_ref(), ZSTD_EndDirective::ZSTD_e_continue))?;
    let mut encoder = Encoder::new([b], [a], &Limits::default(), Options::default(), 0);
    let mut pairing = Pairing::new(b, a, [], &Limits::default(), random_seed());
    delta.spend(|| paired(&mut pairing, store))?;
    missing(store, b, held, |block| {
        let prefix = section_prefix(block.cid(), block.data().len());
        plain.bytes += (prefix.as_ref().len() + block.data().len()) as u64;
        zstd.spend(|| {
            let more = ZSTD_EndDirective::ZSTD_e_continue;
            Ok(stream.write(prefix.as_ref(), more)? + stream.write(block.data(), more)?)
        })?;
        let old = if *block.cid() == b { Vec::from([a]) } else { pairing.like(block.cid()) };
        delta.spend(|| {
            encoder.handle_block(block, &old);
            given_out(&mut encoder, store)
        })
    })?;
    zstd.spend(|| stream.write(&[], ZSTD_EndDirective::ZSTD_e_end))?;
    delta.spend(|| {
        encoder.finish();
        given_out(&mut encoder, store)
    })?;
    Ok(([plain, zstd, delta].map(Meter::cost), encoder.counts()))
}

/// Gives the blocks of a transfer in its order.
fn missing(
    store: &dyn BlockStore,
    root: Cid,
    held: &CidSet,
    mut each: impl FnMut(Block) -> Outcome,
) -> Outcome {
    let mut walk = Walk::new([root], Order::DepthFirst, &Limits::default(), random_seed());
    let mut loads = Vec::new();
    loop {
        match walk.poll(|cid| !held.contains(cid))? {
            Some(Step::Load(cid)) => loads.push(cid),
            Some(Step::Visit(block)) => each(block)?,
            Some(Step::Missing { .. }) => {}
            None if loads.is_empty() => return Ok(()),
            None => {
                for (cid, data) in loads.iter().zip(store.get_many(&loads)?) {
                    walk.handle_load(cid, data);
                }
                loads.clear();
            }
        }
    }
}

/// Finds out what renamed files were.
fn paired(pairing: &mut Pairing, store: &dyn BlockStore) -> Outcome<u64> {
    while let Some(cid) = pairing.poll() {
        pairing.handle_load(&cid, store.get(&cid)?);
    }
    Ok(0)
}

/// Answers the encoder and counts its bytes.
fn given_out(encoder: &mut Encoder, store: &dyn BlockStore) -> Outcome<u64> {
    let mut bytes = 0;
    while let Some(sending) = encoder.poll() {
        match sending {
            Sending::Load(cid) => encoder.handle_load(&cid, store.get(&cid)?),
            Sending::Data(data) => bytes += data.len() as u64,
        }
    }
    Ok(bytes)
}

struct Meter {
    encoding: &'static str,
    bytes: u64,
    micros: u64,
}

impl Meter {
    const fn new(encoding: &'static str) -> Self {
        Self { encoding, bytes: 0, micros: 0 }
    }

    fn spend(&mut self, work: impl FnOnce() -> Outcome<u64>) -> Outcome {
        let begun = Instant::now();
        self.bytes += work()?;
        self.micros += u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(())
    }

    const fn cost(self) -> Cost {
        Cost { encoding: self.encoding, bytes: self.bytes, micros: self.micros }
    }
}

/// A compressed stream of which only the length is of interest.
struct Stream {
    context: CCtx<'static>,
    out: Vec<u8>,
}

impl Stream {
    fn new() -> Outcome<Self> {
        let failed = || Failure::new(Exit::Io, "there is no memory for a compressor");
        let mut context = CCtx::try_create().ok_or_else(failed)?;
        context.set_parameter(CParameter::CompressionLevel(LEVEL)).map_err(|_| failed())?;
        Ok(Self { context, out: vec![0; CCtx::out_size()] })
    }

    /// Compresses `data`; returns how many bytes came out.
    fn write(&mut self, data: &[u8], end: ZSTD_EndDirective) -> Outcome<u64> {
        let (mut input, mut bytes) = (InBuffer::around(data), 0);
        loop {
            let mut output = OutBuffer::around(&mut self.out[..]);
            let left = self.context.compress_stream2(&mut output, &mut input, end);
            let left = left.map_err(|_| Failure::new(Exit::Io, "the compressor failed"))?;
            bytes += output.pos() as u64;
            let ended = end == ZSTD_EndDirective::ZSTD_e_continue || left == 0;
            if ended && input.pos() == data.len() {
                return Ok(bytes);
            }
        }
    }
}
