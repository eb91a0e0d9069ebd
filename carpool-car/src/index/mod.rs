//! Indexes of CARs: where the section of a multihash begins
//! ([CARv2, Index payload](https://ipld.io/specs/transport/car/carv2/#index-payload)).
//!
//! [`Reader`] lists an index of any size from chunks, [`Lookup`] finds one multihash in it through
//! a few small reads, [`Indexer`] makes one of any number of sections within a memory budget.
//! [`encode`] and [`decode`] do the same for what fits into memory. [`encode_rollup`] joins the
//! indexes of several CARs, and [`sharded`] is the other format that does: a CAR of DAG-CBOR.
//!
//! Offsets of entries count from the start of the CARv1 (in a CARv2: of its data payload) to the
//! varint that a section begins with. Offsets in errors count from the start of the index.
//!
//! ```
//! use carpool_car::index::{Codec, Entry, IndexLimits, Item, decode, encode};
//!
//! let limits = IndexLimits::default();
//! let entry = Entry::new(Some(0x12), &[7; 32], 59).expect("at most 64 bytes");
//! let index = encode(Codec::MultihashSorted, [entry], &limits)?;
//! assert_eq!(decode(index.into(), &limits)?.last(), Some(&Item::Entry(entry)));
//! # Ok::<(), carpool_car::Error>(())
//! ```

mod codec;
mod entry;
mod fault;
mod indexer;
mod layout;
mod limits;
mod lookup;
mod reader;
mod rollup;
pub mod sharded;

pub use codec::Codec;
pub use entry::{Entry, MAX_DIGEST_BYTES};
pub use fault::IndexFault;
pub use indexer::{Indexer, MAX_RUNS, MIN_BUDGET, Output, encode};
pub use layout::Bucket;
pub use limits::IndexLimits;
pub use lookup::{Found, Key, Lookup, LookupOutput};
pub use reader::{Item, Reader, Records, decode};
pub use rollup::encode_rollup;
