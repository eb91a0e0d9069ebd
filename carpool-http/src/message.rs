//! The two messages (HTTP §2.2 and §3.3), in the two dialects that exist: the specification's
//! `{rs, bk, bb}` and `{dr, bk, bb}` with links, and that of car-mirror 0.1.0, `{rs, bk, bb}` and
//! `{sr, bk, bb}` with CIDs as text.
//!
//! Read in any order of keys; what they claim is held to [`Limits`] before anything is allocated.

use carpool_bloom::Filter;
use carpool_core::{
    Bytes, Cid, CidList, Limits,
    cbor::{ARRAY, BYTES, MAP, Reader, TEXT, UNSIGNED, write_head, write_link},
    cid_exact,
};
use carpool_mirror::Status;
use multibase::Base;
use std::{fmt, ops::Range};

/// How a peer writes its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The specification of CAR Mirror over HTTP, v0.2.0, in canonical DAG-CBOR.
    Spec,
    /// What car-mirror 0.1.0 writes: CIDs as text, its own order of keys, `sr` in place of `dr`.
    /// Keys that are not known are skipped, and a filter may be base64url text, as that peer has it.
    CarMirror,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spec => "spec",
            Self::CarMirror => "car-mirror",
        })
    }
}

/// Which of the two messages: they differ in the key of their list of CIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body of a pull request; its list is `rs`.
    PullRequest,
    /// The answer to a push; its list is `dr`, or `sr` to car-mirror.
    PushResponse,
}

impl Kind {
    const fn key(self, dialect: Dialect) -> &'static [u8; 2] {
        match (self, dialect) {
            (Self::PullRequest, _) => b"rs",
            (Self::PushResponse, Dialect::Spec) => b"dr",
            (Self::PushResponse, Dialect::CarMirror) => b"sr",
        }
    }
}

/// The longest filter as text: it takes a copy to decode, and no peer is known that writes one.
const MAX_FILTER_TEXT: usize = 512 << 10;

/// CBOR items under a key that is not known.
const MAX_SKIPPED: u64 = 1000;

/// About what a CID takes in a message: no memory is set aside for more than a message can hold.
const LEAST_CID_BYTES: usize = 40;

/// The longest CID as text: the longest digest in hexadecimal takes 211 characters.
const MAX_CID_TEXT: usize = 256;

