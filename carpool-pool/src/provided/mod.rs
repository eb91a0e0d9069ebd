//! The session CRDT of provided CIDs, as `docs/pool-session.md` specifies it: who promises which block, known
//! to everybody who was told, in whatever order and however often.

mod counting;
mod epochs;
mod facts;
mod gossip;
mod key;
mod layers;
mod member;
mod promises;
mod pull;
mod tallies;
mod view;
mod wire;

pub use counting::{Counting, Retractable};
pub use gossip::Gossip;
pub use key::{MAC_BYTES, SESSION_ID_BYTES, SessionKey};
pub use member::Member;
pub use promises::Promises;
pub use pull::{Part, PullId};
pub use tallies::Tallies;
pub use view::Provided;

/// Epochs of a session that may be open at a time, from the first that is not closed.
pub const MAX_OPEN_EPOCHS: u32 = 8;
/// Fingerprints of one source in one epoch, of what it promises and of what it lacks; 8 bytes each.
pub const MAX_FINGERPRINTS: usize = 1 << 16;
/// Fingerprints that a view keeps in all, about 16 bytes each.
pub const MAX_SESSION_FINGERPRINTS: usize = 1 << 20;
/// Bytes of filters that a view keeps in all.
pub const MAX_SESSION_FILTER_BYTES: usize = 16 << 20;
/// Layers of filters, of 1 KiB and twice as much each.
pub const MAX_LAYERS: u8 = 11;
/// Percent of a filter's bits that may be set: beyond that it claims too much to be believed.
pub const MAX_FILL_PERCENT: u64 = 60;
/// Pulls of a session that may be under way at one source.
pub const MAX_PULLS: usize = 8;
/// Leaves of others that a source remembers in a session, to take them over; some 100 bytes each.
pub const MAX_CANDIDATES: usize = 1 << 14;
/// Leaves of others that are promised at a time.
pub const MAX_CLAIM: usize = 32;
/// Bytes of a message.
pub const MAX_GOSSIP_BYTES: usize = 4 << 20;
/// Cells of the counting form.
pub const MAX_TALLY_CELLS: u32 = 1 << 16;
/// Cells of one CID in the counting form.
pub const MAX_TALLY_HASHES: u8 = 16;
