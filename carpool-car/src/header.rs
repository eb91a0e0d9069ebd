use alloc::vec::Vec;
use carpool_core::{Cid, Limits, cid_exact};

use crate::Error;

/// What a CARv1 header says
/// ([CARv1, Header](https://ipld.io/specs/transport/car/carv1/#header)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The roots, in their order. May be empty: such files exist; our writers make none.
    pub roots: Vec<Cid>,
}

impl Header {
    /// Reads the DAG-CBOR map `{roots, version}` that is all of `input`. Its keys may come in
    /// either order (go-car-mirror writes the other one).
    ///
    /// # Errors
    /// [`Error::Header`], [`Error::Version`], [`Error::TooManyRoots`].
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut cursor = Cursor { input };
        let (mut roots, mut version) = (None, None);
        for _ in 0..cursor.head(5, "a map")? {
            match cursor.bytes(3, "a text key")? {
                b"roots" if roots.is_none() => roots = Some(cursor.roots(limits)?),
                b"version" if version.is_none() => version = Some(cursor.head(0, "a version")?),
                _ => return Err(Error::Header { expected: "one `roots` and one `version`" }),
            }
        }
        match (roots, version) {
            (_, Some(version)) if version != 1 => Err(Error::Version { version }),
            (Some(roots), Some(_)) if cursor.input.is_empty() => Ok(Self { roots }),
            (Some(_), Some(_)) => Err(Error::Header { expected: "nothing after the map" }),
            _ => Err(Error::Header { expected: "both `roots` and `version`" }),
        }
    }
}

struct Cursor<'a> {
    input: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Reads an item's head of the given major type; returns its argument.
    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, Error> {
        let wrong = Error::Header { expected };
        let [first, rest @ ..] = self.input else { return Err(wrong) };
        let (actual, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => 0,
            24..=27 => 1usize << (info - 24),
            _ => return Err(wrong),
        };
        if actual != major || rest.len() < width {
            return Err(wrong);
        }
        self.input = &rest[width..];
        let value = rest[..width].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        Ok(if width == 0 { u64::from(info) } else { value })
    }

    fn bytes(&mut self, major: u8, expected: &'static str) -> Result<&'a [u8], Error> {
        let len = self.head(major, expected)?;
        let len = usize::try_from(len).ok().filter(|&len| len <= self.input.len());
        let (bytes, rest) = self.input.split_at(len.ok_or(Error::Header { expected })?);
        self.input = rest;
        Ok(bytes)
    }

    fn roots(&mut self, limits: &Limits) -> Result<Vec<Cid>, Error> {
        let roots = self.head(4, "an array of roots")?;
        let max = limits.max_header_roots as u64;
        if roots > max {
            return Err(Error::TooManyRoots { roots, max });
        }
        (0..roots).map(|_| self.root()).collect()
    }

    fn root(&mut self) -> Result<Cid, Error> {
        let expected = "a link as root";
        if self.head(6, expected)? != 42 {
            return Err(Error::Header { expected });
        }
        match self.bytes(2, expected)? {
            [0, cid @ ..] => cid_exact(cid).map_err(|_| Error::Header { expected }),
            _ => Err(Error::Header { expected }),
        }
    }
}
