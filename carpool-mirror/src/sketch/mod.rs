//! Sketches on the wire: the source finds out what the sink lacks from as many cells of a keyed,
//! rateless sketch as there are differences, whatever both sides hold
//! ([`carpool_bloom::sketch`] is the code; `docs/extension.md` is the specification).
//!
//! The sink keeps [`Sketches`], one for each of the last keys, and sends [`Cells`] of them. The source
//! drew the key; its [`Reconciliation`] walks the DAG once and ends with what is [`Lacking`].

mod cells;
mod key;
mod lacking;
mod range;
mod reconciliation;
mod sketches;

pub use cells::Cells;
pub use key::NamedKey;
pub use lacking::Lacking;
pub use range::CellRange;
pub use reconciliation::{Reconciliation, Reconciling};
pub use sketches::Sketches;

/// Cells of the first message: less would cost rounds, and 2,560 bytes go out at once anyway.
pub const FIRST_CELLS: usize = 256;
/// All cells after a message, by those before it.
pub const GROWTH: usize = 4;
/// The most cells of one reconciliation: some 47,000 differences, in 640 KiB of messages.
pub const MAX_CELLS: usize = 1 << 16;
/// Messages of cells that a source takes in one transfer, whatever comes of them: at most five are of
/// use, and a set may change in between.
pub const MAX_MESSAGES: u32 = 8;
