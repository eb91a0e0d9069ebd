#![doc = include_str!("../README.md")]
#![no_std]
extern crate alloc;

pub mod cat;
mod chunker;
mod chunking;
mod dag_pb;
mod data;
mod directory;
mod entries;
mod error;
mod fastcdc;
mod file;
mod frontier;
mod gear;
mod hamt;
mod leaf;
pub mod list;
mod metadata;
mod murmur;
mod name;
mod node;
mod options;
mod profile;
pub mod resolve;
mod root;
mod slot;
mod symlink;

pub use carpool_core::{Block, Bytes, Cid, Limits, Version};
pub use cat::Cat;
pub use chunker::{Chunk, Chunker};
pub use chunking::Chunking;
pub use directory::{DirectoryBlocks, DirectoryBuilder};
pub use error::{Error, OptionsError};
pub use file::FileBuilder;
pub use leaf::{EncodedLeaf, Leaf, LeafLink, hash_leaves};
pub use list::List;
pub use metadata::{Metadata, Mtime};
pub use node::{Directory, Entry, File, FileLink, Node, Shard, ShardLink, Symlink};
pub use options::{Estimation, Options, Overrides};
pub use profile::Profile;
pub use resolve::Resolve;
pub use root::{Built, Root};
pub use symlink::symlink;
