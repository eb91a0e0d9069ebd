//! Heads of CBOR items ([RFC 8949, §3](https://www.rfc-editor.org/rfc/rfc8949#section-3)) and the
//! links of DAG-CBOR: what CAR headers, messages and nodes have in common.
//!
//! Written in the shortest form, which DAG-CBOR wants. Read in any form of a definite length: peers
//! pad heads, and nothing that is read here hangs on the shortest one.

use alloc::vec::Vec;
use cid::Cid;

use crate::cid_bytes::cid_exact;

/// Major type of integers from zero up.
pub const UNSIGNED: u8 = 0;
/// Major type of byte strings.
pub const BYTES: u8 = 2;
/// Major type of text strings.
pub const TEXT: u8 = 3;
/// Major type of arrays.
pub const ARRAY: u8 = 4;
/// Major type of maps.
pub const MAP: u8 = 5;
/// Major type of tags.
pub const TAG: u8 = 6;

/// The tag of a link ([DAG-CBOR, Links](https://ipld.io/specs/codecs/dag-cbor/spec/#links)).
pub const LINK: u64 = 42;

/// Reads items whose types are known beforehand, from bytes that a peer chose.
///
/// A read that fails returns `None` and leaves the reader where something else was expected, for
/// an error to say.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the front of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// The argument of the next item, which has to be of this major type.
    pub fn head(&mut self, major: u8) -> Option<u64> {
        let (first, rest) = self.rest().split_first()?;
        let info = first & 0x1f;
        let width = match info {
            0..=23 => 0,
            24..=27 => 1usize << (info - 24),
            _ => return None,
        };
        let argument = rest.get(..width).filter(|_| first >> 5 == major)?;
        self.at += 1 + width;
        let long = argument.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        Some(if width == 0 { info.into() } else { long })
    }

    /// The contents of the next item, which has to be a string of this major type ([`BYTES`] or
    /// [`TEXT`]). Its length is held against the bytes at hand; whether a text is UTF-8 is not
    /// looked at.
    pub fn string(&mut self, major: u8) -> Option<&'a [u8]> {
        let len = usize::try_from(self.head(major)?).ok()?;
        let bytes = self.rest().get(..len)?;
        self.at += len;
        Some(bytes)
    }

    /// Steps over one item of whatever type, with all that is inside it: `max` items at most. No
    /// stack is kept and nothing is allocated, whatever lengths are claimed.
    pub fn skip(&mut self, max: u64) -> Option<()> {
        let (mut left, mut done) = (1, 0);
        while left > done {
            left += self.skip_head()?;
            done += 1;
            if left > max {
                return None;
            }
        }
        Some(())
    }

    /// Steps over a head, and the contents of a string; returns how many items lie inside.
    fn skip_head(&mut self) -> Option<u64> {
        let at_hand = self.rest().len() as u64;
        match self.rest().first()? >> 5 {
            major @ (BYTES | TEXT) => self.string(major).map(|_| 0),
            // Whatever is inside takes a byte an item at least.
            ARRAY => self.head(ARRAY).filter(|items| *items <= at_hand),
            MAP => self.head(MAP).filter(|pairs| *pairs <= at_hand).map(|pairs| pairs * 2),
            TAG => self.head(TAG).map(|_| 1),
            other => self.head(other).map(|_| 0),
        }
    }

    /// The next item, which has to be a link.
    pub fn link(&mut self) -> Option<Cid> {
        let start = self.at;
        let link = match self.head(TAG)? {
            LINK => self.string(BYTES)?.strip_prefix(&[0]).and_then(|cid| cid_exact(cid).ok()),
            _ => None,
        };
        if link.is_none() {
            self.at = start;
        }
        link
    }
}

