use carpool_core::{Multihash, varint};

use super::{Codec, IndexFault, IndexLimits, MAX_DIGEST_BYTES};
use crate::Error;

/// The longest head: a CAR's multihash.
pub(crate) const MAX_HEAD: usize = 2 * varint::MAX_BYTES + MAX_DIGEST_BYTES;

/// The bytes of an offset.
pub(crate) const OFFSET_BYTES: usize = 8;

/// The longest entry that is read.
pub(crate) const MAX_WIDTH: u32 = 72;

/// The entries of one hash function whose digests have one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The multicodec of the hash function, where the format tells it.
    pub code: Option<u64>,
    /// The bytes of an entry: the digest and eight for the offset.
    pub width: u32,
    /// Where the first entry begins, in bytes from the start of the index.
    pub offset: u64,
    /// The bytes of all entries: a multiple of `width`.
    pub bytes: u64,
}

impl Bucket {
    /// How many entries it claims to have.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.bytes / self.width as u64
    }

    /// Where it ends: no more than `u64::MAX`, as the layout has checked.
    pub(crate) const fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

/// What stands between the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Codec(Codec),
    Count,
    Car(Multihash<64>),
    Bucket(Bucket),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Codec,
    CarCount,
    Car,
    CodeCount,
    Code,
    WidthCount,
    Width,
    End,
}

/// Walks over the heads of an index, in whatever way their bytes are come by.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    limits: IndexLimits,
    at: u64,
    expected: Expected,
    rollup: bool,
    cars_left: u64,
    car: Option<Multihash<64>>,
    codes_left: u32,
    code: Option<u64>,
    widths_left: u32,
    width: Option<u32>,
    buckets: u64,
}

impl Layout {
    pub(crate) fn new(limits: &IndexLimits) -> Self {
        Self {
            limits: limits.clone(),
            at: 0,
            expected: Expected::Codec,
            rollup: false,
            cars_left: 0,
            car: None,
            codes_left: 0,
            code: None,
            widths_left: 0,
            width: None,
            buckets: 0,
        }
    }

