//! Reading a directory.

use carpool_core::{Bytes, Cid, Limits};

use crate::{
    Entry, Error, Node, Shard, ShardLink,
    frontier::{Frontier, Visit},
    murmur::murmur3_x64_64,
    slot::Fanout,
};

/// What [`List::poll`] asks for or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Look the block up and answer with [`List::handle_load`]. Several may be open.
    Load(Cid),
    /// The next entry.
    Entry(Entry),
    /// All entries have been given.
    Done,
}

/// The entries of a directory: those of one node in its order, those of shards in the order of
/// their hashes.
///
/// Shards are read as a stream: what waits is bounded as in [`Cat`](crate::Cat). Every name has to
/// lie where its hash puts it, so none can come twice.
#[derive(Debug)]
pub struct List {
    frontier: Frontier<Item>,
    limits: Limits,
    done: bool,
}

#[derive(Debug)]
enum Item {
    Root,
    Entry(Bytes, u64),
    Shard(Place),
}

/// Where a shard stands: all names below it have a hash that begins with `path`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    fanout: Fanout,
    level: u32,
    path: u64,
}

impl Place {
    /// The place of the topmost shard, which says what the fanout is.
    pub(crate) fn root(cid: &Cid, shard: &Shard) -> Result<Self, Error> {
        let fanout = u64::from(shard.fanout);
        let fanout = Fanout::new(fanout).ok_or(Error::Fanout { cid: *cid, fanout })?;
        Ok(Self { fanout, level: 0, path: 0 })
    }

    /// The place of the shard `cid` in `slot` of this one.
    pub(crate) const fn below(self, cid: Cid, slot: u32) -> Result<Self, Error> {
        let max = self.fanout.levels();
        if self.level + 1 == max {
            return Err(Error::TooDeep { cid, max });
        }
        Ok(Self { level: self.level + 1, path: self.path_to(slot), ..self })
    }

    const fn path_to(self, slot: u32) -> u64 {
        self.path << self.fanout.bits() | slot as u64
    }

    /// The slot that `name` has in the shard of this place.
    pub(crate) fn slot(self, name: &[u8]) -> u32 {
        self.fanout.slot(murmur3_x64_64(name), self.level)
    }

    /// Checks that a shard which was reached here has the fanout of those above.
    pub(crate) fn check_shard(self, cid: &Cid, shard: &Shard) -> Result<(), Error> {
        let fanout = u64::from(shard.fanout);
        let same = shard.fanout == self.fanout.slots();
        if same { Ok(()) } else { Err(Error::Fanout { cid: *cid, fanout }) }
    }

    pub(crate) fn check_name(self, cid: &Cid, slot: u32, name: &[u8]) -> Result<(), Error> {
        let path = self.fanout.path(murmur3_x64_64(name), self.level);
        if path == self.path_to(slot) {
            return Ok(());
        }
        Err(Error::Misplaced { cid: *cid, name: name.into() })
    }
}

impl List {
    /// Lists the directory at `root`.
    #[must_use]
    pub fn new(root: Cid, limits: &Limits) -> Self {
        let frontier = Frontier::new(root, Item::Root, limits);
        Self { frontier, limits: limits.clone(), done: false }
    }

    /// Answers a load: the block's bytes, verified, or `None` when the store has it not.
    ///
    /// What was not asked for is ignored, except that the root may be given before the first
    /// [`Self::poll`] by a caller that has it already. [`Self::poll`] afterwards.
    pub fn handle_load(&mut self, cid: &Cid, block: Option<&Bytes>) {
        self.frontier.handle_load(cid, block);
    }

    /// The next step. Call it until it gives `None`, at first and after each
    /// [`Self::handle_load`]; after [`Output::Done`] and after an error there is nothing more.
    ///
    /// # Errors
    /// As [`Node::decode`]; [`Error::Misplaced`] when a name lies where its hash does not put it;
    /// [`Error::Fanout`] when a shard's fanout is not that of the root; [`Error::Missing`],
    /// [`Error::NotADirectory`], [`Error::TooDeep`], [`Error::TooManyPending`].
    pub fn poll(&mut self) -> Result<Option<Output>, Error> {
        if self.done {
            return Ok(None);
        }
        let step = self.step();
        self.done = matches!(step, Err(_) | Ok(Some(Output::Done)));
        step
    }

    fn step(&mut self) -> Result<Option<Output>, Error> {
        loop {
            if let Some(cid) = self.frontier.next_load() {
                return Ok(Some(Output::Load(cid)));
            }
            let Some(Visit { cid, item, block }) = self.frontier.take() else {
                return Ok(self.frontier.is_empty().then_some(Output::Done));
            };
            if let Item::Entry(name, tsize) = item {
                return Ok(Some(Output::Entry(Entry { name, cid, tsize })));
            }
            let block = block.ok_or(Error::Missing { cid })?;
            self.visit(&cid, &item, &block)?;
        }
    }

    fn visit(&mut self, cid: &Cid, item: &Item, block: &Bytes) -> Result<(), Error> {
        match (Node::decode(cid, block, &self.limits)?, item) {
            (Node::Directory(directory), Item::Root) => {
                let entries = directory.entries.into_iter().map(listed);
                self.frontier.push_front(cid, entries)
            }
            (Node::Shard(shard), Item::Root) => {
                let place = Place::root(cid, &shard)?;
                self.push_shard(cid, place, shard)
            }
            (Node::Shard(shard), Item::Shard(place)) => self.push_shard(cid, *place, shard),
            _ => Err(Error::NotADirectory { cid: *cid }),
        }
    }

    fn push_shard(&mut self, cid: &Cid, place: Place, shard: Shard) -> Result<(), Error> {
        place.check_shard(cid, &shard)?;
        let mut below = alloc::vec::Vec::with_capacity(shard.links.len());
        for link in shard.links {
            below.push(match link {
                ShardLink::Entry { slot, entry } => {
                    place.check_name(cid, slot, &entry.name)?;
                    listed(entry)
                }
                ShardLink::Shard { slot, cid } => (cid, Item::Shard(place.below(cid, slot)?), true),
            });
        }
        self.frontier.push_front(cid, below.into_iter())
    }
}

fn listed(entry: Entry) -> (Cid, Item, bool) {
    (entry.cid, Item::Entry(entry.name, entry.tsize), false)
}
