//! CID, multihash, DAG-CBOR and DAG-PB as far as moving blocks needs them
//! ([CID](https://github.com/multiformats/cid), [multihash](https://multiformats.io/multihash/),
//! [DAG-CBOR](https://ipld.io/specs/codecs/dag-cbor/spec/),
//! [DAG-PB](https://ipld.io/specs/codecs/dag-pb/spec/)).
//!
//! This crate does four things and no I/O:
//!
//! 1. reads CIDs and varints from bytes that a peer chose ([`cid_prefix`], [`varint`],
//!    [`cbor`]);
//! 2. turns `(CID, bytes)` into a [`Block`] by hashing it, many at a time ([`verify`]): those with
//!    SHA2-256 together in the lanes of [`carpool_hash`];
//! 3. lists the links of a block without building a tree ([`links`]);
//! 4. names every limit that a peer's numbers are held to ([`Limits`]).
//!
//! ```
//! use carpool_core::{Block, Limits, Unverified, codec, for_each_link, verify};
//!
//! let leaf = Block::new(codec::RAW, "hello".into());
//! let claimed = Unverified { cid: *leaf.cid(), data: "hello".into() };
//! assert_eq!(verify(vec![claimed]), vec![Ok(leaf.clone())]);
//! for_each_link(leaf.cid(), leaf.data(), &Limits::default(), |_| unreachable!())?;
//! # Ok::<(), carpool_core::Error>(())
//! ```
#![no_std]
extern crate alloc;

mod block;
pub mod cbor;
mod cid_bytes;
pub mod codec;
mod error;
mod fingerprints;
mod hash;
mod index;
mod limits;
mod links;
mod list;
mod set;
pub mod varint;

pub use block::{Block, Unverified, verify};
pub use bytes::Bytes;
pub use carpool_hash::{sha2_256, sha2_256_each};
pub use cid::{Cid, Version};
pub use cid_bytes::{cid_exact, cid_prefix};
pub use error::{Error, Fault};
pub use fingerprints::Fingerprints;
pub use hash::{IDENTITY, SHA2_256, digest, is_identity};
pub use index::CidIndex;
pub use limits::Limits;
pub use links::{MAX_NESTING, for_each_link, for_each_link_bytes, identity_data, links, may_link};
pub use list::CidList;
pub use multihash::Multihash;
pub use set::{CidMap, CidSet};
