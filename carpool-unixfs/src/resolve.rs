//! Finding what a path names.

use alloc::{boxed::Box, vec::Vec};

use carpool_core::{Bytes, Cid, Limits, identity_data};

use crate::{Entry, Error, Node, Shard, ShardLink, list::Place};

/// What [`Resolve::poll`] asks for or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Look the block up and answer with [`Resolve::handle_load`].
    Load(Cid),
    /// The path names this.
    Resolved {
        /// What it names.
        cid: Cid,
        /// Bytes of all its blocks as the directory claims; `None` for the root itself.
        tsize: Option<u64>,
    },
    /// The path names nothing: the name at this place of it (from 0) is in no directory, or what
    /// came before it is no directory.
    NotFound {
        /// How many names of the path were found.
        at: usize,
    },
}

/// Follows a path through directories, flat and sharded.
///
/// Each load is a block on the way, in order from the root, and one at a time; of a sharded
/// directory only the shards that the name's hash leads to. The block at the end of the path is not
/// loaded. Symbolic links are not followed.
#[derive(Debug)]
pub struct Resolve {
    names: Vec<Box<[u8]>>,
    found: usize,
    cid: Cid,
    tsize: Option<u64>,
    place: Option<Place>,
    load: Load,
    limits: Limits,
}

#[derive(Debug)]
enum Load {
    Unasked,
    Asked,
    Answered(Option<Bytes>),
    Done,
}

/// What one block says about the name that is looked for.
enum Found {
    Entry(Entry),
    Shard(Cid, Place),
    Nothing,
}

impl Resolve {
    /// Follows `path`, names between slashes, from `root`. Empty names (leading, trailing and
    /// double slashes) are skipped; `.` and `..` are names that no directory has.
    #[must_use]
    pub fn new(root: Cid, path: &[u8], limits: &Limits) -> Self {
        let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        Self {
            names: names.map(Box::from).collect(),
            found: 0,
            cid: root,
            tsize: None,
            place: None,
            load: Load::Unasked,
            limits: limits.clone(),
        }
    }

    /// Answers a load: the block's bytes, verified, or `None` when the store has it not. What was
    /// not asked for is ignored. [`Self::poll`] afterwards.
    pub fn handle_load(&mut self, cid: &Cid, block: Option<&Bytes>) {
        if *cid == self.cid && matches!(self.load, Load::Asked) {
            self.load = Load::Answered(block.cloned());
        }
    }

    /// The next step. Call it until it gives `None`, at first and after each
    /// [`Self::handle_load`]; after [`Output::Resolved`], [`Output::NotFound`] and an error there
    /// is nothing more.
    ///
    /// # Errors
    /// As [`Node::decode`]; [`Error::Missing`]; [`Error::Fanout`], [`Error::Misplaced`],
    /// [`Error::TooDeep`] for shards that contradict each other.
    pub fn poll(&mut self) -> Result<Option<Output>, Error> {
        let step = self.step();
        if !matches!(step, Ok(None | Some(Output::Load(_)))) {
            self.load = Load::Done;
        }
        step
    }

    fn step(&mut self) -> Result<Option<Output>, Error> {
        loop {
            if self.found == self.names.len() && !matches!(self.load, Load::Done) {
                return Ok(Some(Output::Resolved { cid: self.cid, tsize: self.tsize }));
            }
            let block = match core::mem::replace(&mut self.load, Load::Asked) {
                Load::Unasked => match identity_data(&self.cid) {
                    Some(data) => Bytes::copy_from_slice(data),
                    None => return Ok(Some(Output::Load(self.cid))),
                },
                Load::Asked => return Ok(None),
                Load::Answered(block) => block.ok_or(Error::Missing { cid: self.cid })?,
                Load::Done => {
                    self.load = Load::Done;
                    return Ok(None);
                }
            };
            match self.find(&block)? {
                Found::Entry(entry) => self.enter(&entry),
                Found::Shard(cid, place) => self.descend(cid, place),
                Found::Nothing => return Ok(Some(Output::NotFound { at: self.found })),
            }
        }
    }

    fn enter(&mut self, entry: &Entry) {
        self.found += 1;
        (self.cid, self.tsize, self.place) = (entry.cid, Some(entry.tsize), None);
        self.load = Load::Unasked;
    }

    fn descend(&mut self, cid: Cid, place: Place) {
        (self.cid, self.place) = (cid, Some(place));
        self.load = Load::Unasked;
    }

    fn find(&self, block: &Bytes) -> Result<Found, Error> {
        let name = &self.names[self.found];
        match (Node::decode(&self.cid, block, &self.limits)?, self.place) {
            (Node::Directory(directory), None) => {
                let entry = directory.entries.into_iter().find(|entry| entry.name == name[..]);
                Ok(entry.map_or(Found::Nothing, Found::Entry))
            }
            (Node::Shard(shard), place) => {
                let place = place.map_or_else(|| Place::root(&self.cid, &shard), Ok)?;
                self.find_in_shard(name, shard, place)
            }
            (_, Some(_)) => Err(Error::NotADirectory { cid: self.cid }),
            (Node::Raw(_) | Node::File(_) | Node::Symlink(_), None) => Ok(Found::Nothing),
        }
    }

    fn find_in_shard(&self, name: &[u8], shard: Shard, place: Place) -> Result<Found, Error> {
        place.check_shard(&self.cid, &shard)?;
        let wanted = place.slot(name);
        for link in shard.links {
            match link {
                ShardLink::Entry { slot, entry } if slot == wanted => {
                    place.check_name(&self.cid, slot, &entry.name)?;
                    let found = entry.name == name;
                    return Ok(if found { Found::Entry(entry) } else { Found::Nothing });
                }
                ShardLink::Shard { slot, cid } if slot == wanted => {
                    return Ok(Found::Shard(cid, place.below(cid, slot)?));
                }
                ShardLink::Entry { .. } | ShardLink::Shard { .. } => {}
            }
        }
        Ok(Found::Nothing)
    }
}
