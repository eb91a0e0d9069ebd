use alloc::{vec, vec::Vec};

use carpool_core::{Block, Version};

use crate::{
    Error, Metadata, Root,
    dag_pb::{self, Links},
    data::{Data, Kind},
    entries::Entries,
    root::dag_pb_block,
    slot::{Bitfield, Fanout},
};

/// Makes the shards of a directory depth-first. Entries are sorted by hash, so those of a slot
/// stand together and a shard is a range of them.
#[derive(Debug)]
pub(crate) struct Shards {
    entries: Entries,
    fanout: Fanout,
    version: Version,
    metadata: Metadata,
    /// The shards from the root to the one being filled.
    open: Vec<Open>,
    root: Option<Root>,
}

/// A shard being filled with the entries `next..end`.
struct Open {
    /// Its slot in the shard above.
    slot: u32,
    next: usize,
    end: usize,
    links: Links,
    taken: Bitfield,
}

impl Open {
    fn new(slot: u32, next: usize, end: usize) -> Self {
        Self { slot, next, end, links: Links::default(), taken: Bitfield::EMPTY }
    }
}

impl core::fmt::Debug for Open {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Open").field("next", &self.next).field("end", &self.end).finish()
    }
}

impl Shards {
    pub(crate) fn new(
        mut entries: Entries,
        fanout: Fanout,
        version: Version,
        metadata: Metadata,
    ) -> Result<Self, Error> {
        let last = fanout.levels() - 1;
        entries.sort_by_hash(|a, b| fanout.path(a, last) == fanout.path(b, last))?;
        let open = vec![Open::new(0, 0, entries.len())];
        Ok(Self { entries, fanout, version, metadata, open, root: None })
    }

    pub(crate) fn poll(&mut self) -> Option<Block> {
        while let Some(top) = self.open.last() {
            if top.next == top.end {
                return self.close();
            }
            self.fill_slot();
        }
        None
    }

    pub(crate) const fn root(&self) -> Option<Root> {
        self.root
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 21 levels")]
    fn fill_slot(&mut self) {
        let level = self.open.len() as u32 - 1;
        let Some(top) = self.open.last_mut() else { return };
        let (next, slot) = (top.next, self.fanout.slot(self.entries.hash(top.next), level));
        let same = |at: &usize| self.fanout.slot(self.entries.hash(*at), level) == slot;
        let end = next + (next..top.end).take_while(same).count();
        top.next = end;
        top.taken.set(slot);
        if end - next > 1 {
            return self.open.push(Open::new(slot, next, end));
        }
        let entry = self.entries.get(next);
        let prefix = self.fanout.prefix(slot);
        top.links.push(prefix.as_bytes(), entry.name, entry.cid, entry.tsize);
    }

    fn close(&mut self) -> Option<Block> {
        let shard = self.open.pop()?;
        let mut data = Data::new(Kind::Shard(u64::from(self.fanout.slots())));
        data.bytes = Some(shard.taken.as_bytes());
        data.metadata = if self.open.is_empty() { self.metadata } else { Metadata::NONE };
        let block = dag_pb_block(self.version, dag_pb::node(shard.links.as_bytes(), &data));
        let tsize = shard.links.tsize_with(block.data().len());
        if let Some(above) = self.open.last_mut() {
            let prefix = self.fanout.prefix(shard.slot);
            above.links.push(prefix.as_bytes(), &[], &block.cid().to_bytes(), tsize);
        } else {
            self.root = Some(Root { cid: *block.cid(), size: 0, tsize });
        }
        Some(block)
    }
}