    /// Where the next head begins, in bytes from the start of the index.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    pub(crate) const fn is_rollup(&self) -> bool {
        self.rollup
    }

    pub(crate) fn at_end(&self) -> bool {
        self.expected == Expected::End
    }

    /// The error that `fault` is, at the next head.
    pub(crate) const fn error(&self, fault: IndexFault) -> Error {
        Error::Index { offset: self.at, fault }
    }

    /// Steps over the entries of a bucket whose head was read.
    pub(crate) const fn skip_to(&mut self, end: u64) {
        self.at = end;
    }

    /// The head at the front of `input`, and its length; `None` while `input` ends inside it, which
    /// it does not with [`MAX_HEAD`] bytes. Not to be called at the end.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, Error> {
        let step = self.head(input).map_err(|fault| self.error(fault))?;
        let Some((mut head, len)) = step else { return Ok(None) };
        self.at += len as u64;
        if let Head::Bucket(bucket) = &mut head {
            bucket.offset = self.at;
            if self.at.checked_add(bucket.bytes).is_none() {
                self.at -= len as u64;
                return Err(self.error(IndexFault::Overflow { bytes: bucket.bytes }));
            }
        }
        Ok(Some((head, len)))
    }

    fn head(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        match self.expected {
            Expected::Codec => self.codec(input),
            Expected::CarCount => self.car_count(input),
            Expected::Car => self.car(input),
            Expected::CodeCount => self.code_count(input),
            Expected::Code => self.code(input),
            Expected::WidthCount => self.width_count(input),
            Expected::Width => self.width(input),
            Expected::End => Ok(None),
        }
    }

    fn codec(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some((codec, len)) = number(input)? else { return Ok(None) };
        let codec = Codec::from_code(codec).ok_or(IndexFault::Codec { codec })?;
        (self.buckets, self.code, self.width) = (0, None, None);
        self.expected = match codec {
            Codec::Sorted => Expected::WidthCount,
            Codec::MultihashSorted => Expected::CodeCount,
            Codec::Multi if self.rollup => return Err(IndexFault::Nested),
            Codec::Multi => Expected::CarCount,
        };
        self.rollup |= codec == Codec::Multi;
        Ok(Some((Head::Codec(codec), len)))
    }

    fn car_count(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some((cars, len)) = number(input)? else { return Ok(None) };
        let max = u64::from(self.limits.max_cars);
        if cars > max {
            return Err(IndexFault::TooManyCars { cars, max });
        }
        self.cars_left = cars;
        self.next_car();
        Ok(Some((Head::Count, len)))
    }

    fn car(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some((code, start)) = number(input)? else { return Ok(None) };
        let Some((bytes, n)) = number(&input[start..])? else { return Ok(None) };
        let max = MAX_DIGEST_BYTES as u64;
        let len = usize::try_from(bytes).ok().filter(|len| *len <= MAX_DIGEST_BYTES);
        let len = len.ok_or(IndexFault::CarDigest { bytes, max })?;
        let Some(digest) = input[start + n..].get(..len) else { return Ok(None) };
        let hash = Multihash::wrap(code, digest).map_err(|_| IndexFault::Varint)?;
        let key = |hash: &Multihash<64>| (hash.digest().to_vec(), hash.code());
        if self.car.as_ref().is_some_and(|last| key(last) >= key(&hash)) {
            return Err(IndexFault::Unsorted);
        }
        self.car = Some(hash);
        self.cars_left -= 1;
        self.expected = Expected::Codec;
        Ok(Some((Head::Car(hash), start + n + len)))
    }

    fn code_count(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some(codes) = self.count(input)? else { return Ok(None) };
        self.codes_left = codes;
        self.next_code();
        Ok(Some((Head::Count, 4)))
    }

    fn code(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some(code) = input.first_chunk().map(|code| u64::from_le_bytes(*code)) else {
            return Ok(None);
        };
        if self.code.is_some_and(|last| last >= code) {
            return Err(IndexFault::Unsorted);
        }
        self.codes_left -= 1;
        (self.code, self.width, self.expected) = (Some(code), None, Expected::WidthCount);
        Ok(Some((Head::Count, 8)))
    }

    fn width_count(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some(widths) = self.count(input)? else { return Ok(None) };
        self.widths_left = widths;
        self.next_width();
        Ok(Some((Head::Count, 4)))
    }

    fn width(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, IndexFault> {
        let Some(width) = input.first_chunk().map(|width| u32::from_le_bytes(*width)) else {
            return Ok(None);
        };
        let Some(bytes) = input[4..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return Ok(None);
        };
        self.check_bucket(width, bytes)?;
        self.width = Some(width);
        self.widths_left -= 1;
        self.next_width();
        Ok(Some((Head::Bucket(Bucket { code: self.code, width, offset: 0, bytes }), 12)))
    }

    fn check_bucket(&self, width: u32, bytes: u64) -> Result<(), IndexFault> {
        if (width as usize) < OFFSET_BYTES {
            return Err(IndexFault::Width { width });
        }
        if self.width.is_some_and(|last| last >= width) {
            return Err(IndexFault::Unsorted);
        }
        if !bytes.is_multiple_of(width.into()) {
            return Err(IndexFault::BucketLength { bytes, width });
        }
        Ok(())
    }

    /// A count of hash functions or buckets, held to the limit.
    fn count(&mut self, input: &[u8]) -> Result<Option<u32>, IndexFault> {
        let Some(count) = input.first_chunk().map(|count| u32::from_le_bytes(*count)) else {
            return Ok(None);
        };
        let (buckets, max) = (self.buckets + u64::from(count), self.limits.max_buckets.into());
        if buckets > max {
            return Err(IndexFault::TooManyBuckets { buckets, max });
        }
        self.buckets = buckets;
        Ok(Some(count))
    }

    const fn next_width(&mut self) {
        match self.widths_left {
            0 => self.next_code(),
            _ => self.expected = Expected::Width,
        }
    }

    const fn next_code(&mut self) {
        match self.codes_left {
            0 => self.next_car(),
            _ => self.expected = Expected::Code,
        }
    }

    const fn next_car(&mut self) {
        match self.cars_left {
            0 => self.expected = Expected::End,
            _ => self.expected = Expected::Car,
        }
    }
}

fn number(input: &[u8]) -> Result<Option<(u64, usize)>, IndexFault> {
    varint::decode(input).map_err(|_| IndexFault::Varint)
}
