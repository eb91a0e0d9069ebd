//! DAGs of files, and transfers between two stores in memory.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use carpool_core::{Block, Bytes, Cid, CidMap, Limits, codec, for_each_link, verify};
use carpool_delta::{Counts, Decoder, Encoder, Error, Options, Output, Pairing, Sending};

/// Blocks by CID.
#[derive(Clone)]
pub struct Store(CidMap<Bytes>);

impl Store {
    pub fn new() -> Self {
        Self(CidMap::with_seed(0))
    }

    pub fn put(&mut self, block: &Block) {
        self.0.insert(block.cid(), block.data().clone());
    }

    pub fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.0.get(cid).cloned()
    }

    pub fn remove(&mut self, cid: &Cid) {
        self.0.remove(cid);
    }

    pub fn each(&self, mut each: impl FnMut(&Block)) {
        self.0.for_each(|cid, data| {
            let cid = carpool_core::cid_exact(cid).expect("a key is a CID");
            each(&Block::new_unchecked(cid, data.clone()));
        });
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a leaf.
    pub fn leaf(&mut self, data: impl Into<Bytes>) -> Cid {
        let block = Block::new(codec::RAW, data.into());
        self.put(&block);
        *block.cid()
    }

    /// Adds a list of links, in DAG-CBOR.
    pub fn node(&mut self, links: &[Cid]) -> Cid {
        let mut data = vec![0x99];
        data.extend(u16::try_from(links.len()).expect("few links").to_be_bytes());
        if links.len() < 24 {
            data = vec![0x80 | u8::try_from(links.len()).expect("few links")];
        } else if links.len() < 256 {
            data = vec![0x98, u8::try_from(links.len()).expect("few links")];
        }
        for link in links {
            let bytes = link.to_bytes();
            data.extend([0xd8, 0x2a, 0x58, u8::try_from(bytes.len() + 1).expect("a short CID"), 0]);
            data.extend(bytes);
        }
        let block = Block::new(codec::DAG_CBOR, data.into());
        self.put(&block);
        *block.cid()
    }

    /// Adds a file, cut every `chunk` bytes, with `fanout` links in a node.
    pub fn file(&mut self, data: &[u8], chunk: usize, fanout: usize) -> Cid {
        let mut level: Vec<Cid> =
            data.chunks(chunk).map(|chunk| self.leaf(chunk.to_vec())).collect();
        loop {
            level = level.chunks(fanout).map(|links| self.node(links)).collect();
            if level.len() <= 1 {
                return level.first().copied().unwrap_or_else(|| self.node(&[]));
            }
        }
    }

    /// What lies below `root` and is not held, depth first.
    pub fn missing(&self, root: &Cid, held: &Self) -> Vec<Block> {
        let (mut stack, mut seen, mut missing) = (vec![*root], Self::new(), Vec::new());
        while let Some(cid) = stack.pop() {
            let Some(data) = self.get(&cid).filter(|_| held.get(&cid).is_none()) else { continue };
            let block = Block::new_unchecked(cid, data);
            if seen.get(&cid).is_some() {
                continue;
            }
            seen.put(&block);
            let above = stack.len();
            for_each_link(&cid, block.data(), &Limits::default(), |link| stack.push(link))
                .expect("a node");
            stack[above..].reverse();
            missing.push(block);
        }
        missing
    }
}

/// Encodes blocks against what `old` has.
pub fn encode(
    known: &[Cid],
    blocks: &[Block],
    pair: impl Fn(&Cid) -> Option<Cid>,
    old: &Store,
    options: Options,
) -> (Vec<Bytes>, Counts) {
    let (wanted, held) = known.split_at(known.len().min(1));
    let (wanted, held) = (wanted.iter().copied(), held.iter().copied());
    let mut encoder = Encoder::new(wanted, held, &Limits::default(), options, 0);
    let mut body = Vec::new();
    let mut drive = |encoder: &mut Encoder| {
        while let Some(output) = encoder.poll() {
            match output {
                Sending::Load(cid) => encoder.handle_load(&cid, old.get(&cid)),
                Sending::Data(data) => body.push(data),
            }
        }
    };
    for block in blocks {
        assert!(encoder.is_ready());
        encoder.handle_block(block.clone(), pair(block.cid()).as_slice());
        drive(&mut encoder);
    }
    encoder.finish();
    drive(&mut encoder);
    assert!(encoder.memory() < 16 << 20, "{}", encoder.memory());
    (body, encoder.counts())
}

