//! The two messages (HTTP §2.2 and §3.3): `{rs, bk, bb}` and `{dr, bk, bb}` in DAG-CBOR.
//!
//! Written in canonical order with links for CIDs. Read in any order; what they claim is held to
//! [`Limits`] before anything is allocated.

use carpool_bloom::Filter;
use carpool_core::{
    Bytes, Cid, Limits,
    cbor::{ARRAY, BYTES, MAP, Reader, TEXT, UNSIGNED, write_head, write_link},
};
use carpool_mirror::Status;
use std::fmt;

/// Which of the two messages: they differ in the key of their list of CIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body of a pull request; its list is `rs`.
    PullRequest,
    /// The answer to a push; its list is `dr`.
    PushResponse,
}

impl Kind {
    const fn key(self) -> &'static [u8; 2] {
        match self {
            Self::PullRequest => b"rs",
            Self::PushResponse => b"dr",
        }
    }
}

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

/// Writes a status as a message: `bb`, `bk`, then the list, which is the canonical order.
#[must_use]
pub fn encode(kind: Kind, status: &Status) -> Bytes {
    let (bits, k) = status.have.as_ref().map_or((&[][..], 0), |f| (f.as_bytes(), f.k()));
    let mut out = Vec::with_capacity(24 + bits.len() + status.want.len() * 41);
    out.extend_from_slice(b"\xa3\x62bb");
    write_head(&mut out, BYTES, bits.len() as u64);
    out.extend_from_slice(bits);
    out.extend_from_slice(b"\x62bk");
    write_head(&mut out, UNSIGNED, u64::from(k));
    out.push(0x62);
    out.extend_from_slice(kind.key());
    write_head(&mut out, ARRAY, status.want.len() as u64);
    status.want.iter().for_each(|cid| write_link(&mut out, cid));
    out.into()
}

/// Reads a message that is all of `input`.
///
/// # Errors
/// [`MessageError`]; the peer's fault.
pub fn decode(kind: Kind, input: &[u8], limits: &Limits) -> Result<Status, MessageError> {
    let mut reader = Reader::new(input);
    let (mut want, mut bits, mut k) = (None, None, None);
    if reader.head(MAP).ok_or_else(|| wrong(&reader, "a map of three"))? != 3 {
        return Err(wrong(&reader, "a map of three"));
    }
    for _ in 0..3 {
        let key = reader.string(TEXT).ok_or_else(|| wrong(&reader, "a text key"))?;
        if key == kind.key() && want.is_none() {
            want = Some(read_cids(&mut reader, limits)?);
        } else if key == b"bb" && bits.is_none() {
            let read = reader.string(BYTES);
            bits = Some(read.ok_or_else(|| wrong(&reader, "the filter's bytes"))?);
        } else if key == b"bk" && k.is_none() {
            k = Some(reader.head(UNSIGNED).ok_or_else(|| wrong(&reader, "a hash count"))?);
        } else {
            return Err(wrong(&reader, "the three keys of the message, once each"));
        }
    }
    let (Some(want), Some(bits), Some(k), []) = (want, bits, k, reader.rest()) else {
        return Err(wrong(&reader, "the end of the message"));
    };
    let k = u32::try_from(k).unwrap_or(u32::MAX);
    let have = Filter::from_wire(bits, k, &bloom_limits(limits)).map_err(MessageError::Bloom)?;
    Ok(Status { want, have })
}

fn bloom_limits(limits: &Limits) -> carpool_bloom::Limits {
    carpool_bloom::Limits { max_bytes: limits.max_bloom_bytes, max_k: limits.max_bloom_k }
}

fn read_cids(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Cid>, MessageError> {
    let cids = reader.head(ARRAY).ok_or_else(|| wrong(reader, "an array of links"))?;
    let max = limits.max_wanted as u64;
    if cids > max {
        return Err(MessageError::TooManyCids { cids, max });
    }
    (0..cids).map(|_| reader.link().ok_or_else(|| wrong(reader, "a link"))).collect()
}

/// A fault where the reader stands.
const fn wrong(reader: &Reader<'_>, expected: &'static str) -> MessageError {
    MessageError::Malformed { offset: reader.at() as u64, expected }
}
