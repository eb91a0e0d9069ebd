//! The numbers of the format that both sides keep to.

/// The format's version, the first byte of a body.
pub const VERSION: u8 = 1;

/// Nodes that places can name.
pub const MAX_NODES: usize = 256;
/// Bases of a sequence.
pub const MAX_BASES: usize = 4_096;
/// Ranges of a record.
pub const MAX_RANGES: usize = 64;
/// Bytes of the bases that one block refers to, together.
pub const MAX_REFERRED_BYTES: usize = 32 << 20;
/// Blocks that wait for a parent, and their bytes.
pub const MAX_WAITING: usize = 4_096;
/// As [`MAX_WAITING`].
pub const MAX_WAITING_BYTES: usize = 8 << 20;

/// Bytes of a segment's control part, compressed and raw.
pub const MAX_CONTROL_BYTES: usize = 1 << 20;
/// Raw bytes of one record.
pub const MAX_RECORD_BYTES: usize = 512 << 10;
/// What a segment's other parts may have beyond one block.
pub const SEGMENT_SLACK: usize = 512 << 10;
/// A sender ends a segment that has so many bytes in a part.
pub const SEGMENT_BYTES: usize = 256 << 10;
/// A sender ends a segment that decodes to so many bytes.
pub const SEGMENT_DECODED: usize = 4 << 20;

/// The windows of the two streams are two to the power of these.
pub const CONTROL_WINDOW: u32 = 18;
/// As [`CONTROL_WINDOW`].
pub const LITERALS_WINDOW: u32 = 21;

/// Bytes of links that a decoder keeps; others it loads again.
pub const MAX_LINK_BYTES: usize = 2 << 20;
/// Bytes of old blocks that a decoder loads whatever comes of it.
pub const LOAD_ALLOWANCE: u64 = 64 << 20;
/// And how many more for each byte that it decoded.
pub const LOAD_RATIO: u64 = 16;
