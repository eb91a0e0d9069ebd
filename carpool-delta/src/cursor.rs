use alloc::vec::Vec;
use carpool_core::{Cid, cid_prefix, varint};

/// Reads numbers and CIDs off the front of bytes; `None` where they are malformed or cut.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (value, n) = varint::take(self.rest).ok()?;
        self.rest = &self.rest[n..];
        Some(value)
    }

    /// A number that is at most `max`.
    #[inline]
    pub(crate) fn at_most(&mut self, max: usize) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|value| *value <= max)
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.number().map(unfold)
    }

    pub(crate) fn cid(&mut self) -> Option<Cid> {
        let (cid, n) = cid_prefix(self.rest).ok()?;
        self.rest = &self.rest[n..];
        Some(cid)
    }
}

/// Writes a number below 2^63.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, value: usize) {
    put_u64(out, value as u64);
}

#[inline]
pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; 10];
    let n = varint::encode(value, &mut bytes);
    out.extend_from_slice(&bytes[..n]);
}

/// Writes a number of at most 62 bits and a sign.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_u64(out, fold(value));
}

/// Zigzag: small numbers of either sign are small.
const fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unfold(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_come_back() {
        for value in [0, -1, 1, -64, 64, 1 << 40, -(1 << 40), (1 << 61) - 1, -(1 << 61)] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            let mut cursor = Cursor::new(&out);
            assert_eq!((cursor.signed(), cursor.len()), (Some(value), 0));
            assert_eq!(Cursor::new(&out[..out.len() - 1]).signed(), None);
        }
    }

    #[test]
    fn a_number_past_its_limit_is_none() {
        let mut out = Vec::new();
        put(&mut out, 300);
        assert_eq!(Cursor::new(&out).at_most(300), Some(300));
        assert_eq!(Cursor::new(&out).at_most(299), None);
    }
}