/// Writes an item's head in its shortest form.
pub fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let bytes = argument.to_be_bytes();
    let (info, width) = match argument {
        0..=23 => (bytes[7], 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(&bytes[8 - width..]);
}

/// Writes a link: the tag, and the CID in bytes after a zero.
pub fn write_link(out: &mut Vec<u8>, cid: &Cid) {
    let cid = cid.to_bytes();
    write_head(out, TAG, LINK);
    write_head(out, BYTES, cid.len() as u64 + 1);
    out.push(0);
    out.extend_from_slice(&cid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, codec};
    use alloc::vec;

    /// Both sides of every width.
    const EDGES: [(u64, usize); 10] = [
        (0, 1),
        (23, 1),
        (24, 2),
        (0xff, 2),
        (0x100, 3),
        (0xffff, 3),
        (0x1_0000, 5),
        (0xffff_ffff, 5),
        (0x1_0000_0000, 9),
        (u64::MAX, 9),
    ];

    #[test]
    fn steps_over_one_item_of_any_type() {
        let table: [&[u8]; 9] = [
            &[0x18, 0x64],
            &[0x38, 0x64],
            &[0x43, 1, 2, 3],
            &[0x62, b'a', b'b'],
            &[0x83, 1, 0x81, 2, 3],
            &[0xa1, 0x61, b'a', 0xa1, 0x61, b'b', 0x80],
            &[0xd8, 0x2a, 0x41, 0],
            &[0xf5],
            &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        for item in table {
            let followed = [item, &[0xf6]].concat();
            let mut reader = Reader::new(&followed);
            assert_eq!((reader.skip(9), reader.at()), (Some(()), item.len()), "{item:x?}");
            assert_eq!(Reader::new(&item[..item.len() - 1]).skip(9), None, "{item:x?}");
        }
        for endless in [&[0x9f, 1, 0xff][..], &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255], &[]]
        {
            assert_eq!(Reader::new(endless).skip(u64::MAX), None);
        }
        let three = [0x82, 1, 2];
        assert_eq!(Reader::new(&three).skip(3), Some(()));
        assert_eq!(Reader::new(&three).skip(2), None);
    }

    #[test]
    fn reads_what_it_writes_and_not_what_was_cut() {
        for (argument, len) in EDGES {
            for major in 0..=7 {
                let mut out = vec![];
                write_head(&mut out, major, argument);
                let mut reader = Reader::new(&out);
                assert_eq!((reader.head(major), reader.at()), (Some(argument), len));
                for cut in 0..len {
                    let mut reader = Reader::new(&out[..cut]);
                    assert_eq!((reader.head(major), reader.at()), (None, 0), "cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn longer_forms_are_read_and_indefinite_ones_are_not() {
        for (info, width) in [(24, 1), (25, 2), (26, 4), (27, 8)] {
            let long = [&[info][..], &vec![0; width - 1], &[7]].concat();
            assert_eq!(Reader::new(&long).head(UNSIGNED), Some(7), "{width} bytes");
        }
        for info in 28..=31 {
            assert_eq!(Reader::new(&[info, 0]).head(UNSIGNED), None);
        }
    }

    #[test]
    fn another_type_is_left_where_it_is() {
        let mut reader = Reader::new(&[0x82, 0x18, 0x2a, 0x00]);
        assert_eq!((reader.head(MAP), reader.at()), (None, 0));
        assert_eq!((reader.head(ARRAY), reader.at()), (Some(2), 1));
        assert_eq!((reader.head(UNSIGNED), reader.at()), (Some(42), 3));
        assert_eq!((reader.string(TEXT), reader.rest()), (None, &[0][..]));
    }

    #[test]
    fn strings_end_within_the_input() {
        let mut reader = Reader::new(b"\x42ab\x62c");
        assert_eq!(reader.string(BYTES), Some(&b"ab"[..]));
        assert_eq!((reader.string(TEXT), reader.at()), (None, 4), "behind the head that lies");
        assert_eq!(Reader::new(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]).string(2), None);
    }

    #[test]
    fn links_come_back_and_others_are_named_by_their_place() {
        let cid = *Block::new(codec::RAW, "hello".into()).cid();
        let mut link = vec![];
        write_link(&mut link, &cid);
        assert_eq!(link[..5], [0xd8, 0x2a, 0x58, 37, 0]);
        let mut reader = Reader::new(&link);
        assert_eq!((reader.link(), reader.at()), (Some(cid), link.len()));
        let failed = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.link(), None, "{bytes:?}");
            reader.at()
        };
        assert_eq!(failed(&[0xd8, 0x2b, 0x40]), 0, "another tag");
        assert_eq!(failed(&[0xd8, 0x2a, 0x41, 0]), 0, "no CID");
        assert_eq!(failed(&[&link[..4], &[1], &link[5..]].concat()), 0, "another prefix");
        assert_eq!(failed(&[0xd8, 0x2a, 0x61, 0]), 2, "no bytes");
        assert_eq!(failed(&link[..link.len() - 1]), 4, "cut short");
    }
}