/// What came out of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// Blocks that verify, in their order.
    pub blocks: Vec<Block>,
    /// CIDs whose bytes were others.
    pub wrong: Vec<Cid>,
    /// What could not be decoded, with the old block that is lacking.
    pub lost: Vec<(Option<Cid>, Option<Cid>)>,
    pub loads: Vec<Cid>,
    /// Look-ups of blocks of which nothing tells that they lie below an old root.
    pub elsewhere: usize,
    pub counts: Counts,
}

/// Decodes a body that comes in `pieces`.
pub fn decode(
    known: &[Cid],
    pieces: impl IntoIterator<Item = Bytes>,
    old: &Store,
    limits: &Limits,
) -> (Came, Result<(), Error>) {
    let (wanted, held) = known.split_at(known.len().min(1));
    let (wanted, held) = (wanted.iter().copied(), held.iter().copied());
    let mut decoder = Decoder::new(wanted, held, limits, 0);
    let mut came = Came::default();
    for piece in pieces {
        decoder.handle_data(piece);
        if let Err(error) = drive(&mut decoder, old, &mut came) {
            return (came, Err(error));
        }
    }
    decoder.handle_eof();
    let result = drive(&mut decoder, old, &mut came);
    assert_eq!(result.is_ok(), decoder.is_done());
    came.counts = decoder.counts();
    (came, result)
}

fn drive(decoder: &mut Decoder, old: &Store, came: &mut Came) -> Result<(), Error> {
    while let Some(output) = decoder.poll()? {
        match output {
            Output::Load { cid, below_held } => {
                came.loads.push(cid);
                came.elsewhere += usize::from(!below_held);
                decoder.handle_load(&cid, old.get(&cid));
            }
            Output::Block(claim) => {
                let cid = claim.cid;
                match verify(vec![claim]).remove(0) {
                    Ok(block) => came.blocks.push(block),
                    Err(_) => came.wrong.push(cid),
                }
            }
            Output::Hashed(block) => {
                let claim =
                    carpool_core::Unverified { cid: *block.cid(), data: block.data().clone() };
                assert!(verify(vec![claim])[0].is_ok());
                came.blocks.push(block);
            }
            Output::Lost { cid, base } => came.lost.push((cid, base)),
        }
    }
    Ok(())
}

/// Goes through two DAGs side by side.
pub fn paired(root: Cid, old: Cid, wanted: &[Cid], store: &Store) -> Pairing {
    let mut pairing = Pairing::new(root, old, wanted.iter().copied(), &Limits::default(), 0);
    while let Some(cid) = pairing.poll() {
        pairing.handle_load(&cid, store.get(&cid));
    }
    pairing
}

fn give_out(encoder: &mut Encoder, store: &Store, body: &mut Vec<u8>) {
    while let Some(output) = encoder.poll() {
        match output {
            Sending::Load(cid) => encoder.handle_load(&cid, store.get(&cid)),
            Sending::Data(data) => body.extend_from_slice(&data),
        }
    }
}

/// Sends blocks with what the pairing knows; known are what is wanted and the old root. The encoder is told
/// of the nodes above a block where nothing was sent above it.
pub fn send(known: (&[Cid], Cid), blocks: &[Block], pairing: &Pairing, store: &Store) -> Vec<u8> {
    let (wanted, old) = (known.0.iter().copied(), known.1);
    let mut encoder = Encoder::new(wanted, [old], &Limits::default(), Options::default(), 0);
    let (mut body, mut told) = (Vec::new(), Vec::<Cid>::new());
    for block in blocks {
        let above = pairing.above(block.cid());
        let same = above.iter().zip(&told).take_while(|(a, b)| a == b).count();
        for (depth, cid) in above.iter().enumerate().skip(same) {
            let block = Block::new_unchecked(*cid, store.get(cid).expect("it is there"));
            encoder.handle_known(block, if depth == 0 { core::slice::from_ref(&old) } else { &[] });
            give_out(&mut encoder, store, &mut body);
        }
        if !above.is_empty() {
            told = above;
        }
        let like = pairing.like(block.cid());
        let first = told.is_empty() && like.is_empty() && known.0.first() == Some(block.cid());
        encoder
            .handle_block(block.clone(), if first { core::slice::from_ref(&old) } else { &like });
        give_out(&mut encoder, store, &mut body);
    }
    encoder.finish();
    give_out(&mut encoder, store, &mut body);
    body
}

