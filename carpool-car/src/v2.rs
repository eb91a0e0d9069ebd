//! What stands around a CARv1 to make it a CARv2
//! ([CARv2](https://ipld.io/specs/transport/car/carv2/)).
//!
//! ```text
//! pragma 11 | header 40 | padding | data: a CARv1 | padding | index
//! ```

use crate::Error;

/// The eleven bytes that every CARv2 begins with: `{version: 2}` in DAG-CBOR after its length
/// ([CARv2, Pragma](https://ipld.io/specs/transport/car/carv2/#pragma)).
pub const PRAGMA: [u8; 11] = *b"\x0a\xa1\x67version\x02";

/// Bytes of the header that follows the pragma.
pub const HEADER_BYTES: usize = 40;

/// Where data can begin at the earliest: right after the header.
pub const DATA_OFFSET: u64 = 51;

/// Bit 0 from the left: every section that the data holds is in the index.
const FULLY_INDEXED: u128 = 1 << 127;

/// The header of a CARv2: 40 bytes, numbers little-endian
/// ([CARv2, Header](https://ipld.io/specs/transport/car/carv2/#header)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// 128 bits in the order of the bytes, the leftmost bit first. Those that the specification
    /// does not know are kept as they are.
    pub characteristics: u128,
    /// Where the data begins, in bytes from the start of the file. At least [`DATA_OFFSET`].
    pub data_offset: u64,
    /// Bytes of the data.
    pub data_size: u64,
    /// Where the index begins, in bytes from the start of the file; 0 where there is none.
    pub index_offset: u64,
}

impl Header {
    /// The header of data that begins right after it and of an index, if any, right after that.
    ///
    /// # Errors
    /// [`Error::DataSize`] for no data, or more than a file can hold.
    pub const fn new(data_size: u64, indexed: bool) -> Result<Self, Error> {
        let mut header =
            Self { characteristics: 0, data_offset: DATA_OFFSET, data_size, index_offset: 0 };
        match header.check() {
            Ok(()) if indexed => header.index_offset = DATA_OFFSET + data_size,
            Ok(()) => {}
            Err(error) => return Err(error),
        }
        Ok(header)
    }

    /// Reads a header and checks it.
    ///
    /// # Errors
    /// [`Error::Unfinalised`] where all bytes are zero, [`Error::DataOffset`],
    /// [`Error::DataSize`], [`Error::IndexOffset`].
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Error> {
        let header = Self::decode_unchecked(bytes);
        header.check().map(|()| header)
    }

    /// Reads a header that may say anything: what a writer left behind, or what is to be reported.
    #[must_use]
    pub fn decode_unchecked(bytes: &[u8; HEADER_BYTES]) -> Self {
        let (characteristics, numbers) = bytes.split_at(16);
        let number = |n: usize| {
            let bytes = &numbers[n * 8..n * 8 + 8];
            bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
        };
        let bits = characteristics.iter().fold(0, |bits, &byte| bits << 8 | u128::from(byte));
        Self {
            characteristics: bits,
            data_offset: number(0),
            data_size: number(1),
            index_offset: number(2),
        }
    }

    /// The header in bytes, whatever it says.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..16].copy_from_slice(&self.characteristics.to_be_bytes());
        out[16..24].copy_from_slice(&self.data_offset.to_le_bytes());
        out[24..32].copy_from_slice(&self.data_size.to_le_bytes());
        out[32..].copy_from_slice(&self.index_offset.to_le_bytes());
        out
    }

    /// Whether the parts lie after one another: header, data, index.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub const fn check(&self) -> Result<(), Error> {
        if self.is_unfinalised() {
            return Err(Error::Unfinalised);
        }
        let (offset, size) = (self.data_offset, self.data_size);
        if offset < DATA_OFFSET {
            return Err(Error::DataOffset { offset });
        }
        match offset.checked_add(size) {
            Some(end) if size > 0 => self.check_index(end),
            _ => Err(Error::DataSize { offset, size }),
        }
    }

    const fn check_index(&self, data_end: u64) -> Result<(), Error> {
        let offset = self.index_offset;
        if offset != 0 && offset < data_end {
            return Err(Error::IndexOffset { offset, data_end });
        }
        Ok(())
    }

    /// Whether this is what a writer puts down at first and comes back to at the end: all zero.
    #[must_use]
    pub const fn is_unfinalised(&self) -> bool {
        self.characteristics == 0
            && self.data_offset == 0
            && self.data_size == 0
            && self.index_offset == 0
    }

    /// Where the data ends, in bytes from the start of the file. A header that was not checked may
    /// name an end beyond what a file can have; that reads as the farthest one.
    #[must_use]
    pub const fn data_end(&self) -> u64 {
        self.data_offset.saturating_add(self.data_size)
    }

    /// Whether the index is said to have every section, identity CIDs included.
    #[must_use]
    pub const fn is_fully_indexed(&self) -> bool {
        self.characteristics & FULLY_INDEXED != 0
    }

    /// Says whether the index has every section, identity CIDs included.
    pub const fn set_fully_indexed(&mut self, yes: bool) {
        self.characteristics &= !FULLY_INDEXED;
        if yes {
            self.characteristics |= FULLY_INDEXED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(data_offset: u64, data_size: u64, index_offset: u64) -> Header {
        Header { characteristics: 0, data_offset, data_size, index_offset }
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let mut header = Header::new(448, true).unwrap();
        let mut bytes = [0; HEADER_BYTES];
        (bytes[16], bytes[24], bytes[25]) = (51, 0xc0, 1);
        (bytes[32], bytes[33]) = (0xf3, 1);
        assert_eq!(header.encode(), bytes);
        assert_eq!(Header::decode(&bytes), Ok(header));
        header.set_fully_indexed(true);
        assert_eq!(header.encode()[..2], [0x80, 0]);
        assert!(Header::decode(&header.encode()).unwrap().is_fully_indexed());
        header.set_fully_indexed(false);
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn unknown_characteristics_are_kept() {
        let mut bytes = Header::new(1, false).unwrap().encode();
        (bytes[0], bytes[15]) = (0x40, 1);
        let header = Header::decode(&bytes).unwrap();
        assert_eq!(header.encode(), bytes);
        assert!(!header.is_fully_indexed());
    }

    #[test]
    fn at_every_edge_and_one_past_it() {
        assert_eq!(of(51, 1, 0).check(), Ok(()));
        assert_eq!(of(50, 1, 0).check(), Err(Error::DataOffset { offset: 50 }));
        assert_eq!(of(51, 0, 0).check(), Err(Error::DataSize { offset: 51, size: 0 }));
        let most = u64::MAX - 51;
        assert_eq!(of(51, most, 0).check(), Ok(()));
        assert_eq!(of(52, most, 0).check(), Err(Error::DataSize { offset: 52, size: most }));
        assert_eq!(of(51, 100, 151).check(), Ok(()));
        let inside = Error::IndexOffset { offset: 150, data_end: 151 };
        assert_eq!(of(51, 100, 150).check(), Err(inside));
        assert_eq!(of(51, 100, 1).check(), Err(Error::IndexOffset { offset: 1, data_end: 151 }));
        assert_eq!(of(0, 0, 0).check(), Err(Error::Unfinalised));
        assert_eq!(of(0, 0, 1).check(), Err(Error::DataOffset { offset: 0 }));
    }
}
