use core::{fmt, str::FromStr};

use crate::{
    OptionsError,
    fastcdc::{BITS, Cutter},
};

/// Where a file is cut into leaves: after so many bytes, which Kubo spells `size-N`, or where its content
/// says so, `fastcdc-N`, which Kubo reads and does not make.
///
/// Other content-defined chunkers (`rabin…`, `buzhash`) are known by name and not supported yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Size(u32),
    /// By the bits of the average size.
    FastCdc(u32),
}

impl Chunking {
    /// The largest chunk in bytes: 2 MiB less 256 bytes, so that a leaf fits into a block.
    pub const MAX_BYTES: u32 = (2 << 20) - 256;
    pub(crate) const MIB: Self = Self(Kind::Size(1 << 20));
    pub(crate) const KIB_256: Self = Self(Kind::Size(1 << 18));
    pub(crate) const BY_CONTENT: Self = Self(Kind::FastCdc(14));

    /// Chunks of `bytes` each, the last one shorter.
    ///
    /// # Errors
    /// [`OptionsError::ChunkSize`] unless `bytes` is from 1 to [`Self::MAX_BYTES`].
    pub const fn size(bytes: u32) -> Result<Self, OptionsError> {
        match bytes {
            1..=Self::MAX_BYTES => Ok(Self(Kind::Size(bytes))),
            _ => Err(OptionsError::ChunkSize { bytes: bytes as u64 }),
        }
    }

    /// Chunks of about `average` bytes that end where their content says, so that an insertion changes
    /// the chunks around it and no others: FastCDC as of 2020, with normalised sizes of level 1. None
    /// has more than four times as many bytes, and none but a file's last less than a quarter.
    ///
    /// # Errors
    /// [`OptionsError::AverageSize`] unless `average` is a power of two from 4,096 to 262,144.
    pub const fn fastcdc(average: u32) -> Result<Self, OptionsError> {
        let bits = average.trailing_zeros();
        let known = *BITS.start() <= bits && bits <= *BITS.end();
        if average.is_power_of_two() && known {
            return Ok(Self(Kind::FastCdc(bits)));
        }
        Err(OptionsError::AverageSize { bytes: average as u64 })
    }

    /// Bytes of every chunk but the last; `None` where content decides.
    #[must_use]
    pub const fn fixed(self) -> Option<usize> {
        match self.0 {
            Kind::Size(bytes) => Some(bytes as usize),
            Kind::FastCdc(_) => None,
        }
    }

    /// Bytes of the longest chunk.
    #[must_use]
    pub const fn longest(self) -> usize {
        match self.0 {
            Kind::Size(bytes) => bytes as usize,
            Kind::FastCdc(bits) => 4 << bits,
        }
    }

    pub(crate) const fn cutter(self) -> Option<Cutter> {
        match self.0 {
            Kind::Size(_) => None,
            Kind::FastCdc(bits) => Some(Cutter::new(bits)),
        }
    }
}

impl fmt::Display for Chunking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Size(bytes) => write!(f, "size-{bytes}"),
            Kind::FastCdc(bits) => write!(f, "fastcdc-{}", 1 << bits),
        }
    }
}

impl FromStr for Chunking {
    type Err = OptionsError;

    /// Reads `size-N` and `fastcdc-N`.
    ///
    /// # Errors
    /// [`OptionsError::ChunkSize`], [`OptionsError::AverageSize`],
    /// [`OptionsError::NotSupportedYet`] for `rabin…` and `buzhash…`, [`OptionsError::Chunker`] for
    /// everything else.
    fn from_str(text: &str) -> Result<Self, OptionsError> {
        if text.starts_with("rabin") {
            return Err(OptionsError::NotSupportedYet { what: "the rabin chunker" });
        }
        if text.starts_with("buzhash") {
            return Err(OptionsError::NotSupportedYet { what: "the buzhash chunker" });
        }
        let (name, bytes) = text.split_once('-').ok_or(OptionsError::Chunker)?;
        let bytes = bytes.parse::<u64>().map_err(|_| OptionsError::Chunker)?;
        let short = u32::try_from(bytes).unwrap_or(0);
        match name {
            "size" => Self::size(short).map_err(|_| OptionsError::ChunkSize { bytes }),
            "fastcdc" => Self::fastcdc(short).map_err(|_| OptionsError::AverageSize { bytes }),
            _ => Err(OptionsError::Chunker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_at_both_ends_are_read_and_past_them_refused() {
        assert_eq!("size-1".parse::<Chunking>().unwrap().fixed(), Some(1));
        assert_eq!("size-2096896".parse::<Chunking>().unwrap().fixed(), Some(2_096_896));
        for bytes in [0, 2_096_897, 1 << 40] {
            let text = alloc::format!("size-{bytes}");
            assert_eq!(text.parse::<Chunking>(), Err(OptionsError::ChunkSize { bytes }));
        }
    }

    #[test]
    fn average_sizes_at_both_ends_are_read_and_past_them_refused() {
        for (text, longest) in [("fastcdc-4096", 16_384), ("fastcdc-262144", 1 << 20)] {
            let chunking = text.parse::<Chunking>().unwrap();
            assert_eq!((chunking.fixed(), chunking.longest()), (None, longest));
            assert_eq!(alloc::format!("{chunking}"), text);
        }
        for bytes in [0, 2_048, 4_097, 65_535, 524_288, 1 << 40] {
            let text = alloc::format!("fastcdc-{bytes}");
            assert_eq!(text.parse::<Chunking>(), Err(OptionsError::AverageSize { bytes }));
        }
    }

    #[test]
    fn other_chunkers_are_told_from_nonsense() {
        for text in ["rabin", "rabin-1-2-3", "buzhash", "buzhash-1"] {
            let refused = text.parse::<Chunking>();
            assert!(matches!(refused, Err(OptionsError::NotSupportedYet { .. })), "{text}");
        }
        for text in ["", "size", "size-", "size-x", "size--1", "fastcdc", "fastcdc-"] {
            assert_eq!(text.parse::<Chunking>(), Err(OptionsError::Chunker), "{text}");
        }
    }
}
