use alloc::vec::Vec;
use carpool_core::{
    Cid, Limits,
    cbor::{ARRAY, MAP, Reader, TEXT, UNSIGNED},
    varint,
};

use crate::{Error, v2};

/// What the header of a CARv1 says
/// ([CARv1, Header](https://ipld.io/specs/transport/car/carv1/#header)), and what stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The roots, in their order. May be empty: such files exist; our writers make none.
    pub roots: Vec<Cid>,
    /// The header of the CARv2 that this CARv1 is the data of.
    pub v2: Option<v2::Header>,
}

impl Header {
    /// Reads the DAG-CBOR map `{roots, version}` that is all of `input`. Its keys may come in
    /// either order (go-car-mirror writes the other one).
    ///
    /// # Errors
    /// [`Error::Header`], [`Error::Version`], [`Error::TooManyRoots`].
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut reader = Reader::new(input);
        let (mut roots, mut version) = (None, None);
        for _ in 0..reader.head(MAP).ok_or(wrong("a map"))? {
            match reader.string(TEXT).ok_or(wrong("a text key"))? {
                b"roots" if roots.is_none() => roots = Some(read_roots(&mut reader, limits)?),
                b"version" if version.is_none() => {
                    version = Some(reader.head(UNSIGNED).ok_or(wrong("a version"))?);
                }
                _ => return Err(wrong("one `roots` and one `version`")),
            }
        }
        match (roots, version) {
            (_, Some(version)) if version != 1 => Err(Error::Version { version }),
            (Some(roots), Some(_)) if reader.rest().is_empty() => Ok(Self { roots, v2: None }),
            (Some(_), Some(_)) => Err(wrong("nothing after the map")),
            _ => Err(wrong("both `roots` and `version`")),
        }
    }
}

/// What the front of a CARv1 holds.
pub(crate) enum Found {
    /// Its header, and how many bytes that takes up with its length.
    Complete(Header, usize),
    /// Less than its header, for which so many bytes are needed at least.
    Partial { needed: usize },
}

pub(crate) fn at_front(input: &[u8], limits: &Limits) -> Result<Found, Error> {
    let expected = Error::Header { expected: "the length of a header" };
    let Some((bytes, start)) = varint::decode(input).map_err(|_| expected)? else {
        return Ok(Found::Partial { needed: input.len() + 1 });
    };
    let max = limits.max_header_bytes;
    let len = usize::try_from(bytes).ok().filter(|&len| len <= max);
    let len = len.ok_or(Error::HeaderTooLong { bytes, max: max as u64 })?;
    let needed = start + len;
    let Some(header) = input.get(start..needed) else { return Ok(Found::Partial { needed }) };
    Ok(Found::Complete(Header::decode(header, limits)?, needed))
}

const fn wrong(expected: &'static str) -> Error {
    Error::Header { expected }
}

fn read_roots(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Cid>, Error> {
    let roots = reader.head(ARRAY).ok_or(wrong("an array of roots"))?;
    let max = limits.max_header_roots as u64;
    if roots > max {
        return Err(Error::TooManyRoots { roots, max });
    }
    (0..roots).map(|_| reader.link().ok_or(wrong("a link as root"))).collect()
}
