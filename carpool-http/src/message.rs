//! The two messages (HTTP §2.2 and §3.3): `{rs, bk, bb}` and `{dr, bk, bb}` in DAG-CBOR.
//!
//! Written in canonical order with links for CIDs. Read in any order; what they claim is held to
//! [`Limits`] before anything is allocated.

use carpool_bloom::Filter;
use carpool_core::{Bytes, Cid, Limits, cid_exact};
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
    head(&mut out, 2, bits.len() as u64);
    out.extend_from_slice(bits);
    out.extend_from_slice(b"\x62bk");
    head(&mut out, 0, u64::from(k));
    out.push(0x62);
    out.extend_from_slice(kind.key());
    head(&mut out, 4, status.want.len() as u64);
    for cid in &status.want {
        let cid = cid.to_bytes();
        out.extend_from_slice(b"\xd8\x2a");
        head(&mut out, 2, cid.len() as u64 + 1);
        out.push(0);
        out.extend_from_slice(&cid);
    }
    out.into()
}

#[expect(clippy::cast_possible_truncation, reason = "each arm's value fits")]
fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..=23 => out.push(major | value as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, value as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        _ => {
            out.push(major | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
    }
}

/// Reads a message that is all of `input`.
///
/// # Errors
/// [`MessageError`]; the peer's fault.
pub fn decode(kind: Kind, input: &[u8], limits: &Limits) -> Result<Status, MessageError> {
    let mut cursor = Cursor { input, at: 0 };
    let (mut want, mut bits, mut k) = (None, None, None);
    if cursor.head(5, "a map of three")? != 3 {
        return Err(cursor.expected("a map of three"));
    }
    for _ in 0..3 {
        let key = cursor.bytes(3, "a text key")?;
        if key == kind.key() && want.is_none() {
            want = Some(cursor.cids(limits)?);
        } else if key == b"bb" && bits.is_none() {
            bits = Some(cursor.bytes(2, "the filter's bytes")?);
        } else if key == b"bk" && k.is_none() {
            k = Some(cursor.head(0, "a hash count")?);
        } else {
            return Err(cursor.expected("the three keys of the message, once each"));
        }
    }
    let (Some(want), Some(bits), Some(k), []) = (want, bits, k, cursor.rest()) else {
        return Err(cursor.expected("the end of the message"));
    };
    let k = u32::try_from(k).unwrap_or(u32::MAX);
    let have = Filter::from_wire(bits, k, &bloom_limits(limits)).map_err(MessageError::Bloom)?;
    Ok(Status { want, have })
}

fn bloom_limits(limits: &Limits) -> carpool_bloom::Limits {
    carpool_bloom::Limits { max_bytes: limits.max_bloom_bytes, max_k: limits.max_bloom_k }
}

struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    const fn expected(&self, expected: &'static str) -> MessageError {
        MessageError::Malformed { offset: self.at as u64, expected }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, MessageError> {
        let wrong = self.expected(expected);
        let [first, rest @ ..] = self.rest() else { return Err(wrong) };
        let (actual, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => 0,
            24..=27 => 1usize << (info - 24),
            _ => return Err(wrong),
        };
        if actual != major || rest.len() < width {
            return Err(wrong);
        }
        self.at += 1 + width;
        let value = rest[..width].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        Ok(if width == 0 { u64::from(info) } else { value })
    }

    fn bytes(&mut self, major: u8, expected: &'static str) -> Result<&'a [u8], MessageError> {
        let len = self.head(major, expected)?;
        let len = usize::try_from(len).ok().filter(|&len| len <= self.rest().len());
        let len = len.ok_or_else(|| self.expected(expected))?;
        let bytes = &self.rest()[..len];
        self.at += len;
        Ok(bytes)
    }

    fn cids(&mut self, limits: &Limits) -> Result<Vec<Cid>, MessageError> {
        let cids = self.head(4, "an array of links")?;
        let max = limits.max_wanted as u64;
        if cids > max {
            return Err(MessageError::TooManyCids { cids, max });
        }
        (0..cids).map(|_| self.cid()).collect()
    }

    fn cid(&mut self) -> Result<Cid, MessageError> {
        let wrong = self.expected("a link");
        if self.head(6, "a link")? != 42 {
            return Err(wrong);
        }
        match self.bytes(2, "a link")? {
            [0, cid @ ..] => cid_exact(cid).map_err(|_| wrong),
            _ => Err(wrong),
        }
    }
}
