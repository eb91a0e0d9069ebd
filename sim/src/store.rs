use carpool_core::{Block, Bytes, Cid};
use std::collections::BTreeMap;

/// Blocks by CID.
pub type Blocks = BTreeMap<Cid, Bytes>;

/// A map of blocks that counts what it is asked.
#[derive(Clone, Debug, Default)]
pub struct Store {
    blocks: Blocks,
    look_ups: u64,
    writes: u64,
}

impl Store {
    /// A store that holds `blocks`.
    pub fn holding<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Self {
        blocks.into_iter().cloned().map(Block::into_parts).collect::<Blocks>().into()
    }

    /// The block of `cid`.
    pub fn get(&mut self, cid: &Cid) -> Option<Bytes> {
        self.look_ups += 1;
        self.blocks.get(cid).cloned()
    }

    /// Whether `cid` is held.
    pub fn has(&mut self, cid: &Cid) -> bool {
        self.look_ups += 1;
        self.blocks.contains_key(cid)
    }

    /// Keeps a block.
    pub fn put(&mut self, block: Block) {
        self.writes += 1;
        let (cid, data) = block.into_parts();
        self.blocks.insert(cid, data);
    }

    /// All that is held.
    #[must_use]
    pub const fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// How many CIDs were looked up.
    #[must_use]
    pub const fn look_ups(&self) -> u64 {
        self.look_ups
    }

    /// How many blocks were written.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.writes
    }
}

impl From<Blocks> for Store {
    fn from(blocks: Blocks) -> Self {
        Self { blocks, look_ups: 0, writes: 0 }
    }
}
