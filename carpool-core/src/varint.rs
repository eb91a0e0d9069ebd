//! Unsigned LEB128 as multiformats use it
//! ([unsigned-varint](https://github.com/multiformats/unsigned-varint)): at most nine bytes.

use crate::Error;

/// The longest encoding that is accepted, in bytes (values below 2^63).
pub const MAX_BYTES: usize = 9;

/// Reads one varint from the front of `input`.
///
/// Returns the value and its length in bytes, or `None` while `input` ends inside the varint.
///
/// # Errors
/// [`Error::Varint`] when the varint is longer than [`MAX_BYTES`] or not in its shortest form.
#[inline]
pub fn decode(input: &[u8]) -> Result<Option<(u64, usize)>, Error> {
    let mut value = 0u64;
    for (i, &byte) in input.iter().take(MAX_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            let minimal = byte != 0 || i == 0;
            return if minimal { Ok(Some((value, i + 1))) } else { Err(Error::Varint) };
        }
    }
    if input.len() >= MAX_BYTES { Err(Error::Varint) } else { Ok(None) }
}

/// Reads one varint that is known to be complete.
///
/// # Errors
/// [`Error::Varint`] as for [`decode`], and when `input` ends inside the varint.
#[inline]
pub fn take(input: &[u8]) -> Result<(u64, usize), Error> {
    decode(input)?.ok_or(Error::Varint)
}

/// Writes `value` into the front of `out` and returns its length in bytes (1 to 10).
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time is the encoding")]
pub fn encode(mut value: u64, out: &mut [u8; 10]) -> usize {
    let mut i = 0;
    while value >= 0x80 {
        out[i] = value as u8 | 0x80;
        value >>= 7;
        i += 1;
    }
    out[i] = value as u8;
    i + 1
}

/// The length of `value`'s encoding in bytes.
#[must_use]
pub const fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_at_every_width() {
        for shift in 0..63 {
            for value in [(1u64 << shift) - 1, 1 << shift] {
                let mut out = [0; 10];
                let n = encode(value, &mut out);
                assert_eq!(n, len(value));
                assert_eq!(decode(&out[..n]), Ok(Some((value, n))));
                for cut in 0..n {
                    assert_eq!(decode(&out[..cut]), Ok(None), "{value} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn refuses_long_and_padded_forms() {
        assert_eq!(decode(&[0x80, 0x00]), Err(Error::Varint));
        assert_eq!(decode(&[0xff; 9]), Err(Error::Varint));
        assert_eq!(decode(&[0xff; 8]), Ok(None));
        assert_eq!(take(&[0x80]), Err(Error::Varint));
    }
}