/// Blocks that come out, where only what is said to lie below the old root is looked up in `old`, and all
/// else in what came before; and how many are lost.
pub fn receive(
    known: (&[Cid], Cid),
    body: &[u8],
    old: &Store,
    before: &Store,
) -> (Vec<Block>, usize) {
    let wanted = known.0.iter().copied();
    let mut decoder = Decoder::new(wanted, [known.1], &Limits::default(), 0);
    decoder.handle_data(Bytes::copy_from_slice(body));
    decoder.handle_eof();
    let (mut came, mut lost) = (Vec::new(), 0);
    while let Ok(Some(output)) = decoder.poll() {
        match output {
            Output::Load { cid, below_held } => {
                let data = if below_held { old.get(&cid) } else { before.get(&cid) };
                decoder.handle_load(&cid, data);
            }
            Output::Block(claim) => came.extend(verify(vec![claim]).into_iter().flatten()),
            Output::Hashed(block) => came.push(block),
            Output::Lost { .. } => lost += 1,
        }
    }
    (came, lost)
}

/// Bytes like those of source code: words of a small vocabulary.
pub fn text(len: usize, seed: u64) -> Vec<u8> {
    let (mut out, mut state) = (Vec::with_capacity(len + 16), seed | 1);
    while out.len() < len {
        state = mix(state);
        out.extend_from_slice(format!("{:x} ", mix(state % 997) % 0xff_ffff).as_bytes());
        if state % 11 == 0 {
            out.push(b'\n');
        }
    }
    out.truncate(len);
    out
}

/// Bytes that do not compress.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let words = (0..).flat_map(|n| mix(mix(seed) ^ n).to_le_bytes());
    words.take(len).collect()
}

pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

pub fn total(body: &[Bytes]) -> usize {
    body.iter().map(Bytes::len).sum()
}

/// A body written by hand: records are bytes, and its streams are of zstd, flushed.
pub struct Body {
    streams: [zstd_safe::CCtx<'static>; 2],
    pub bytes: Vec<u8>,
}

impl Body {
    pub fn new() -> Self {
        let stream = |window| {
            let mut stream = zstd_safe::CCtx::create();
            let window = zstd_safe::CParameter::WindowLog(window);
            stream.set_parameter(window).expect("a parameter of zstd");
            stream
        };
        Self { streams: [stream(18), stream(21)], bytes: vec![1] }
    }

    /// Adds a segment.
    #[must_use]
    pub fn segment(mut self, control: &[u8], literals: &[u8], plain: &[u8]) -> Self {
        let control = flushed(&mut self.streams[0], control);
        let literals = flushed(&mut self.streams[1], literals);
        self.bytes.extend(number(control.len() as u64));
        self.bytes.extend(number(literals.len() as u64));
        self.bytes.extend(number(plain.len() as u64));
        self.bytes.extend([&control, &literals, plain].concat());
        self
    }

    /// The body with its end mark.
    #[must_use]
    pub fn end(mut self) -> Bytes {
        self.bytes.extend([0; 3]);
        self.bytes.into()
    }
}

fn flushed(stream: &mut zstd_safe::CCtx<'static>, raw: &[u8]) -> Vec<u8> {
    use zstd_safe::{InBuffer, OutBuffer, zstd_sys::ZSTD_EndDirective::ZSTD_e_flush};
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(raw.len()) + 1024);
    if !raw.is_empty() {
        let (mut output, mut input) = (OutBuffer::around(&mut out), InBuffer::around(raw));
        while stream.compress_stream2(&mut output, &mut input, ZSTD_e_flush).expect("there is room")
            > 0
        {}
    }
    out
}

/// A varint.
pub fn number(value: u64) -> Vec<u8> {
    let mut out = [0; 10];
    let n = carpool_core::varint::encode(value, &mut out);
    out[..n].to_vec()
}

/// Numbers, one behind another.
pub fn numbers(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| number(*value)).collect()
}