/// The hash count that car-mirror writes beside no filter.
const NO_FILTER_K: u32 = 3;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// Not the CBOR that was expected.
    Malformed {
        /// Where, in bytes.
        offset: u64,
        /// What was expected there.
        expected: &'static str,
    },
    /// More CIDs than [`Limits::max_wanted`].
    TooManyCids {
        /// How many it claims.
        cids: u64,
        /// The limit.
        max: u64,
    },
    /// A Bloom filter that breaks a limit.
    Bloom(carpool_bloom::Error),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { offset, expected } => {
                write!(f, "message: expected {expected} at byte {offset}")
            }
            Self::TooManyCids { cids, max } => write!(f, "message of {cids} CIDs, limit {max}"),
            Self::Bloom(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MessageError {}

/// Writes a status as a message, in the dialect's order of keys: `bb`, `bk`, list for the
/// specification, which is the canonical one, and list, `bk`, `bb` for car-mirror.
#[must_use]
pub fn encode(dialect: Dialect, kind: Kind, status: &Status) -> Bytes {
    let bits = status.have.as_ref().map_or(&[][..], Filter::as_bytes);
    let mut out = Vec::with_capacity(24 + bits.len() + status.want.len() * 64);
    write_head(&mut out, MAP, 3);
    match dialect {
        Dialect::Spec => {
            write_filter(&mut out, bits);
            write_k(&mut out, status.have.as_ref().map_or(0, Filter::k));
            write_list(&mut out, dialect, kind, &status.want);
        }
        Dialect::CarMirror => {
            write_list(&mut out, dialect, kind, &status.want);
            write_k(&mut out, status.have.as_ref().map_or(NO_FILTER_K, Filter::k));
            write_filter(&mut out, bits);
        }
    }
    out.into()
}

fn write_filter(out: &mut Vec<u8>, bits: &[u8]) {
    out.extend_from_slice(b"\x62bb");
    write_head(out, BYTES, bits.len() as u64);
    out.extend_from_slice(bits);
}

fn write_k(out: &mut Vec<u8>, k: u32) {
    out.extend_from_slice(b"\x62bk");
    write_head(out, UNSIGNED, u64::from(k));
}

fn write_list(out: &mut Vec<u8>, dialect: Dialect, kind: Kind, cids: &[Cid]) {
    out.push(0x62);
    out.extend_from_slice(kind.key(dialect));
    write_head(out, ARRAY, cids.len() as u64);
    for cid in cids {
        match dialect {
            Dialect::Spec => write_link(out, cid),
            Dialect::CarMirror => {
                let text = cid.to_string();
                write_head(out, TEXT, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// Reads a message that is all of `input`.
///
/// # Errors
/// [`MessageError`]; the peer's fault.
pub fn decode(
    dialect: Dialect,
    kind: Kind,
    input: &[u8],
    limits: &Limits,
) -> Result<Status, MessageError> {
    let Parsed { want, bits, k } = parse(dialect, kind, input, limits, Vec::new())?;
    let bits = match bits {
        Bits::At(place) => input[place].to_vec(),
        Bits::Decoded(bits) => bits,
    };
    Ok(Status { want, have: filter(bits, k, limits)? })
}

/// A pull request as a server reads it: in little more memory than its bytes take.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is wanted.
    pub want: CidList,
    /// Blocks that are held there and not wanted again.
    pub have: Option<Filter>,
}

impl Request {
    /// A request for these CIDs, without a filter. `seed` is for the list, see
    /// [`CidMap`](carpool_core::CidMap).
    #[must_use]
    pub fn of(want: &[Cid], seed: u64) -> Self {
        let mut list = CidList::with_seed(seed);
        list.reserve(want.len());
        want.iter().for_each(|cid| {
            list.push(cid);
        });
        Self { want: list, have: None }
    }
}

/// As [`decode`], of a pull request. `seed` is for the list, see
/// [`CidMap`](carpool_core::CidMap); the filter, which can be nearly all of the message, keeps the
/// message's memory.
///
/// # Errors
/// As [`decode`].
pub fn decode_request(
    dialect: Dialect,
    mut input: Vec<u8>,
    limits: &Limits,
    seed: u64,
) -> Result<Request, MessageError> {
    let list = CidList::with_seed(seed);
    let Parsed { want, bits, k } = parse(dialect, Kind::PullRequest, &input, limits, list)?;
    let bits = match bits {
        Bits::At(place) if place.is_empty() => Vec::new(),
        Bits::At(place) => {
            let len = place.len();
            input.copy_within(place, 0);
            input.truncate(len);
            input
        }
        Bits::Decoded(bits) => bits,
    };
    Ok(Request { want, have: filter(bits, k, limits)? })
}

fn filter(bits: Vec<u8>, k: u32, limits: &Limits) -> Result<Option<Filter>, MessageError> {
    Filter::from_wire(bits, k, &bloom_limits(limits)).map_err(MessageError::Bloom)
}

/// Where the CIDs of a message go.
trait List {
    fn reserve(&mut self, cids: usize);
    fn add(&mut self, cid: Cid);
}

impl List for Vec<Cid> {
    fn reserve(&mut self, cids: usize) {
        self.reserve_exact(cids);
    }

    fn add(&mut self, cid: Cid) {
        self.push(cid);
    }
}

impl List for CidList {
    fn reserve(&mut self, cids: usize) {
        self.reserve(cids);
    }

    fn add(&mut self, cid: Cid) {
        self.push(&cid);
    }
}

/// A message whose filter was not taken out yet.
struct Parsed<L> {
    want: L,
    bits: Bits,
    k: u32,
}

/// A filter's bits.
enum Bits {
    /// Here in the message.
    At(Range<usize>),
    /// Decoded from text.
    Decoded(Vec<u8>),
}

fn parse<L: List>(
    dialect: Dialect,
    kind: Kind,
    input: &[u8],
    limits: &Limits,
    empty: L,
) -> Result<Parsed<L>, MessageError> {
    let mut reader = Reader::new(input);
    let pairs = reader.head(MAP).ok_or_else(|| wrong(&reader, "a map"))?;
    if dialect == Dialect::Spec && pairs != 3 {
        return Err(wrong(&reader, "a map of three"));
    }
    let mut fields = Fields { empty: Some(empty), want: None, bits: None, k: None };
    for _ in 0..pairs {
        let key = reader.string(TEXT).ok_or_else(|| wrong(&reader, "a text key"))?;
        fields.read(key, dialect, kind, &mut reader, limits)?;
    }
    match (fields, reader.rest()) {
        (Fields { want: Some(want), bits: Some(bits), k: Some(k), .. }, []) => {
            Ok(Parsed { want, bits, k })
        }
        (_, []) => Err(wrong(&reader, "all three keys of the message")),
        _ => Err(wrong(&reader, "the end of the message")),
    }
}

/// What has been read of a message.
struct Fields<L> {
    /// Until the list of CIDs is read.
    empty: Option<L>,
    want: Option<L>,
    bits: Option<Bits>,
    k: Option<u32>,
}

impl<L: List> Fields<L> {
    fn read(
        &mut self,
        key: &[u8],
        dialect: Dialect,
        kind: Kind,
        reader: &mut Reader<'_>,
        limits: &Limits,
    ) -> Result<(), MessageError> {
        let list = kind.key(dialect);
        if key == list
            && let Some(empty) = self.empty.take()
        {
            self.want = Some(read_cids(dialect, reader, limits, empty)?);
        } else if key == b"bb" && self.bits.is_none() {
            let read = read_filter(dialect, reader);
            self.bits = Some(read.ok_or_else(|| wrong(reader, "the filter's bytes"))?);
        } else if key == b"bk" && self.k.is_none() {
            let read = reader.head(UNSIGNED).and_then(|k| u32::try_from(k).ok());
            self.k = Some(read.ok_or_else(|| wrong(reader, "a hash count of 32 bits"))?);
        } else if dialect == Dialect::CarMirror && ![&list[..], b"bb", b"bk"].contains(&key) {
            reader.skip(MAX_SKIPPED).ok_or_else(|| wrong(reader, "a small value"))?;
        } else {
            return Err(wrong(reader, "the three keys of the message, once each"));
        }
        Ok(())
    }
}

pub(crate) fn bloom_limits(limits: &Limits) -> carpool_bloom::Limits {
    carpool_bloom::Limits { max_bytes: limits.max_bloom_bytes, max_k: limits.max_bloom_k }
}

fn read_filter(dialect: Dialect, reader: &mut Reader<'_>) -> Option<Bits> {
    let is_text = reader.rest().first()? >> 5 == TEXT;
    if dialect == Dialect::Spec || !is_text {
        let len = reader.string(BYTES)?.len();
        return Some(Bits::At(reader.at() - len..reader.at()));
    }
    let text = reader.string(TEXT).filter(|text| text.len() <= MAX_FILTER_TEXT)?;
    let decoded = Base::Base64Url.decode(str::from_utf8(text).ok()?).ok()?;
    Some(Bits::Decoded(decoded))
}

fn read_cids<L: List>(
    dialect: Dialect,
    reader: &mut Reader<'_>,
    limits: &Limits,
    mut all: L,
) -> Result<L, MessageError> {
    let cids = reader.head(ARRAY).ok_or_else(|| wrong(reader, "an array of CIDs"))?;
    let max = limits.max_wanted as u64;
    if cids > max {
        return Err(MessageError::TooManyCids { cids, max });
    }
    let read = |reader: &mut Reader<'_>| match dialect {
        Dialect::Spec => reader.link().ok_or_else(|| wrong(reader, "a link")),
        Dialect::CarMirror => read_text_cid(reader).ok_or_else(|| wrong(reader, "a CID as text")),
    };
    all.reserve(usize::try_from(cids).unwrap_or(0).min(reader.rest().len() / LEAST_CID_BYTES));
    for _ in 0..cids {
        all.add(read(reader)?);
    }
    Ok(all)
}

/// Text may spell numbers that no binary CID of ours has, of ten bytes: such a CID is none here
/// either.
fn read_text_cid(reader: &mut Reader<'_>) -> Option<Cid> {
    let text = reader.string(TEXT).filter(|text| text.len() <= MAX_CID_TEXT)?;
    let cid: Cid = str::from_utf8(text).ok()?.parse().ok()?;
    cid_exact(&cid.to_bytes()).ok()
}

/// A fault where the reader stands.
const fn wrong(reader: &Reader<'_>, expected: &'static str) -> MessageError {
    MessageError::Malformed { offset: reader.at() as u64, expected }
}
