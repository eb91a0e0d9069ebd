//! The text form of a CAR (`docs/car-text.md`): go-car's `debug` and `compile`, lossless.
//!
//! Pure functions: bytes in, text out, and back. Entries are printed and read one by one, so that
//! nobody has to hold a whole text.

mod cbor;
mod codec;
mod entry;
mod head;
mod json;
mod json_read;
mod links;
mod pb;
mod value;

use entry::MAX_TEXT;
pub(crate) use entry::{Body, Entry, cut, print};
pub(crate) use head::{Head, read_head};
pub(crate) use links::Edit;

use core::fmt;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// A line is not what has to stand there.
    Line {
        /// What was expected.
        expected: &'static str,
    },
    /// A body does not parse.
    Body {
        /// Where in the body, in bytes.
        at: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// A body does not fit the codec of its CID.
    Codec {
        /// The codec.
        codec: u64,
        /// What it wants.
        expected: &'static str,
    },
    /// A link cannot be written in place of another one in a body in hex.
    LinkLength,
    /// A head or an entry is longer than what is read of one.
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { expected } => write!(f, "expected {expected}"),
            Self::Body { at, expected } => {
                write!(f, "expected {expected} at byte {at} of the body")
            }
            Self::Codec { codec, expected } => write!(f, "codec 0x{codec:x} wants {expected}"),
            Self::LinkLength => {
                f.write_str("a link in a body in hex would change its length, which cannot be done")
            }
            Self::TooLong { max } => write!(f, "more than {max} bytes"),
        }
    }
}

/// A CID as text, held to what a binary one may be.
fn parse_cid(text: &str) -> Option<carpool_core::Cid> {
    let cid: carpool_core::Cid = text.parse().ok()?;
    carpool_core::cid_exact(&cid.to_bytes()).ok().filter(|read| *read == cid)
}
