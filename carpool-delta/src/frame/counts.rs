use super::record::Content;
use crate::Operation;

/// What the blocks of a body were encoded as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Blocks as they are.
    pub plain: Tally,
    /// Blocks that were compressed, without a base.
    pub compressed: Tally,
    /// Blocks with copies of bases.
    pub copies: Tally,
    /// Frames with bases as a prefix.
    pub prefix: Tally,
    /// Names that did not travel, since they could be computed.
    pub computed: u64,
}

/// So many blocks, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of the blocks themselves, not of what travelled for them.
    pub bytes: u64,
}

impl Counts {
    /// Counts a block of `len` bytes.
    pub(super) fn add(&mut self, content: &Content, len: usize) {
        let copies = |operation: &Operation| matches!(operation, Operation::Copy { .. });
        let tally = match content {
            Content::Plain => &mut self.plain,
            Content::Prefix { .. } => &mut self.prefix,
            Content::Copies(operations) if operations.iter().any(copies) => &mut self.copies,
            Content::Copies(_) => &mut self.compressed,
        };
        tally.blocks += 1;
        tally.bytes += len as u64;
    }
}
