use core::{fmt, str::FromStr};

use crate::OptionsError;

/// Where a file is cut into leaves, as Kubo spells it: `size-N`.
///
/// Content-defined chunkers (`rabin…`, `buzhash`) are known by name and not supported yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking(u32);

impl Chunking {
    /// The largest chunk in bytes: 2 MiB less 256 bytes, so that a leaf fits into a block.
    pub const MAX_BYTES: u32 = (2 << 20) - 256;
    pub(crate) const MIB: Self = Self(1 << 20);
    pub(crate) const KIB_256: Self = Self(1 << 18);

    /// Chunks of `bytes` each, the last one shorter.
    ///
    /// # Errors
    /// [`OptionsError::ChunkSize`] unless `bytes` is from 1 to [`Self::MAX_BYTES`].
    pub const fn size(bytes: u32) -> Result<Self, OptionsError> {
        match bytes {
            1..=Self::MAX_BYTES => Ok(Self(bytes)),
            _ => Err(OptionsError::ChunkSize { bytes: bytes as u64 }),
        }
    }

    /// Bytes of every chunk but the last.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Chunking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size-{}", self.0)
    }
}

impl FromStr for Chunking {
    type Err = OptionsError;

    /// Reads `size-N`.
    ///
    /// # Errors
    /// [`OptionsError::ChunkSize`], [`OptionsError::NotSupportedYet`] for `rabin…` and `buzhash…`,
    /// [`OptionsError::Chunker`] for everything else.
    fn from_str(text: &str) -> Result<Self, OptionsError> {
        if text.starts_with("rabin") {
            return Err(OptionsError::NotSupportedYet { what: "the rabin chunker" });
        }
        if text.starts_with("buzhash") {
            return Err(OptionsError::NotSupportedYet { what: "the buzhash chunker" });
        }
        let bytes = text.strip_prefix("size-").and_then(|n| n.parse::<u64>().ok());
        let bytes = bytes.ok_or(OptionsError::Chunker)?;
        Self::size(u32::try_from(bytes).unwrap_or(0)).map_err(|_| OptionsError::ChunkSize { bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_at_both_ends_are_read_and_past_them_refused() {
        assert_eq!("size-1".parse::<Chunking>().unwrap().bytes(), 1);
        assert_eq!("size-2096896".parse::<Chunking>().unwrap().bytes(), 2_096_896);
        for bytes in [0, 2_096_897, 1 << 40] {
            let text = alloc::format!("size-{bytes}");
            assert_eq!(text.parse::<Chunking>(), Err(OptionsError::ChunkSize { bytes }));
        }
    }

    #[test]
    fn other_chunkers_are_told_from_nonsense() {
        for text in ["rabin", "rabin-1-2-3", "buzhash", "buzhash-1"] {
            let refused = text.parse::<Chunking>();
            assert!(matches!(refused, Err(OptionsError::NotSupportedYet { .. })), "{text}");
        }
        for text in ["", "size", "size-", "size-x", "size--1", "fastcdc"] {
            assert_eq!(text.parse::<Chunking>(), Err(OptionsError::Chunker), "{text}");
        }
    }
}
